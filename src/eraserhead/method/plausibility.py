"""How well a ranking agrees with what people marked as evidence (METHOD section 15): plausible is not faithful."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from eraserhead.method.statistics import rankings_auc


@dataclass(frozen=True)
class Agreement:
    """How well rankings, or an annotator, agree with an annotator's marks; NaN where nothing, or everything, is marked.

    Attributes:
        average_precision: Mean, over the marked components, of the precision among those that come no later.
        auc: How often a marked component precedes another one.
        f1: F1 of the first components, as many as annotators mark on average, against the marked ones.
    """

    average_precision: np.ndarray
    auc: np.ndarray
    f1: np.ndarray


def agreement(
    hits: Bool[np.ndarray, "rankings components"],
    lengths: Int[np.ndarray, " annotators"],
    sizes: Int[np.ndarray, " annotators"],
) -> Agreement:
    """Return how well rankings agree with annotators, ``[rankings, annotators]`` each.

    Args:
        hits: Whether the component at each place of a ranking is marked: those of an annotator's document, one
            annotator after the other.
        lengths: Number of components of each annotator's document.
        sizes: How many of the first components F1 looks at; with 0 it is NaN.
    """
    annotators = np.repeat(np.arange(len(lengths)), lengths)
    starts = lengths.cumsum() - lengths
    rank = np.arange(hits.shape[1]) - np.repeat(starts, lengths) + 1

    def summed(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(annotators, row, minlength=len(lengths)) for row in values])

    marked = summed(hits)
    so_far = hits.cumsum(-1) - np.repeat(marked.cumsum(-1) - marked, lengths, axis=-1)
    usable = (marked > 0) & (marked < lengths)
    precision = _divided(summed(hits * so_far / rank), marked, usable)
    found = summed(hits & (rank <= np.repeat(sizes, lengths)))
    return Agreement(
        average_precision=precision,
        auc=rankings_auc(hits, lengths),
        f1=_divided(2 * found, marked + sizes, usable & (sizes > 0)),
    )


def ceiling(marks: Bool[np.ndarray, "annotators components"]) -> tuple[float, float, float]:
    """Return how well a document's annotators agree: mean average precision, AUC and F1 of each against each other.

    An annotator's marks are scores of 1 and 0; components of equal score count half for AUC, and together for average
    precision, as in scikit-learn. NaN where no pair has something to compare.
    """
    count = marks.shape[1]
    both = marks.astype(np.int64) @ marks.T.astype(np.int64)
    sizes = np.diag(both)
    one, other = sizes[:, None], sizes[None, :]
    usable = ~np.eye(len(marks), dtype=bool) & (other > 0) & (other < count)
    recall = _divided(both, np.broadcast_to(other, both.shape), usable)
    exact = np.divide(both, one, out=np.zeros(both.shape), where=np.broadcast_to(one > 0, both.shape))
    false = _divided(one - both, np.broadcast_to(count - other, both.shape), usable)
    precision = recall * exact + (1 - recall) * other / max(count, 1)
    f1 = _divided(2 * both, one + other, usable)
    means = [values[usable].mean() if usable.any() else np.nan for values in (precision, (1 + recall - false) / 2, f1)]
    return float(means[0]), float(means[1]), float(means[2])


def _divided(
    numerator: np.ndarray, denominator: np.ndarray, where: np.ndarray
) -> Float[np.ndarray, "rankings annotators"]:
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=where)
