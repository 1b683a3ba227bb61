"""How a finding is decided: what is compared, and what the 95 % intervals say of it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from eraserhead.method.statistics import Estimate

# Six documents that all say the same are the fewest that a fair coin brings about in less than 5 % of cases; a
# bootstrap over fewer has an interval of no width that means nothing.
FEWEST_DOCUMENTS = 6


class Verdict(StrEnum):
    """What the numbers say of a claim."""

    HOLDS = "holds"
    CONTRARY = "contrary"
    UNDECIDED = "undecided"
    MIXED = "mixed"  # of many cells: some hold, some are contrary


@dataclass(frozen=True)
class Comparison:
    """One comparison that bears on a finding: the claim is that `larger` exceeds `smaller`.

    Attributes:
        where: The cell, or the two that are compared.
        larger: The number that should be larger. A quantile without a value is larger than everything.
        smaller: The number that should be smaller; one without width for a fixed bound.
        deciding: On how many documents the two sides differ, or how many a median or a mean rests on.
    """

    where: str
    larger: Estimate
    smaller: Estimate
    deciding: float

    @property
    def verdict(self) -> Verdict:
        """Holds or contrary where the intervals lie apart and enough documents decide; else undecided."""
        if self.deciding < FEWEST_DOCUMENTS - 1e-9:
            return Verdict.UNDECIDED
        if _end(self.larger.low) > _end(self.smaller.high):
            return Verdict.HOLDS
        return Verdict.CONTRARY if _end(self.larger.high) < _end(self.smaller.low) else Verdict.UNDECIDED


@dataclass(frozen=True)
class Finding:
    """A claim and all that bears on it.

    Attributes:
        key: A short name.
        claim: The claim as a sentence without its full stop.
        measure: What is compared with what.
        comparisons: The comparisons; empty where the study has no cell to which the claim applies.
        of_paper: Whether the paper makes the claim, or this study alone.
        unit: What is compared: each cell for itself, or pairs of models on the same documents.
    """

    key: str
    claim: str
    measure: str
    comparisons: tuple[Comparison, ...]
    of_paper: bool = True
    unit: str = "cells"

    def count(self, verdict: Verdict) -> int:
        """Return how many comparisons say so."""
        return sum(comparison.verdict == verdict for comparison in self.comparisons)

    @property
    def verdict(self) -> Verdict:
        """Holds where more than half of the comparisons hold and none is contrary; contrary likewise.

        Mixed where there are some of both, undecided in all other cases.
        """
        holds, contrary = self.count(Verdict.HOLDS), self.count(Verdict.CONTRARY)
        if holds and contrary:
            return Verdict.MIXED
        if 2 * holds > len(self.comparisons):
            return Verdict.HOLDS
        return Verdict.CONTRARY if 2 * contrary > len(self.comparisons) else Verdict.UNDECIDED


def bound(value: float) -> Estimate:
    """Return a fixed number as an estimate whose interval has no width."""
    return Estimate(value, value, value, 0)


def _end(value: float | None) -> float:
    return np.inf if value is None else value
