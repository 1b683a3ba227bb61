"""Numbers from a cell's tables that its summary lacks, for the figures and the paired comparisons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from eraserhead.erasure.flip_values import FlipValues
from eraserhead.erasure.ranking_summaries import RankingSummary
from eraserhead.method.names import MINIMUM, RANDOM, YARDSTICKS
from eraserhead.method.quantiles import quantiles_of
from eraserhead.method.statistics import Estimate
from eraserhead.rankings.registry import registered
from eraserhead.study.cells import CellResults

FRACTION, MASS = "fraction", "mass"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PAPER, OURS = "paper", "ours"  # conventions of the box plots


@dataclass(frozen=True)
class Box:
    """A box of the box plots: quantiles over documents.

    A quantile is the smallest value that at least this share of the documents does not exceed; it is infinity if it
    falls on a document that never flips.

    Attributes:
        ranking: Name of the ranking, or ``minimum``.
        quantity: ``fraction`` or ``mass``.
        convention: ``paper``: each ranking leaves out its documents that never flip, and one random draw is used.
            ``ours``: all documents, where "never" is larger than everything, and all random draws, those of a document
            weighing together as one document.
        quantiles: Values of the `QUANTILES`; null if there is no document.
        documents: Number of documents in the box.
        never: Share of all documents that is left out (paper) or larger than everything (ours).
    """

    ranking: str
    quantity: str
    convention: str
    quantiles: tuple[float, ...] | None
    documents: int
    never: float


@dataclass(frozen=True)
class Fractions:
    """The fraction of each document that must be erased along each ranking except `random`.

    Attributes:
        ids: Ids of the documents of two components or more.
        removed: Fraction erased at the first flip with each seed of the model, by ranking; where nothing flips, counted
            as in the summary.
    """

    ids: np.ndarray
    removed: Mapping[str, Float[np.ndarray, "documents seeds"]]


def ranking_names(results: Iterable[CellResults]) -> list[str]:
    """Return the rankings in any cell's results, in their order, followed by the smallest sets.

    Without cells, all registered rankings are returned.
    """
    found = dict.fromkeys(name for each in results for name in each.summary.rankings)
    names = list(found) or [RANDOM, *(ranking.name for ranking in registered()), MINIMUM]
    return sorted(names, key=YARDSTICKS.__contains__)


def read_boxes(results: CellResults, quantity: str) -> list[Box]:
    """Return the boxes of every ranking and of the minimum, in the paper's convention and in ours."""
    boxes = []
    for name in ranking_names([results]):
        flips, summary = results.flips.get(name), results.ranking(name)
        if flips is not None and summary is not None:
            boxes += [_paper_box(name, quantity, flips), _our_box(name, quantity, flips, summary)]
    return boxes


def read_fractions(results: CellResults) -> Fractions:
    """Return the fractions that the paired comparisons need."""
    flips, seeds = results.flips, len(results.runs)
    removed = {name: values.fraction.reshape(seeds, -1).T for name, values in flips.items() if name != RANDOM}
    ids = next(iter(flips.values())).ids
    return Fractions(ids[: len(ids) // seeds], removed)


def common_rows(first: np.ndarray, second: np.ndarray) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """Return the rows of the common documents in each of two lists of ids, in the order of the first."""
    found = pd.Index(second).get_indexer(pd.Index(first))
    rows = np.flatnonzero(found >= 0)
    return rows, found[rows]


def _paper_box(ranking: str, quantity: str, flips: FlipValues) -> Box:
    never = flips.never[:, 0]
    flipping = flips.values(quantity)[:, 0][~never]
    quantiles = _quantiles(flipping, QUANTILES) if len(flipping) else None
    return Box(ranking, quantity, PAPER, quantiles, len(flipping), 1 - len(flipping) / len(never))


def _our_box(ranking: str, quantity: str, flips: FlipValues, summary: RankingSummary) -> Box:
    ends = quantiles_of(flips.values(quantity), (QUANTILES[0], QUANTILES[-1]), flips.documents)
    found = summary.distribution(quantity)
    quantiles = tuple(map(_drawn, (ends[0], found.q25, found.median, found.q75, ends[1])))
    never = float((flips.shares * np.isinf(flips.values(quantity))).sum() / found.median.count)
    return Box(ranking, quantity, OURS, quantiles, found.median.count, never)


def _quantiles(values: Float[np.ndarray, " documents"], quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return quantiles by the same definition as the estimates with intervals."""
    return tuple(map(_drawn, quantiles_of(values, quantiles)))


def _drawn(quantile: Estimate) -> float:
    return np.inf if quantile.value is None else quantile.value
