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

    An annotator's marks are scores of 1 and 0. Where scores are equal, AUC and average precision are means over all
    orders of these components, so that they compare with those of rankings, which have no ties. NaN where no pair has
    something to compare.
    """
    count = marks.shape[1]
    both = marks.astype(np.int64) @ marks.T.astype(np.int64)
    sizes = np.diag(both)
    one, other = sizes[:, None], sizes[None, :]
    usable = ~np.eye(len(marks), dtype=bool) & (other > 0) & (other < count)
    recall = _divided(both, np.broadcast_to(other, both.shape), usable)
    false = _divided(one - both, np.broadcast_to(count - other, both.shape), usable)
    pairs = np.argwhere(usable).tolist()
    precision = np.array(
        [_tied_precision(int(sizes[a]), int(both[a, b]), int(sizes[b]), count) for a, b in pairs], dtype=np.float64
    )
    f1 = _divided(2 * both, one + other, usable)
    found = (precision, ((1 + recall - false) / 2)[usable], f1[usable])
    first, second, third = (float(values.mean()) if usable.any() else np.nan for values in found)
    return first, second, third


def _tied_precision(first: int, both: int, wanted: int, count: int) -> float:
    """Return the mean average precision over all orders in which `first` components come before the others.

    Args:
        first: How many come first, in any order among themselves.
        both: How many of these are wanted.
        wanted: How many are wanted of all.
        count: How many there are.
    """
    ahead = _precisions(0, 0, both, first)
    return (ahead + _precisions(first, both, wanted - both, count - first)) / wanted


def _precisions(before: int, found: int, wanted: int, count: int) -> float:
    """Return the mean sum of the precisions at the wanted ones of a group in any order, behind others.

    A wanted component at place k of the group has the others before it at random: ``(k - 1) / (count - 1)`` of the
    other wanted ones.
    """
    if not wanted:
        return 0.0
    place = np.arange(1, count + 1)
    ahead = (place - 1) * (wanted - 1) / max(count - 1, 1)
    return float(wanted / count * ((found + 1 + ahead) / (before + place)).sum())


def _divided(
    numerator: np.ndarray, denominator: np.ndarray, where: np.ndarray
) -> Float[np.ndarray, "rankings annotators"]:
    return np.divide(numerator, denominator, out=np.full(np.shape(numerator), np.nan), where=where)
