"""Bootstrap intervals over documents (METHOD section 4, aggregates).

Means of few documents are drawn again, all from the same resamples. What many draws would come to is computed where
mathematics allows: exactly for quantiles, and to second order for means of many documents. So the cost of a summary
hardly grows with the number of documents.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import betaincinv, ndtri

from eraserhead.method.statistics import Estimate

Key = TypeVar("Key", bound=Hashable)

RESAMPLES = 1000
CONFIDENCE = 0.95
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
MANY = 1000  # documents from which on means are not drawn again
CHUNK = 400_000  # resample counts held at a time
ROUNDING = 1e-9  # 0.28 of 25 documents are 7, though 0.28 * 25 is 7.000000000000001


def bootstrap_means(columns: Iterable[tuple[Key, Float[np.ndarray, " documents"]]], seed: int) -> dict[Key, Estimate]:
    """Return the mean of each column over the documents where it is a number (not NaN), with its interval.

    From `MANY` documents on, the ends of the interval are those that infinitely many resamples would have, but for
    terms that shrink with the number of documents (Cornish & Fisher 1938, to the skewness). What is left out is smaller
    than what `RESAMPLES` resamples leave to chance. Columns are then taken one at a time and not kept.

    Args:
        columns: Columns over the same documents, by what they are called.
        seed: Seed of the resamples; all columns share them.
    """
    few: dict[Key, np.ndarray] = {}
    estimates: dict[Key, Estimate] = {}
    for key, column in columns:
        if len(column) >= MANY:
            numbers = column[~np.isnan(column)]
            estimates[key] = _estimate(numbers, *_expanded_ends(numbers))
        else:
            few[key] = column
    if few:
        stacked = np.stack(list(few.values()), axis=1)
        for key, column, ends in zip(few, stacked.T, _resampled_ends(stacked, seed).T, strict=True):
            estimates[key] = _estimate(column[~np.isnan(column)], *ends)
    return estimates


def bootstrap_of_sums(
    columns: Shaped[np.ndarray, "documents columns"],
    statistic: Callable[[Float[np.ndarray, "rows columns"]], Float[np.ndarray, "rows statistics"]],
    seed: int,
) -> list[Estimate]:
    """Return statistics that follow from each column's sum over the documents, such as F1 from counts."""
    values = columns.astype(np.float64)
    whole = statistic(values.sum(0, keepdims=True))[0]
    if not len(values):
        return [Estimate(None, None, None, 0)] * len(whole)
    resampled = [statistic(counts @ values) for counts in _resample_counts(len(values), RESAMPLES, seed)]
    low, high = _ends(np.concatenate(resampled))
    return [
        Estimate(_number(value), _number(lowest), _number(highest), len(values))
        for value, lowest, highest in zip(whole, low, high, strict=True)
    ]


def quantiles_of(values: Float[np.ndarray, " documents"], quantiles: Sequence[float]) -> list[Estimate]:
    """Return quantiles of values among which infinity stands for "never", with their intervals.

    A quantile is the smallest value that at least that share of the documents does not exceed: always a value that
    occurs. NaN is left out.

    The interval is exact, the one of infinitely many resamples. The k-th smallest of n documents drawn again is at
    most the j-th smallest of all with the probability that k or more of n draws are among the first j, which is the
    distribution function of Beta(k, n - k + 1) at j / n.
    """
    values = np.sort(values[~np.isnan(values)])
    count = len(values)
    if not count:
        return [Estimate(None, None, None, 0) for _ in quantiles]
    estimates = []
    for quantile in quantiles:
        rank = max(int(np.ceil(quantile * count - ROUNDING)), 1)
        ends = (np.ceil(count * betaincinv(rank, count - rank + 1, tail) - ROUNDING) for tail in TAILS)
        low, high = (values[max(int(end), 1) - 1] for end in ends)
        estimates.append(Estimate(_number(values[rank - 1]), _number(low), _number(high), count))
    return estimates


def _resampled_ends(columns: Float[np.ndarray, "documents columns"], seed: int) -> Float[np.ndarray, "ends columns"]:
    """Return the ends of the intervals of means, from resamples of the documents; NaN where there is no number."""
    exists, width = ~np.isnan(columns), columns.shape[1]
    some = np.flatnonzero(~exists.all(0))
    summed = np.concatenate([np.where(exists, columns, 0.0), exists[:, some]], axis=1)
    sums = np.concatenate([counts @ summed for counts in _resample_counts(len(columns), RESAMPLES, seed)])
    drawn = np.full((len(sums), width), float(len(columns)))
    drawn[:, some] = sums[:, width:]
    with np.errstate(invalid="ignore"):
        return _ends(sums[:, :width] / drawn)


def _expanded_ends(numbers: Float[np.ndarray, " documents"]) -> Float[np.ndarray, " ends"]:
    """Return the same to second order; documents without a number change nothing to that order."""
    if not len(numbers):
        return np.full(len(TAILS), np.nan)
    mean = numbers.mean()
    residuals = numbers - mean
    squares = (residuals**2).sum()
    skewness = (residuals**3).sum() / squares**1.5 if squares > 0 else 0.0
    normal = ndtri(np.array(TAILS))
    ends = mean + np.sqrt(squares) / len(numbers) * (normal + skewness * (normal**2 - 1) / 6)
    return np.clip(ends, numbers.min(), numbers.max())


def _resample_counts(documents: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "chunk documents"]]:
    """Yield how often each document is drawn in each resample, a bounded chunk at a time."""
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK // max(documents, 1))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = generator.integers(0, max(documents, 1), size=(rows, documents)) + documents * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * documents).reshape(rows, documents).astype(np.float64)


def _ends(resampled: Float[np.ndarray, "resamples columns"]) -> Float[np.ndarray, "ends columns"]:
    """Return the ends of each column's interval, over the resamples in which it is a number; NaN where none is."""
    ordered = np.sort(resampled, axis=0)  # NaN comes last
    numbers = (~np.isnan(resampled)).sum(0)
    places = [np.maximum(np.ceil(tail * numbers - ROUNDING).astype(int) - 1, 0) for tail in TAILS]
    return np.stack([np.take_along_axis(ordered, place[None], axis=0)[0] for place in places])


def _estimate(numbers: Float[np.ndarray, " documents"], low: float, high: float) -> Estimate:
    return Estimate(_number(numbers.mean()) if len(numbers) else None, _number(low), _number(high), len(numbers))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
