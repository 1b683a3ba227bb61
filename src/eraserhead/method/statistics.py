"""What is counted over documents (METHOD section 4, aggregates); light imports alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

FEW = 30  # documents, below which an estimate says that they are few


@dataclass(frozen=True)
class Estimate:
    """A number over documents with its 95 % interval.

    Attributes:
        value: The estimate; None where no document has a number, or where a quantile falls among documents that
            never flip ("larger than everything").
        low: Lower end of the 95 % interval; None likewise, and beside a value where so few documents give no interval.
        high: Upper end; None likewise.
        count: Number of documents in the estimate.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval; its ends may be larger than everything."""
        return self.low is not None or (self.value is None and self.count > 0)

    @property
    def of_few(self) -> bool:
        """Whether it is over fewer than `FEW` documents, and over any."""
        return 0 < self.count < FEW


def compare(
    first: Float[np.ndarray, "documents #draws"], second: Float[np.ndarray, "documents #draws"]
) -> Float[np.ndarray, "documents 3"]:
    """Return for each document the shares of draws in which `first` is strictly smaller, equal, and larger.

    Infinity stands for "never", so that a flip beats a never and two nevers tie.
    """
    first, second = np.broadcast_arrays(first, second)
    return np.stack([(first < second).mean(1), (first == second).mean(1), (first > second).mean(1)], axis=1)


def widening(values: Float[np.ndarray, "documents draws"], draws: int) -> float:
    """Return by what share so many random draws a document widen the interval of a mean, against endlessly many.

    A document's values vary over its draws with variance w, and over documents their expectations with b. The mean of d
    draws varies with ``b + w / d``, so an interval is ``sqrt(1 + w / (b d))`` times as wide as without draws. b is
    estimated as the variance of the means of the draws there are, less what those draws add to it; infinity where
    nothing is left. NaN with fewer than two draws, or two documents.
    """
    documents, given = values.shape[:2]
    if documents < 2 or given < 2:
        return np.nan
    within = float(values.var(axis=1, ddof=1).mean())
    between = float(values.mean(1).var(ddof=1)) - within / given
    if within == 0:
        return 0.0
    return float(np.sqrt(1 + within / (between * draws)) - 1) if between > 0 else np.inf


def holm(p_values: Float[np.ndarray, " comparisons"]) -> Float[np.ndarray, " comparisons"]:
    """Return p-values that hold for all comparisons together (Holm 1979): each is at least as large as before.

    The smallest is multiplied by the number of comparisons, the next by one less, and so on; none falls below one that
    was smaller before, and none exceeds 1.
    """
    order = p_values.argsort(kind="stable")
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1)).clip(max=1.0)
    return corrected


def rankings_auc(
    hits: Bool[np.ndarray, "rankings components"], lengths: Int[np.ndarray, " documents"]
) -> Float[np.ndarray, "rankings documents"]:
    """Return the ROC AUC of each ranking: how often a relevant component precedes an irrelevant one.

    Args:
        hits: Whether the component at each place of a ranking is relevant, document after document.
        lengths: Number of components of each document.

    Returns:
        NaN where a document has no relevant component, or no other.
    """
    documents = np.repeat(np.arange(len(lengths)), lengths)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(documents, row, minlength=len(lengths)) for row in values])

    positives, negatives = summed(hits), summed(~hits)
    before = hits.cumsum(-1) - np.repeat(positives.cumsum(-1) - positives, lengths, axis=-1)  # relevant ones so far
    pairs = positives * negatives
    return np.divide(summed(np.where(hits, 0, before)), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
