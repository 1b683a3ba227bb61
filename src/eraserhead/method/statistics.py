"""Estimates over documents with bootstrap intervals (METHOD section 4, aggregates)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

RESAMPLES = 1000
CONFIDENCE = 0.95
CHUNK = 400_000  # resample counts held at a time; bounds the memory whatever the number of documents


@dataclass(frozen=True)
class Estimate:
    """A number over documents with its bootstrap interval.

    Attributes:
        value: The estimate; None where no document has a number, or where a quantile falls among documents that
            never flip ("larger than everything").
        low: Lower end of the 95 % interval; None likewise.
        high: Upper end; None likewise.
        count: Number of documents in the estimate.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def bootstrap_means(columns: Float[np.ndarray, "documents columns"], seed: int) -> list[Estimate]:
    """Return the mean of each column over the documents where it is a number (not NaN)."""
    exists = ~np.isnan(columns)
    values = np.concatenate([np.where(exists, columns, 0.0), exists], axis=1)
    sums = np.concatenate([counts @ values for counts in _resample_counts(len(columns), RESAMPLES, seed)])
    with np.errstate(invalid="ignore"):
        means = np.split(sums, 2, axis=1)[0] / np.split(sums, 2, axis=1)[1]
    return [
        _estimate(_mean(columns[exists[:, column], column]), means[:, column], int(exists[:, column].sum()))
        for column in range(columns.shape[1])
    ]


def bootstrap_of_sums(
    columns: Shaped[np.ndarray, "documents columns"],
    statistic: Callable[[Float[np.ndarray, "rows columns"]], Float[np.ndarray, "rows statistics"]],
    seed: int,
) -> list[Estimate]:
    """Return statistics that follow from each column's sum over the documents, such as F1 from counts."""
    values = columns.astype(np.float64)
    if not len(values):
        return [Estimate(None, None, None, 0)] * statistic(values.sum(0, keepdims=True)).shape[1]
    resampled = np.concatenate(
        [statistic(counts @ values) for counts in _resample_counts(len(values), RESAMPLES, seed)]
    )
    whole = statistic(values.sum(0, keepdims=True))[0]
    return [_estimate(whole[place], resampled[:, place], len(values)) for place in range(len(whole))]


def bootstrap_quantiles(
    values: Float[np.ndarray, " documents"], quantiles: Sequence[float], seed: int, resamples: int = RESAMPLES
) -> list[Estimate]:
    """Return quantiles of values among which infinity stands for "never".

    A quantile is the smallest value that at least that share of the documents does not exceed: always a value that
    occurs. NaN is left out.
    """
    values = np.sort(values[~np.isnan(values)])
    if not len(values):
        return [Estimate(None, None, None, 0) for _ in quantiles]
    resampled = np.concatenate(
        [_quantile(values, counts, quantiles) for counts in _resample_counts(len(values), resamples, seed)]
    )
    whole = _quantile(values, np.ones((1, len(values))), quantiles)[0]
    return [_estimate(whole[index], resampled[:, index], len(values)) for index in range(len(quantiles))]


def compare(
    first: Float[np.ndarray, "documents #draws"], second: Float[np.ndarray, "documents #draws"]
) -> Float[np.ndarray, "documents 3"]:
    """Return for each document the shares of draws in which `first` is strictly smaller, equal, and larger.

    Infinity stands for "never", so that a flip beats a never and two nevers tie.
    """
    first, second = np.broadcast_arrays(first, second)
    return np.stack([(first < second).mean(1), (first == second).mean(1), (first > second).mean(1)], axis=1)


def widening(values: Float[np.ndarray, "documents draws quantities"], draws: int) -> Float[np.ndarray, " quantities"]:
    """Return by what share so many random draws a document widen the interval of a mean, against endlessly many.

    A document's values vary over its draws with variance w, and over documents their expectations with b. The mean of d
    draws varies with ``b + w / d``, so an interval is ``sqrt(1 + w / (b d))`` times as wide as without draws. b is
    estimated as the variance of the means of the draws there are, less what those draws add to it; infinity where
    nothing is left. NaN with fewer than two draws, or two documents.
    """
    documents, given = values.shape[:2]
    if documents < 2 or given < 2:
        return np.full(values.shape[2], np.nan)
    within = values.var(axis=1, ddof=1).mean(0)
    between = values.mean(1).var(0, ddof=1) - within / given
    wider = np.sqrt(1 + within / np.where(between > 0, between * draws, 1.0)) - 1
    return np.where(within == 0, 0.0, np.where(between > 0, wider, np.inf))


def ranking_auc(order: Int[np.ndarray, " components"], relevant: Bool[np.ndarray, " components"]) -> float | None:
    """Return the ROC AUC: how often a relevant component precedes an irrelevant one; None where either is missing."""
    hits = relevant[order]
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        return None
    return float((np.cumsum(hits)[~hits]).sum() / (positives * negatives))


def _mean(values: Float[np.ndarray, " documents"]) -> float:
    return float(values.mean()) if len(values) else np.nan


def _resample_counts(documents: int, resamples: int, seed: int) -> Iterator[Float[np.ndarray, "chunk documents"]]:
    """Yield how often each document is drawn in each resample, a bounded chunk at a time."""
    generator = np.random.default_rng(seed)
    chunk = max(1, CHUNK // max(documents, 1))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        drawn = generator.integers(0, max(documents, 1), size=(rows, documents)) + documents * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * documents).reshape(rows, documents).astype(np.float64)


def _quantile(
    values: Float[np.ndarray, " documents"], counts: Float[np.ndarray, "chunk documents"], quantiles: Sequence[float]
) -> Float[np.ndarray, "chunk quantiles"]:
    cumulative = counts.cumsum(axis=1)
    targets = np.asarray(quantiles) * cumulative[:, -1:]
    index = [(cumulative >= targets[:, [column]] - 1e-9).argmax(axis=1) for column in range(len(quantiles))]
    return np.stack([values[positions] for positions in index], axis=1)


def _estimate(value: float, resampled: Float[np.ndarray, " resamples"], count: int) -> Estimate:
    resampled = resampled[~np.isnan(resampled)]
    if not len(resampled):
        return Estimate(_number(value), None, None, count)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(_number(value), _number(low), _number(high), count)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
