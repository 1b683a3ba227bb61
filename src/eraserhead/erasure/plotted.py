"""The numbers of the figures of erasure results, each with its interval over documents."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from eraserhead.erasure.curve_values import values_along
from eraserhead.erasure.flip_values import FlipValues, averager, read_flips
from eraserhead.erasure.results import ResultTables
from eraserhead.erasure.summary import Summary
from eraserhead.method.along import PERCENTS
from eraserhead.method.intervals import mean_of, share_of
from eraserhead.method.names import ATTENTION
from eraserhead.method.statistics import Estimate
from eraserhead.method.test_one import ZERO_DIFFERENCE
from eraserhead.showing.panels import Line

FRACTIONS = np.linspace(0, 1, 201)  # of the components, where shares of flips are looked at
SIZES = np.concatenate([np.arange(0, 20), np.arange(20, 90, 5), np.arange(90, 101)]) / 100  # where probabilities are
FEW_PERCENTS = np.array(PERCENTS) / 100  # where probabilities are if no more were looked at
ROUNDING = 1e-9  # of a fraction, which is no less than itself
REMOVED, KEPT = "probability_removed", "probability_kept"
FEWEST_POINTS = 10  # of a scatter
EXTRAS_A_DECADE = 20  # numbers of extra components that are looked at, where there are many


@dataclass(frozen=True)
class Plotted:
    """Results that are drawn.

    Attributes:
        name: What they are called in figures.
        summary: Their summary.
        tables: Their tables.
    """

    name: str
    summary: Summary
    tables: ResultTables

    @cached_property
    def flips(self) -> dict[str, FlipValues]:
        """First flips by ranking, with documents that never flip counted as in the summary."""
        return read_flips(self.tables, self.summary.setup.count_never_as)


@dataclass(frozen=True)
class Points:
    """Test 1 of the top component by attention against one drawn component, for documents of two components or more.

    Attributes:
        ids: Ids of the documents; a document is there once for each of its decisions.
        delta_attention: Weight of the top component minus that of the other.
        delta_js: Divergence after erasing the top component minus that after erasing the other, in nats.
    """

    ids: pa.Array
    delta_attention: Float[np.ndarray, " documents"]
    delta_js: Float[np.ndarray, " documents"]

    @property
    def zero(self) -> Bool[np.ndarray, " documents"]:
        """True where `delta_js` counts as zero."""
        return np.abs(self.delta_js) < ZERO_DIFFERENCE

    @property
    def negative(self) -> Bool[np.ndarray, " documents"]:
        """True where the other component moves the distribution further than the top component."""
        return (self.delta_js < 0) & ~self.zero

    @property
    def share_negative(self) -> Estimate:
        """Share of the documents on which it does."""
        ids = self.ids.to_numpy(zero_copy_only=False)
        return share_of(averager(ids)(self.negative.astype(float)))

    @property
    def why_no_scatter(self) -> str | None:
        """Why these points are no picture: they are too few, or all the same; null where they are one."""
        count = len(self.ids)
        if count < FEWEST_POINTS:
            return f"{count} document{'s' * (count != 1)}: too few for a scatter"
        if np.ptp(self.delta_attention) < ROUNDING and np.ptp(self.delta_js) < ZERO_DIFFERENCE:
            return f"all {count:,} documents lie at ({self.delta_attention[0]:.3g}, {self.delta_js[0]:.3g})"
        return None


def read_points(tables: ResultTables) -> Points:
    """Return test 1 of the top component by attention against the one drawn component."""
    rows = tables.analysed("singles", ["id", "ranking", "n", "delta_attention", "delta_js"])
    rows = rows.filter(pc.field("ranking") == ATTENTION)
    return Points(
        rows.column("id").combine_chunks(),
        rows.column("delta_attention").to_numpy(),
        rows.column("delta_js").to_numpy(),
    )


def flipped_lines(results: Plotted) -> list[Line]:
    """Return the share of the documents whose decision has flipped along each ranking, against the fraction erased."""
    return [
        _shares(name, FRACTIONS, np.where(flips.never, np.inf, flips.fraction), flips)
        for name, flips in results.flips.items()
    ]


def extra_lines(results: Plotted) -> list[Line]:
    """Return the share of the documents with at most so many components erased beyond the yardstick's, but for its own.

    They are the documents on which the yardstick flips; at 0 it is the share on which a ranking is as short. A document
    that never flips along a ranking is never among them.
    """
    yardstick = results.flips.get(results.summary.yardstick or "")
    if yardstick is None:
        return []
    flips = np.isfinite(yardstick.removed)
    extras = {
        name: np.where(flips, own.removed - np.where(flips, yardstick.removed, 0), np.nan)
        for name, own in results.flips.items()
        if own is not yardstick
    }
    counts = _counts(extras.values())
    return [_shares(name, counts, extra, results.flips[name]) for name, extra in extras.items()]


def curve_lines(results: Plotted) -> dict[str, list[Line]]:
    """Return the mean probability of the decision along each ranking, with a share of the components erased, or kept.

    By `REMOVED` and `KEPT`. A share stands for so many components, rounded up.
    """
    every_k = results.summary.setup.curves == "all"
    sizes = SIZES if every_k else FEW_PERCENTS

    def probabilities(table: pa.Table) -> dict[tuple[str, ...], np.ndarray]:
        return {(which,): _at(table, which, sizes, every_k) for which in (REMOVED, KEPT)}

    found: dict[str, list[Line]] = {REMOVED: [], KEPT: []}
    for ranking, fields in values_along(results.tables, [REMOVED, KEPT], probabilities):
        for (which,), values in fields.items():
            estimates = [mean_of(column.astype(float), 0.0, 1.0) for column in values.T]
            if any(estimate.count for estimate in estimates):
                found[which].append(_line(ranking, sizes, estimates))
    return found


def _at(table: pa.Table, column: str, sizes: Float[np.ndarray, " sizes"], every_k: bool) -> np.ndarray:
    """Return the probabilities at shares of the components, ``[rows, sizes]``; NaN where there are none.

    A list has an entry for each number of components, from none, or one for each different number that `sizes` are.
    """
    lists, n = table.column(column).combine_chunks(), table.column("n").to_numpy()
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    found = np.full((len(lists), len(sizes)), np.nan, dtype=np.float32)
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    starts = (lengths.cumsum() - lengths)[there]
    at = np.ceil(n[there, None] * sizes - ROUNDING).astype(int)
    if not every_k:
        new = at[:, 1:] > at[:, :-1]
        at = np.concatenate([np.zeros((len(at), 1), dtype=int), new.cumsum(1)], axis=1)
    found[there] = lists.flatten().to_numpy()[starts[:, None] + at]
    return found


def _shares(name: str, at: Float[np.ndarray, " points"], values: np.ndarray, flips: FlipValues) -> Line:
    """Return the share of the documents with values up to each point; a document's decisions and draws are averaged."""
    average = averager(flips.ids)
    known = ~np.isnan(values)
    counted = np.maximum(known.sum(1), 1)

    def share(most: float) -> Estimate:
        reached = (known & (values <= most + ROUNDING)).sum(1) / counted
        return share_of(average(np.where(known.any(1), reached, np.nan)))

    return _line(name, at, [share(most) for most in at])


def _line(name: str, x: Float[np.ndarray, " points"], estimates: Sequence[Estimate]) -> Line:
    ends = [(estimate.value, estimate.low, estimate.high) for estimate in estimates]
    value, low, high = np.array(ends, dtype=float).reshape(-1, 3).T  # null becomes NaN
    return Line(name, x, value, low, high, np.array([estimate.count for estimate in estimates]))


def _counts(extras: Iterable[np.ndarray]) -> Float[np.ndarray, " points"]:
    """Return the numbers of extra components to look at: all up to the most there are, of many some."""
    most = max((float(np.max(each, where=np.isfinite(each), initial=0)) for each in extras), default=0.0)
    some = np.geomspace(1, max(most, 1), int(EXTRAS_A_DECADE * np.log10(max(most, 10))) + 1).round()
    return np.unique(np.concatenate([[0.0], some]))
