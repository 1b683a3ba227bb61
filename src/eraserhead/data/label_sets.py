"""Gold labels of documents that may have several: a column of lists, or a column of 0 and 1 for each label."""

import json
import logging
from ast import literal_eval
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets.table import InMemoryTable
from numpy.typing import NDArray

from eraserhead.data.arrow import arrow_table
from eraserhead.data.labels import NO_LABEL, LabelTable, RawLabels, class_indices, numbered, read_labels
from eraserhead.errors import Setting, UserError, listed

logger = logging.getLogger("eraserhead")

LABELS = "labels"  # column of a document's labels; null where they are unknown
FEATURE = List(Value("int64"))
STATES = {"0": False, "1": True, "false": False, "true": True}  # of a label, as a column of its own writes them
LABEL_COLUMNS = Setting("data.label_columns")
EXPECTED = (
    '; expected a list for each document, such as ["a", "b"] or [0, 2], or a column of 0 and 1 for each label: ',
    LABEL_COLUMNS,
)


class NoLabelSetsError(UserError):
    """A column of labels holds one for each document, and no lists."""


@dataclass(frozen=True)
class RawLabelSets:
    """The labels of one split, as the source writes them.

    Attributes:
        flat: All labels, row after row.
        counts: How many each row has; `NO_LABEL` where they are unknown.
        in_columns: Whether each label has a column of its own, so that of a label without one nothing is known.
        readable: Whether there are lists or columns to read them from.
    """

    flat: RawLabels
    counts: NDArray[np.int64]
    in_columns: bool = False
    readable: bool = True

    @classmethod
    def absent(cls, rows: int) -> "RawLabelSets":
        """Return the labels of a split that has none."""
        return cls(RawLabels.absent(0), np.full(rows, NO_LABEL, dtype=np.int64), readable=False)

    @property
    def known(self) -> bool:
        """True where there are values or names to make a table from."""
        return self.flat.known

    @property
    def nowhere(self) -> bool:
        """True where the labels of no row are known, though there are lists or columns of them."""
        return self.readable and bool((self.counts == NO_LABEL).all())

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each label."""
        return np.repeat(np.arange(len(self.counts)), np.maximum(self.counts, 0))


def read_label_sets(
    rows: Dataset, columns: Sequence[str], split: str, no_label: Sequence[str] | None = None
) -> RawLabelSets:
    """Read a column of lists, or several columns of 0 and 1, whose names are the labels.

    A list holds names or numbers, each once; a text may hold one as JSON writes it. Null and the empty text are no
    list: the labels are unknown. An empty list is known to have none. A label that `no_label` names makes the labels of
    its row unknown, in a list as in a column of 0 and 1; so does -1 where it names nothing, in a list alone.

    Raises:
        NoLabelSetsError: The one column holds no lists.
        UserError: A column holds something else; the message names a value and its row.
    """
    if len(columns) == 1:
        return _of_lists(rows, columns[0], split, no_label)
    return _of_columns(rows, columns, split, no_label)


def read_raw_labels(
    rows: Dataset,
    columns: Sequence[str],
    split: str,
    no_label: Sequence[str] | None,
    multi_label: bool,
    optional: bool = False,
) -> RawLabels | RawLabelSets:
    """Read the labels of a split: none without columns, one for each document, or several.

    Raises:
        UserError: A column holds something else; where labels are `optional`, one without lists is left out instead.
    """
    if not columns:
        return RawLabelSets.absent(len(rows)) if multi_label else RawLabels.absent(len(rows))
    if not multi_label:
        return read_labels(rows, columns[0], split, no_label)
    try:
        return read_label_sets(rows, columns, split, no_label)
    except NoLabelSetsError as error:
        if not optional:
            raise
        logger.info("%s", UserError("no accuracy is reported: ", error))
        return RawLabelSets.absent(len(rows))


def classes_and_sets(
    raw: RawLabels | RawLabelSets, table: LabelTable | None, split: str
) -> tuple[NDArray[np.int64], Sequence[list[int] | None] | None]:
    """Return the class of every row, or what stands for it in samples, its rarest label, beside all its labels."""
    if isinstance(raw, RawLabels):
        return class_indices(raw, table, split) if table else raw.codes, None
    if table is None:
        return raw.counts, [None] * len(raw.counts)
    sets = label_sets(raw, table, split)
    return rarest_labels(sets, len(table.names)), sets


def label_sets(raw: RawLabelSets, table: LabelTable, split: str) -> list[list[int] | None]:
    """Return the ascending label numbers of every row; None where they are unknown.

    Raises:
        UserError: A label is none of the table's; the message names it, its row and the labels. Or a label of the
            table has no column, where each has its own.
    """
    if raw.in_columns:
        once = replace(raw.flat, codes=np.arange(len(raw.flat.values)))
        check_columns([table.names[label] for label in class_indices(once, table, split)], table.names)
    found = class_indices(raw.flat, table, split, raw.rows)
    ends = np.maximum(raw.counts, 0).cumsum()
    return [
        None if count == NO_LABEL else sorted(set(found[end - count : end].tolist()))
        for end, count in zip(ends, raw.counts, strict=True)
    ]


def check_columns(columns: Sequence[str], names: Sequence[str], setting: Setting = LABEL_COLUMNS) -> None:
    """Refuse columns of 0 and 1 that leave out labels of the model: whether a document has these is not known.

    Raises:
        UserError: Naming them.
    """
    missing = [name for name in names if name not in columns]
    if missing:
        raise UserError(
            f"{len(missing)} of the model's {len(names)} labels have no column ({listed(missing)}); name a column for "
            "each label with ",
            setting,
        )


def rarest_labels(sets: Sequence[Sequence[int] | None], labels: int) -> NDArray[np.int64]:
    """Return each row's rarest label, by which samples are stratified; `labels` for none, `NO_LABEL` where unknown."""
    counts = np.bincount([label for own in sets for label in own or ()], minlength=labels)
    return np.array(
        [
            NO_LABEL if own is None else min(own, key=lambda label: (counts[label], label), default=labels)
            for own in sets
        ],
        dtype=np.int64,
    )


def with_label_sets(documents: Dataset, sets: Sequence[Sequence[int] | None]) -> Dataset:
    """Add the column of labels to documents."""
    column: Any = list(sets)
    return documents.add_column(LABELS, column, feature=FEATURE)  # pyright: ignore[reportCallIssue] - its stub is older


def _of_lists(rows: Dataset, column: str, split: str, no_label: Sequence[str] | None) -> RawLabelSets:
    lists, inner = arrow_table(rows, [column]).column(column).combine_chunks(), rows.features[column]
    if _is_text(lists.type):
        lists = _parsed(lists.to_pylist(), column, split)
    kind = getattr(lists.type, "value_type", None)
    if kind is None or not (pa.types.is_integer(kind) or _is_text(kind) or pa.types.is_null(kind)):
        raise NoLabelSetsError(f"label column '{column}' holds {lists.type}", *EXPECTED)
    counts = np.asarray(lists.value_lengths().fill_null(NO_LABEL), dtype=np.int64)
    flat = lists.flatten().cast(pa.string()) if pa.types.is_null(kind) else lists.flatten()
    values = Dataset(InMemoryTable(pa.table({column: flat})))
    inner = getattr(inner, "feature", None)
    values = values.cast(Features({column: inner})) if isinstance(inner, ClassLabel) else values
    raw = RawLabelSets(read_labels(values, column, split, no_label), counts)
    _check_lists(raw, flat, no_label is not None, f"label column '{column}': the list of document {split}/")
    return _without(raw, np.unique(raw.rows[raw.flat.codes == NO_LABEL]))


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _check_lists(raw: RawLabelSets, flat: pa.Array, may_mix: bool, start: str) -> None:
    """Refuse a list with an empty label or one that occurs twice, or, unless it `may_mix` them, with -1 beside others.

    A list that has a label twice is one of 0 and 1 for each label, whose numbers would be taken for labels.
    """
    codes, rows = raw.flat.codes, raw.rows
    empty = np.asarray(flat.cast(pa.string()).fill_null("")) == ""
    mixed = (codes == NO_LABEL) & (raw.counts[rows] > 1) & (not may_mix)
    if empty.any():
        raise UserError(f"{start}{rows[empty][0]} has an empty label")
    if mixed.any():
        leave = Setting("data.no_label", [str(NO_LABEL)])
        raise UserError(
            f"{start}{rows[mixed][0]} has -1 among its labels; if its labels are then unknown, give ", leave
        )
    pairs, times = np.unique(np.stack([rows, codes], axis=1), axis=0, return_counts=True)
    if len(twice := pairs[times > 1]):
        row, code = twice[0]
        value = raw.flat.values[code] if code != NO_LABEL else code
        raise UserError(f"{start}{row} has {value} twice", *EXPECTED)


def _without(raw: RawLabelSets, unknown: NDArray[np.int64]) -> RawLabelSets:
    """Return the labels with those of some rows unknown."""
    counts = raw.counts.copy()
    counts[unknown] = NO_LABEL
    return RawLabelSets(raw.flat.of(~np.isin(raw.rows, unknown)), counts)


def _parsed(texts: Sequence[str | None], column: str, split: str) -> pa.ListArray:
    """Read lists that are written as text, in JSON or as Python writes them."""
    read = [_as_list(text) if text and text.strip() else None for text in texts]
    wrong = [row for row, own in enumerate(read) if own is not None and not _is_list_of_labels(own)]
    if wrong and len(wrong) == sum(own is not None for own in read):
        raise NoLabelSetsError(f"label column '{column}' holds texts such as '{texts[wrong[0]]}'", *EXPECTED)
    if wrong:
        row = wrong[0]
        raise UserError(f"label column '{column}': document {split}/{row} has '{texts[row]}'", *EXPECTED)
    return pa.array([None if own is None else list(map(str, own)) for own in read], pa.list_(pa.string()))


def _is_list_of_labels(found: Any) -> bool:
    return isinstance(found, list) and all(type(each) in (str, int) and each != "" for each in found)


def _as_list(text: str) -> Any:
    for read in (json.loads, literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return read(text)
    return text


def _of_columns(rows: Dataset, columns: Sequence[str], split: str, no_label: Sequence[str] | None) -> RawLabelSets:
    states = np.stack([_states(rows, column, split, no_label) for column in columns], axis=1)
    known = (states != NO_LABEL).all(1)
    on = (states == 1) & known[:, None]
    names = numbered(columns)
    flat = RawLabels(tuple(names), np.nonzero(on)[1].astype(np.int64), names)
    return RawLabelSets(flat, np.where(known, on.sum(1), NO_LABEL).astype(np.int64), in_columns=True)


def _states(rows: Dataset, column: str, split: str, no_label: Sequence[str] | None) -> NDArray[np.int64]:
    """Return a column's 0 and 1, `NO_LABEL` where it has neither."""
    raw = read_labels(rows, column, split, no_label)
    wrong = next((place for place, value in enumerate(raw.values) if value.casefold() not in STATES), None)
    if wrong is not None:
        row = int(np.argmax(raw.codes == wrong))
        raise UserError(
            Setting("data.label_columns"), f": document {split}/{row} has {raw.values[wrong]} in '{column}', not 0 or 1"
        )
    of_values = [int(STATES[value.casefold()]) for value in raw.values]
    return np.array([*of_values, NO_LABEL], dtype=np.int64)[raw.codes]
