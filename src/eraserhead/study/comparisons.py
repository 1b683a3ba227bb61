"""How a finding is decided: which numbers are compared, and what their 95 % intervals say."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from eraserhead.method.statistics import Estimate

# With a fair coin, six or more documents agree in fewer than 5 % of cases.
FEWEST_DIFFERING = 6


class Support(StrEnum):
    """What the numbers say about a claim."""

    HOLDS = "holds"
    CONTRARY = "contrary"
    UNDECIDED = "undecided"
    MIXED = "mixed"  # some comparisons hold, others are contrary


@dataclass(frozen=True)
class Comparison:
    """One comparison that bears on a finding: the claim is that `larger` exceeds `smaller`.

    Attributes:
        where: The cell, or the two cells compared.
        larger: The number that should be larger. A quantile without a value is larger than everything.
        smaller: The number that should be smaller; a fixed bound has an interval without width.
        deciding: Number of documents on which the two sides differ, or over which a median or mean is taken.
    """

    where: str
    larger: Estimate
    smaller: Estimate
    deciding: float

    @property
    def support(self) -> Support:
        """Holds or contrary if the intervals do not overlap and enough documents decide; else undecided."""
        if self.deciding < FEWEST_DIFFERING - 1e-9 or not (self.larger.has_interval and self.smaller.has_interval):
            return Support.UNDECIDED
        if _end(self.larger.low) > _end(self.smaller.high):
            return Support.HOLDS
        return Support.CONTRARY if _end(self.larger.high) < _end(self.smaller.low) else Support.UNDECIDED


@dataclass(frozen=True)
class Finding:
    """A claim and all comparisons that test it.

    Attributes:
        key: A short name.
        claim: The claim as a sentence without its full stop.
        measure: What is compared with what.
        comparisons: The comparisons; empty if the claim applies to no cell of the study.
        of_paper: Whether the paper makes the claim; otherwise only this study does.
        unit: What a comparison is about: one cell, or a pair of models on the same documents.
    """

    key: str
    claim: str
    measure: str
    comparisons: tuple[Comparison, ...]
    of_paper: bool = True
    unit: str = "cells"

    def count(self, verdict: Support) -> int:
        """Return the number of comparisons with this verdict."""
        return sum(comparison.support == verdict for comparison in self.comparisons)

    @property
    def support(self) -> Support:
        """Holds if more than half of the comparisons hold and none is contrary; contrary is the reverse.

        Mixed if some hold and some are contrary; undecided in all other cases.
        """
        holds, contrary = self.count(Support.HOLDS), self.count(Support.CONTRARY)
        if holds and contrary:
            return Support.MIXED
        if 2 * holds > len(self.comparisons):
            return Support.HOLDS
        return Support.CONTRARY if 2 * contrary > len(self.comparisons) else Support.UNDECIDED


def bound(value: float) -> Estimate:
    """Return a fixed number as an estimate whose interval has no width."""
    return Estimate(value, value, value, 0)


def _end(value: float | None) -> float:
    return np.inf if value is None else value
