"""What the figures and the paired comparisons need of a cell's tables, beyond its summary, a few columns at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from eraserhead.method.names import MINIMUM, RANDOM
from eraserhead.method.statistics import bootstrap_quantiles
from eraserhead.method.test_one import ZERO_DIFFERENCE
from eraserhead.rankings.registry import registered
from eraserhead.study.cells import CellResults

KEYS = tuple(ranking.name for ranking in registered())
RANKINGS = (RANDOM, *KEYS)
FRACTION, MASS = "fraction", "mass"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PAPER, OURS = "paper", "ours"  # conventions of the box plots


@dataclass(frozen=True)
class Points:
    """Test 1 of the top of attention against one drawn component, a row a document of two components or more.

    Attributes:
        ids: The documents.
        delta_attention: Weight of the top minus that of the other.
        delta_js: Divergence that erasing the top causes minus that of the other.
    """

    ids: pa.Array
    delta_attention: Float[np.ndarray, " documents"]
    delta_js: Float[np.ndarray, " documents"]

    @property
    def zero(self) -> Bool[np.ndarray, " documents"]:
        """Which differences are too small to have a sign."""
        return np.abs(self.delta_js) < ZERO_DIFFERENCE

    @property
    def negative(self) -> Bool[np.ndarray, " documents"]:
        """On which documents the other component moves the distribution further than the top."""
        return (self.delta_js < 0) & ~self.zero


@dataclass(frozen=True)
class Box:
    """A box of the box plots: quantiles over documents.

    A quantile is the smallest value that at least this share of the documents does not exceed; infinity where it falls
    among documents that never flip.

    Attributes:
        ranking: Name of the ranking, or ``minimum``.
        quantity: ``fraction`` or ``mass``.
        convention: ``paper``: documents that never flip are left out, for each ranking separately, and one random draw
            is taken. ``ours``: all documents, never being larger than everything; random draws are averaged within a
            document first.
        quantiles: Those of `QUANTILES`; null where there is no document.
        documents: Documents that the box is drawn over.
        never: Of all documents the share that is left out (paper) or larger than everything (ours).
    """

    ranking: str
    quantity: str
    convention: str
    quantiles: tuple[float, ...] | None
    documents: int
    never: float


@dataclass(frozen=True)
class Fractions:
    """How much of each document has to go, along each ranking that is not random.

    Attributes:
        ids: The documents of two components or more.
        removed: For each ranking the fraction erased at the first flip, infinity where nothing flips.
    """

    ids: pa.Array
    removed: Mapping[str, Float[np.ndarray, " documents"]]


def read_points(results: CellResults) -> Points:
    """Return test 1 of the top of attention against the one draw."""
    columns = ["id", "ranking", "n", "delta_attention", "delta_js"]
    rows = _of_ranking(_analysed(results.cell.results.table("singles", columns)), "attention")
    return Points(
        rows.column("id").combine_chunks(),
        rows.column("delta_attention").to_numpy(),
        rows.column("delta_js").to_numpy(),
    )


def read_boxes(results: CellResults, quantity: str) -> list[Box]:
    """Return the boxes of every ranking and of the minimum, in the paper's convention and in ours."""
    rows = _analysed(results.cell.results.table("flips", ["ranking", "n", quantity]))
    documents = len(_of_ranking(rows, "attention"))
    boxes = []
    for ranking in (*RANKINGS, MINIMUM):
        values = _values(rows, ranking, quantity)
        if documents and len(values):
            boxes += _boxes(results, ranking, quantity, values.reshape(documents, -1))
    return boxes


def read_fractions(results: CellResults) -> Fractions:
    """Return the fractions that the paired comparisons need."""
    rows = _analysed(results.cell.results.table("flips", ["id", "ranking", "n", FRACTION]))
    removed = {}
    for ranking in (*KEYS, MINIMUM):
        values = _values(rows, ranking, FRACTION)
        removed[ranking] = np.where(np.isinf(values), results.never, values)
    return Fractions(_of_ranking(rows, "attention").column("id").combine_chunks(), removed)


def common_rows(first: pa.Array, second: pa.Array) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """Return where the documents that both have are in each, in the order of the first."""
    found = pd.Index(second.to_pandas()).get_indexer(pd.Index(first.to_pandas()))
    rows = np.flatnonzero(found >= 0)
    return rows, found[rows]


def _analysed(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.field("n") >= 2)


def _of_ranking(rows: pa.Table, ranking: str) -> pa.Table:
    return rows.filter(pc.field("ranking") == ranking)


def _values(rows: pa.Table, ranking: str, quantity: str) -> Float[np.ndarray, " rows"]:
    """Return a ranking's values, each document's draws in their order; infinity where nothing flips."""
    return pc.fill_null(_of_ranking(rows, ranking).column(quantity), np.inf).to_numpy().astype(np.float64)


def _boxes(
    results: CellResults, ranking: str, quantity: str, values: Float[np.ndarray, "documents draws"]
) -> list[Box]:
    first = values[:, 0]
    flipping = first[np.isfinite(first)]
    averaged = np.where(np.isinf(values), results.never, values).mean(1)
    ends = _quantiles(averaged, (QUANTILES[0], QUANTILES[-1]))
    quartiles = [results.estimate("rankings", ranking, quantity, name) for name in ("q25", "median", "q75")]
    middle = [np.inf if estimate is None or estimate.value is None else estimate.value for estimate in quartiles]
    return [
        Box(
            ranking,
            quantity,
            PAPER,
            _quantiles(flipping, QUANTILES) if len(flipping) else None,
            len(flipping),
            1 - len(flipping) / len(first),
        ),
        Box(
            ranking,
            quantity,
            OURS,
            (ends[0], *middle, ends[1]),
            len(averaged),
            float(np.isinf(averaged).mean()),
        ),
    ]


def _quantiles(values: Float[np.ndarray, " documents"], quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return quantiles as the intervals' estimates define them, without the intervals."""
    estimates = bootstrap_quantiles(values, quantiles, seed=0, resamples=1)
    return tuple(np.inf if estimate.value is None else estimate.value for estimate in estimates)
