"""Quantiles over documents, with intervals from order statistics (METHOD section 4, aggregates)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binom

from eraserhead.method.intervals import TAIL
from eraserhead.method.statistics import Estimate

ROUNDING = 1e-9  # 0.28 of 25 documents are 7, though 0.28 * 25 is 7.000000000000001


def quantiles_of(
    values: Float[np.ndarray, "rows *draws"],
    quantiles: Sequence[float],
    documents: Int[np.ndarray, " rows"] | None = None,
) -> list[Estimate]:
    """Return quantiles of values among which infinity stands for "never", with their intervals.

    Every document weighs the same: all values of a document weigh together as one. A quantile is the smallest value
    that documents of at least that weight do not exceed: always a value that occurs. NaN is left out.

    The ends of an interval are such values too, whose ranks follow from the binomial distribution. With one value for
    each document the interval is exact, whatever the distribution. With several, ranks are those for the number of
    documents of one value that would vary as much in what part lies up to the quantile, or up to an end. Where there
    are too few documents for one of the ends, there is no interval: 5 for the median, 12 for the quartiles. Several
    values do not make up for that, as so few documents do not tell how they vary.

    Args:
        values: One value for each row, or several.
        quantiles: Which quantiles.
        documents: The number of each row's document; by default each row is one.
    """
    rows = np.arange(len(values)) if documents is None else documents
    flat = values.reshape(-1)
    each = np.repeat(rows, len(flat) // max(len(rows), 1))
    exists = ~np.isnan(flat)
    if not exists.any():
        return [Estimate(None, None, None, 0) for _ in quantiles]
    weighed = _weighed(flat[exists], each[exists])
    return [_quantile(weighed, quantile) for quantile in quantiles]


@dataclass(frozen=True)
class _Weighed:
    """Values in ascending order, of which those of one document weigh as much together as those of any other.

    Attributes:
        values: The values.
        documents: The document of each, from 0.
        sizes: How many values each document has, one at least.
        reached: Which part of the weight of all documents lies up to each value.
    """

    values: Float[np.ndarray, " values"]
    documents: Int[np.ndarray, " values"]
    sizes: Int[np.ndarray, " documents"]
    reached: Float[np.ndarray, " values"]

    def at(self, level: float) -> float:
        """Return the smallest value up to which at least this part of the weight lies."""
        return self.values[min(int(self.reached.searchsorted(level)), len(self.values) - 1)]


def _weighed(values: Float[np.ndarray, " values"], documents: Int[np.ndarray, " values"]) -> _Weighed:
    sizes = np.bincount(documents)
    if not sizes.all():  # numbers of documents without a value are taken by others
        documents, sizes = (np.cumsum(sizes > 0) - 1)[documents], sizes[sizes > 0]
    order = values.argsort()
    documents = documents[order]
    return _Weighed(values[order], documents, sizes, (1 / sizes[documents]).cumsum() / len(sizes))


def _quantile(weighed: _Weighed, quantile: float) -> Estimate:
    value = weighed.at(quantile - ROUNDING)
    ends = _interval(weighed, quantile, value)
    low, high = (None, None) if ends is None else map(_number, ends)
    return Estimate(_number(value), low, high, len(weighed.sizes))


def _interval(weighed: _Weighed, quantile: float, value: float) -> tuple[float, float] | None:
    """Return the interval of a quantile; null if there are too few documents, of however many draws."""
    if _ends(weighed, quantile, len(weighed.sizes)) is None:
        return None
    alike = _documents_alike(weighed, value)
    ends = _ends(weighed, quantile, alike)
    if ends is None:
        return None
    return _ends(weighed, quantile, min(alike, *(_documents_alike(weighed, end) for end in ends)))


def _ends(weighed: _Weighed, quantile: float, documents: int) -> tuple[float, float] | None:
    """Return the ends of the interval that so many documents of one value give; null if they are too few."""
    below, above = binom.ppf([TAIL, 1 - TAIL], documents, quantile)
    if below < 1 or above >= documents:
        return None
    return weighed.at((below - 1) / documents + ROUNDING), weighed.at((above + 1) / documents - ROUNDING)


def _documents_alike(weighed: _Weighed, value: float) -> int:
    """Return how many documents of one value would vary as much in what part lies up to a value."""
    count, most = len(weighed.sizes), len(weighed.values)
    below = np.bincount(weighed.documents, weighed.values <= value, minlength=count) / weighed.sizes
    share, variance = float(below.mean()), float(below.var())
    if share == 1:
        return count
    return most if variance == 0 else int(min(count * share * (1 - share) / variance + ROUNDING, most))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
