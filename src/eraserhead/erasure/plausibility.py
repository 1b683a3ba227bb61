"""Compares the orders of a shard with what people marked as evidence, where the data says so (METHOD section 15)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from eraserhead.data.rationales import Annotators
from eraserhead.erasure.analysed import ranges
from eraserhead.method.plausibility import agreement, ceiling

MEASURES = ("average_precision", "auc", "f1")


@dataclass(frozen=True)
class Marks:
    """What annotators marked among the components that stand in a text; others, such as [CLS], cannot be marked.

    Attributes:
        row: The row that each annotator belongs to, ascending, ``[annotators]``.
        marked: Marks of all components of their rows, one annotator after the other.
        lengths: Number of components of each annotator's row, ``[annotators]``.
    """

    row: np.ndarray
    marked: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(
        cls,
        rationales: Sequence[Annotators | None],
        starts: Int[np.ndarray, " components"],
        ends: Int[np.ndarray, " components"],
        lengths: Int[np.ndarray, " rows"],
    ) -> "Marks":
        """Return which components share a character with an annotator's spans.

        Args:
            rationales: What the annotators of each row marked; None where there are none.
            starts: Offsets of all components in their texts, row after row.
            ends: Offsets behind their last characters.
            lengths: Number of components of each row.
        """
        own = [(row, spans) for row, annotators in enumerate(rationales) for spans in annotators or ()]
        row = np.array([row for row, _ in own], dtype=np.int64)
        places = ranges((lengths.cumsum() - lengths)[row], lengths[row])
        marked = _overlapping([spans for _, spans in own], starts[places], ends[places], lengths[row])
        return cls(row, marked, lengths[row])


def order_agreement(
    marks: Marks,
    orders: Int[np.ndarray, "orders components"],
    lengths: Int[np.ndarray, " rows"],
    in_text: Bool[np.ndarray, " components"],
) -> dict[str, Float[np.ndarray, "orders rows"]]:
    """Return for each order and row the mean agreement with its annotators, by measure; NaN where there is none.

    Args:
        marks: What the annotators marked.
        orders: Along each order, which component of its row comes in each place, row after row.
        lengths: Number of components of each row.
        in_text: Whether a component stands in the text; the others are left out of the orders.
    """
    starts = (lengths.cumsum() - lengths)[marks.row]
    places = ranges(starts, marks.lengths)  # of the components of each annotator's row, among all rows'
    own = np.repeat(marks.lengths.cumsum() - marks.lengths, marks.lengths)  # where each annotator's marks begin
    taken = orders[:, places]
    stands = in_text[np.repeat(starts, marks.lengths) + taken]
    hits = marks.marked[own + taken][stands].reshape(len(orders), -1)
    shown = _counted(in_text[places], marks.lengths)
    found = agreement(hits, shown, _sizes(marks, in_text[places], len(lengths)))
    return {measure: _mean_over(getattr(found, measure), marks.row, len(lengths)) for measure in MEASURES}


def annotator_ceiling(
    marks: Marks, lengths: Int[np.ndarray, " rows"], in_text: Bool[np.ndarray, " components"]
) -> dict[str, Float[np.ndarray, " rows"]]:
    """Return how well the annotators of each row agree with each other, by measure; NaN with fewer than two."""
    found = np.full((len(MEASURES), len(lengths)), np.nan)
    counts = np.bincount(marks.row, minlength=len(lengths))
    ends, firsts = marks.lengths.cumsum(), lengths.cumsum() - lengths
    last = counts.cumsum()
    for row in np.flatnonzero((counts > 1) & (lengths > 0)):
        begin = ends[last[row] - counts[row]] - lengths[row]
        own = marks.marked[begin : begin + counts[row] * lengths[row]].reshape(counts[row], lengths[row])
        found[:, row] = ceiling(own[:, in_text[firsts[row] : firsts[row] + lengths[row]]])
    return dict(zip(MEASURES, found, strict=True))


def annotators(rationales: Sequence[Annotators | None]) -> list[int | None]:
    """Return how many annotators each row has; None where nobody looked at it."""
    return [None if own is None else len(own) for own in rationales]


def _sizes(marks: Marks, in_text: np.ndarray, rows: int) -> Int[np.ndarray, " annotators"]:
    """Return for each annotator how many components the annotators of its row mark on average, rounded."""
    marked = _counted(marks.marked & in_text, marks.lengths)
    sums, counts = (np.bincount(marks.row, weights, minlength=rows) for weights in (marked, np.ones(len(marks.row))))
    return np.rint(sums / np.maximum(counts, 1)).astype(np.int64)[marks.row]


def _counted(values: np.ndarray, lengths: np.ndarray) -> Int[np.ndarray, " annotators"]:
    which = np.repeat(np.arange(len(lengths)), lengths)
    return np.bincount(which, values, minlength=len(lengths)).astype(np.int64)


def _mean_over(values: np.ndarray, rows: np.ndarray, count: int) -> Float[np.ndarray, "orders rows"]:
    """Average over the annotators of each row that have a number."""
    exists = ~np.isnan(values)
    sums, numbers = (
        np.stack([np.bincount(rows, row, minlength=count) for row in of])
        for of in (np.where(exists, values, 0.0), exists.astype(float))
    )
    return np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan)


def _overlapping(
    spans: Sequence[Sequence[dict[str, int]]], starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray
) -> Bool[np.ndarray, " components"]:
    counts = np.array([len(own) for own in spans], dtype=np.int64)
    pairs = ranges(np.repeat(lengths.cumsum() - lengths, counts), np.repeat(lengths, counts))  # components by span
    first, last = (
        np.repeat(np.array([span[edge] for own in spans for span in own], dtype=np.int64), np.repeat(lengths, counts))
        for edge in ("start", "end")
    )
    found = np.zeros(len(starts), dtype=bool)
    found[pairs[(starts[pairs] < last) & (ends[pairs] > first)]] = True
    return found
