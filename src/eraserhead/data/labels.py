"""Gold classes: an explicit table turns the values of a label column into class indices."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset
from numpy.typing import NDArray

from eraserhead.data.arrow import arrow_table
from eraserhead.errors import Setting, UserError, listed, nearest
from eraserhead.models.architecture import MULTI_LABEL

NO_LABEL = -1  # in arrays of class indices, and in the test splits of the hub; stored columns hold null instead
MOST_ABSENT = 2  # classes of a named set that may be missing where the labels are numbers
MEANS_NONE = (str(NO_LABEL),)  # where the user does not say which labels mean none
DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
LIST = re.compile(r"\[.*\]", re.DOTALL)  # as a set of labels may be written
BLANKS = {"nan", "none", "null", "na", "n/a", "nil", "missing", "unlabeled", "unlabelled"}
DESCRIBED = 12  # classes that `LabelTable.describe` writes out

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class LabelTable:
    """How raw labels become class indices.

    Attributes:
        names: Class names, in the order of the indices.
        mapping: Class index of every raw value, written as text (``{"1": 0, "2": 1}``).
        by_name: Whether a column that has class names of its own is read by them instead of `mapping`, where all of
            them are in `names`.
        absent: Classes without documents, where the names do not come from the labels themselves.
    """

    names: tuple[str, ...]
    mapping: dict[str, int]
    by_name: bool = True
    absent: tuple[str, ...] = ()

    def describe(self) -> str | None:
        """Return one line with the class index of each raw value, and the absent classes.

        None where every raw value is its own class index and no class is absent.
        """
        if not self.absent and all(raw == str(index) for raw, index in self.mapping.items()):
            return None
        pairs = [self._pair(raw, index) for raw, index in self.mapping.items()]
        more = f", ... ({len(pairs)} values)" if len(pairs) > DESCRIBED else ""
        missing = f"; classes without documents: {listed(self.absent)}" if self.absent else ""
        return "labels: " + ", ".join(pairs[:DESCRIBED]) + more + missing

    def _pair(self, raw: str, index: int) -> str:
        name = self.names[index]
        return f"{raw} -> {index}" if name == raw else f"{raw} -> {index} ({name})"


@dataclass(frozen=True)
class RawLabels:
    """The label column of one split, as the source writes it.

    Attributes:
        values: The distinct values as text: whole numbers in numerical order, other text in alphabetical order.
        codes: For every row its position in `values`, or `NO_LABEL`.
        class_names: Names that the source itself gives to values, those without rows too; empty where it gives none.
    """

    values: tuple[str, ...]
    codes: NDArray[np.int64]
    class_names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def absent(cls, rows: int) -> "RawLabels":
        """Return the labels of a split that has no label column."""
        return cls((), np.full(rows, NO_LABEL, dtype=np.int64))

    @property
    def known(self) -> bool:
        """True where there are values or names to make a table from."""
        return bool(self.values or self.class_names)

    @property
    def nowhere(self) -> bool:
        """True where no row has a label."""
        return bool((self.codes == NO_LABEL).all())

    def of(self, rows: NDArray[np.bool_]) -> "RawLabels":
        """Return the labels of some rows, which all have one, with the values that occur there."""
        present, codes = np.unique(self.codes[rows], return_inverse=True)
        return RawLabels(tuple(self.values[place] for place in present), codes.astype(np.int64), self.class_names)


def numbered(names: Sequence[str]) -> dict[str, str]:
    """Return the names of the values 0, 1, ...."""
    return {str(number): name for number, name in enumerate(names)}


def read_labels(rows: Dataset, column: str, split: str, no_label: Sequence[str] | None = None) -> RawLabels:
    """Read a label column of integers, whole floats, booleans or strings.

    Null, NaN and the empty string are no label; so is what `no_label` names, -1 where it names nothing. A column of
    texts that are all whole numbers, such as ``1.0``, is read as these numbers. Where the column has names for its
    values, `no_label` may give names or values; a class that it names is no class.

    Raises:
        UserError: If the column holds anything else; the message names a value and its row. Or if `no_label` names no
            value of a column whose values all have names.
    """
    encoded = _dictionary(rows, column)
    positions = np.asarray(encoded.indices.fill_null(NO_LABEL), dtype=np.int64)
    distinct = _numbers(encoded.dictionary.to_pylist())
    if (refused := next((place for place, value in enumerate(distinct) if not _is_label(value)), None)) is not None:
        row = int(np.argmax(positions == refused))
        raise UserError(
            f"label column '{column}': document {split}/{row} has {distinct[refused]}; "
            "expected integers, whole floats, booleans or strings"
        )
    feature = rows.features[column]
    names = numbered(feature.names) if isinstance(feature, ClassLabel) else {}
    absent = _absent(names, column, no_label)
    keys = [None if _is_one_of(absent, value) else _key(value) for value in distinct]
    values = _ordered({key for key in keys if key is not None})
    places = {value: place for place, value in enumerate(values)}
    codes = np.array([NO_LABEL if key is None else places[key] for key in keys] + [NO_LABEL], dtype=np.int64)
    known = {value: name for value, name in names.items() if value not in absent}
    return RawLabels(values, codes[positions], known)


def label_table(raw: RawLabels, known_names: tuple[str, ...] = ()) -> LabelTable:
    """Make the table of a split: the source's own class names, else `known_names` where they fit, else the values.

    `known_names` fit where the values are among those names, or are as many consecutive whole numbers from 0 or 1. Up
    to `MOST_ABSENT` numbers may be missing at one end, if the other end shows whether they start at 0 or 1.
    """
    if raw.class_names:
        return LabelTable(tuple(raw.class_names.values()), {value: i for i, value in enumerate(raw.class_names)})
    if known_names and (fitted := _fit(raw.values, known_names)):
        present = {fitted[value] for value in raw.values}
        absent = tuple(name for index, name in enumerate(known_names) if index not in present)
        return LabelTable(known_names, fitted, absent=absent)
    return LabelTable(raw.values, {value: index for index, value in enumerate(raw.values)})


def class_indices(
    raw: RawLabels, table: LabelTable, split: str, rows: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the class index of every row, `NO_LABEL` where it has none; `rows` numbers them, where a row has several.

    A column with class names of its own is read by name where `table` knows those names, so that two sources that
    number the same classes differently agree; otherwise its numbers are looked up in ``table.mapping``.

    Raises:
        UserError: If a label is none of the table's classes; the message names the value, the row and the classes.
    """
    mapping = _mapping_by_name(raw.class_names, table)
    found = [mapping.get(value) for value in raw.values]
    for place, (value, index) in enumerate(zip(raw.values, found, strict=True)):
        if index is None:
            row = int(np.argmax(raw.codes == place))
            row = row if rows is None else int(rows[row])
            raise UserError(f"label {value} of document {split}/{row} is none of the classes {_known(table)}")
    return np.array([*found, NO_LABEL], dtype=np.int64)[raw.codes]


def plain(name: str) -> str:
    """Return a class name without what people do not mean by it: case, and spaces around it."""
    return name.strip().casefold()


def remarks(names: Sequence[str], given: bool = False) -> list[UserError]:
    """Return what is odd about class names, one line each: two that differ in case or spaces alone, or mean none.

    Args:
        names: The class names.
        given: Whether Python gives the labels, so that no setting says which of them mean none.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(plain(name), []).append(name)
    lines = [
        UserError(f"the data has {len(same)} classes that differ in case or spaces alone: {', '.join(map(repr, same))}")
        for same in alike.values()
        if len(same) > 1
    ]
    sets = [name for name in names if LIST.fullmatch(name)]
    if len(sets) > 1:
        lines.append(
            UserError(
                f"labels such as {max(sets, key=len)} are read as classes of their own; if they are sets of labels, ",
                "give lists" if given else UserError("train with ", Setting("model.problem_type", MULTI_LABEL)),
            )
        )
        names = [name for name in names if name not in sets]
    return lines + [
        UserError(
            f"the label {name!r} is read as a class; if it means that there is none, give ",
            "None in its place" if given else Setting("data.no_label", [name]),
        )
        for name in names
        if plain(name) in BLANKS or (name.isascii() and not any(map(str.isalnum, name)))
    ]


def _dictionary(rows: Dataset, column: str) -> pa.DictionaryArray:
    values = arrow_table(rows, [column]).column(column).combine_chunks()
    if pa.types.is_nested(values.type):
        raise UserError(
            f"label column '{column}' holds {values.type}; expected one integer, boolean or string a row; name another "
            "column with ",
            Setting("data.label_column"),
            ", or give a multi-label model",
        )
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


def _absent(names: dict[str, str], column: str, no_label: Sequence[str] | None) -> set[str]:
    """Return the values that mean none; those of a column with class `names` are given by name or by number."""
    asked = set(MEANS_NONE if no_label is None else no_label)
    if not names:
        return asked
    absent = {value for value, name in names.items() if name in asked}
    strange = asked - set(names.values()) - {*names, *MEANS_NONE, ""}
    if strange:
        name = min(strange)
        raise UserError(
            Setting("data.no_label", [name]),
            f": no class of the label column '{column}'{nearest(name, names.values())}; "
            f"it has {', '.join(list(names.values())[:DESCRIBED])}",
        )
    return absent | (asked - set(names.values())) | set(MEANS_NONE)


def _is_one_of(named: set[str], value: Scalar) -> bool:
    """Tell whether a raw label is named: a number also as ``1.0``, a boolean in any case."""
    if isinstance(value, bool):
        return str(value).casefold() in map(str.casefold, named)
    if isinstance(value, (int, float)):
        return any(DECIMAL.fullmatch(name) and float(name) == value for name in named)
    return value in named


def _is_label(value: object) -> bool:
    if isinstance(value, float):
        return math.isnan(value) or value.is_integer()
    return value is None or isinstance(value, (str, int))


def _key(value: Scalar) -> str | None:
    """Write a raw label as text, a whole float without its point; None for no label."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(int(value) if isinstance(value, float) else value)


def _numbers(values: list[Scalar]) -> list[Scalar]:
    """Return texts that are all numbers, some of them with a point, as these numbers; all else as it is."""
    texts = [value for value in values if value not in (None, "")]
    if any("." in str(text) for text in texts) and all(isinstance(t, str) and DECIMAL.fullmatch(t) for t in texts):
        return [float(value) if value else None for value in values]
    return values


def _ordered(values: set[str]) -> tuple[str, ...]:
    return tuple(sorted(values, key=int if all(map(_is_whole, values)) else str))


def _is_whole(value: str) -> bool:
    return value.isascii() and value.removeprefix("-").isdigit() and value == str(int(value))


def _fit(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, int] | None:
    if set(values) <= set(names):
        return {name: index for index, name in enumerate(names)}
    if not values or not all(map(_is_whole, values)):
        return None
    low, high = int(values[0]), int(values[-1])
    consecutive = high - low + 1 == len(values)
    if not consecutive or len(names) - len(values) > MOST_ABSENT:
        return None
    if low == 0 and high < len(names):
        return {str(index): index for index in range(len(names))}
    if low >= 1 and high == len(names):
        return {str(index + 1): index for index in range(len(names))}
    return None


def _mapping_by_name(class_names: dict[str, str], table: LabelTable) -> dict[str, int]:
    if not table.by_name or not class_names or not set(class_names.values()) <= set(table.names):
        return table.mapping
    return {value: table.names.index(name) for value, name in class_names.items()}


def _known(table: LabelTable) -> str:
    return ", ".join(table._pair(raw, index) for raw, index in list(table.mapping.items())[:DESCRIBED])
