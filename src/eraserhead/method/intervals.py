"""95 % intervals over documents that hold for few documents too (METHOD section 4, aggregates).

Nothing is drawn again: every interval is a closed form, so the same documents always give the same one, and many
documents cost little. ``tests/benchmarks/coverage.py`` shows how often each of them contains the truth. Where no
interval can be had, an estimate has its value and its count alone.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import ndtri, stdtrit
from scipy.stats import skew

from eraserhead.method.statistics import Estimate

TAIL = 0.025  # of a 95 % interval, on either side
NORMAL = float(ndtri(1 - TAIL))
FEWEST = 10  # documents that the interval of a mean needs
FEWEST_DIFFERENT = 5  # of them with another value than the median
ROUNDING = 1e-12  # of the largest number; what is no further apart does not differ
SYMMETRIC = 1e-9  # skewness of a mean below which nothing is to be corrected

Ends = tuple[float, float]


def mean_of(values: Float[np.ndarray, " documents"], least: float = -np.inf, most: float = np.inf) -> Estimate:
    """Return the mean over the documents where it is a number (not NaN), with its interval.

    The interval is that of Student's t after Hall's transformation (1992), which takes out what the skewness does to t.
    There is none for fewer than `FEWEST` documents, or where fewer than `FEWEST_DIFFERENT` differ from the median: they
    tell too little of how values vary.

    Args:
        values: A value for each document.
        least: The smallest value that there can be.
        most: The largest.
    """
    numbers = _numbers(values)
    count = len(numbers)
    if not _tell(numbers):
        return Estimate(float(numbers.mean()) if count else None, None, None, count)
    low, high = np.clip(_mean_ends(numbers), least, most)
    return Estimate(float(numbers.mean()), float(low), float(high), count)


def share_of(values: Float[np.ndarray, " documents"]) -> Estimate:
    """Return the mean over the documents where it is a number (not NaN) of values from 0 to 1, with its interval.

    Where every value is 0 or 1, the interval is Wilson's (1927). An average over a document's draws or labels varies
    less. Then it is the wider one of that of a mean (`mean_of`) and of Wilson's for the number of documents that would
    vary as much if their values were 0 or 1, with the quantile of Student's t for those that differ from the median. It
    is never wider than Wilson's for the number of documents there are, which suffices whatever the values.
    """
    numbers = _numbers(values)
    if not len(numbers):
        return Estimate(None, None, None, 0)
    return Estimate(float(numbers.mean()), *_share_ends(numbers), len(numbers))


def difference_of(values: Float[np.ndarray, " documents"], largest: float = 1.0) -> Estimate:
    """Return the mean over the documents of differences of shares, with its interval; NaN is left out.

    A difference is a positive part less a negative part, of which one is 0. Both are shares, and their intervals are
    put together by Newcombe's rule (1998) for paired shares.

    Args:
        values: The differences.
        largest: The largest difference that there can be, of either sign.
    """
    numbers = _numbers(values) / largest
    if not len(numbers):
        return Estimate(None, None, None, 0)
    more, less = np.maximum(numbers, 0), np.maximum(-numbers, 0)
    spread, difference = float(more.std() * less.std()), float(numbers.mean())
    correlation = float(-more.mean() * less.mean()) / spread if spread > 0 else 0.0
    (below_more, above_more), (below_less, above_less) = map(_distances, (more, less))
    low = max(difference - _together(below_more, above_less, correlation), -1.0)
    high = min(difference + _together(above_more, below_less, correlation), 1.0)
    return Estimate(largest * difference, largest * low, largest * high, len(numbers))


def difference_of_shares(first: Float[np.ndarray, " documents"], second: Float[np.ndarray, " documents"]) -> Estimate:
    """Return the mean of one column of values from 0 to 1 less that of another, each over the documents it has.

    A document may have a number in both, in one of them (NaN in the other) or in none. The intervals of both shares are
    put together by Newcombe's rule, with the correlation of what each document adds to the one and to the other.
    """
    numbers = [_numbers(first), _numbers(second)]
    if not all(map(len, numbers)):
        return Estimate(None, None, None, 0)
    added = [_added(values) for values in (first, second)]
    spread = float(np.sqrt((added[0] ** 2).sum() * (added[1] ** 2).sum()))
    correlation = float((added[0] * added[1]).sum()) / spread if spread > 0 else 0.0
    (below, above), (below_second, above_second) = map(_distances, numbers)
    difference = float(numbers[0].mean() - numbers[1].mean())
    low = max(difference - _together(below, above_second, correlation), -1.0)
    high = min(difference + _together(above, below_second, correlation), 1.0)
    return Estimate(difference, low, high, int((~np.isnan(first) | ~np.isnan(second)).sum()))


def _added(values: Float[np.ndarray, " documents"]) -> Float[np.ndarray, " documents"]:
    """Return what each document adds to the mean's distance from the truth; 0 where it has no number."""
    numbers = _numbers(values)
    return np.where(np.isnan(values), 0.0, values - numbers.mean()) / len(numbers)


def shares_of_sums(
    columns: Shaped[np.ndarray, "documents columns"],
    statistic: Callable[[Float[np.ndarray, "rows columns"]], Float[np.ndarray, "rows statistics"]],
) -> list[Estimate]:
    """Return statistics from 0 to 1 that follow from each column's sum over the documents, such as F1 from counts.

    The interval is Wilson's, as of a share, for the variance that the jackknife gives: leaving out one document after
    the other.
    """
    values, count = columns.astype(np.float64), len(columns)
    whole = statistic(values.sum(0, keepdims=True))[0]
    if not count:
        return [Estimate(None, None, None, 0)] * len(whole)
    pseudo = count * whole - (count - 1) * statistic(values.sum(0) - values)
    return [_score(float(value), own) for value, own in zip(whole, pseudo.T, strict=True)]


def _numbers(values: Float[np.ndarray, " documents"]) -> Float[np.ndarray, " numbers"]:
    return values[~np.isnan(values)]


def _different(numbers: Float[np.ndarray, " numbers"]) -> int:
    """Return how many differ from the median by more than rounding, of two in the middle the lower one."""
    middle = (len(numbers) - 1) // 2
    distances = np.abs(numbers - np.partition(numbers, middle)[middle])
    return int((distances > ROUNDING * np.abs(numbers).max()).sum())


def _tell(numbers: Float[np.ndarray, " numbers"]) -> bool:
    """Whether there are enough numbers, and enough that differ, to tell how they vary."""
    return len(numbers) >= FEWEST and _different(numbers) >= FEWEST_DIFFERENT


def _mean_ends(numbers: Float[np.ndarray, " numbers"]) -> Ends:
    count, mean = len(numbers), float(numbers.mean())
    error, student = float(numbers.std(ddof=1)) / np.sqrt(count), float(stdtrit(count - 1, 1 - TAIL))
    skewness = float(skew(numbers, bias=False)) / np.sqrt(count)
    low, high = (mean - error * _with_skewness(quantile, skewness) for quantile in (student, -student))
    return float(low), float(high)


def _with_skewness(quantile: float, skewness: float) -> float:
    """Return the t whose transform is a quantile of Student's t.

    The transform of t is ``t + a t^2 / 3 + a^2 t^3 / 27 + a / 6`` with ``a`` the skewness of the mean.
    """
    if abs(skewness) < SYMMETRIC:
        return quantile
    return 3 / skewness * (float(np.cbrt(1 + skewness * (quantile - skewness / 6))) - 1)


def _share_ends(numbers: Float[np.ndarray, " documents"]) -> Ends:
    share, variance, different = float(numbers.mean()), float(numbers.var()), _different(numbers)
    low, high = _wilson(share, float(len(numbers)), NORMAL)
    if variance > 0 and different > 1:
        alike = len(numbers) * share * (1 - share) / variance
        narrow = _wilson(share, alike, float(stdtrit(different - 1, 1 - TAIL)))
        others = [narrow, _mean_ends(numbers)] if _tell(numbers) else [narrow]
        low, high = max(low, min(first for first, _ in others)), min(high, max(last for _, last in others))
    return low, high


def _distances(numbers: Float[np.ndarray, " documents"]) -> Ends:
    """Return how far the ends of a share's interval are from it."""
    low, high = _share_ends(numbers)
    return float(numbers.mean()) - low, high - float(numbers.mean())


def _wilson(share: float, count: float, quantile: float) -> Ends:
    """Return Wilson's interval of a share of so many."""
    squared = quantile**2 / count
    middle = share + squared / 2
    half = quantile * np.sqrt(share * (1 - share) / count + squared / (4 * count))
    low, high = np.clip([(middle - half) / (1 + squared), (middle + half) / (1 + squared)], 0.0, 1.0)
    return min(float(low), share), max(float(high), share)


def _together(first: float, second: float, correlation: float) -> float:
    return float(np.sqrt(max(first**2 + second**2 - 2 * correlation * first * second, 0.0)))


def _score(value: float, pseudo: Float[np.ndarray, " documents"]) -> Estimate:
    count = len(pseudo)
    if not (_tell(pseudo) and 0 < value < 1):
        return Estimate(value, None, None, count)
    alike = count * value * (1 - value) / float(pseudo.var(ddof=1))
    return Estimate(value, *_wilson(value, alike, float(stdtrit(count - 1, 1 - TAIL))), count)
