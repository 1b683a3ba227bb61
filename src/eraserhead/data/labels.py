"""Gold classes: an explicit table turns the values of a label column into class indices."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset
from numpy.typing import NDArray

from eraserhead.errors import Setting, UserError, nearest

NO_LABEL = -1  # in arrays of class indices, and in the test splits of the hub; stored columns hold null instead
MOST_ABSENT = 2  # classes of a named set that may be missing where the labels are numbers
MEANS_NONE = (str(NO_LABEL),)  # where the user does not say which labels mean none
DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
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
        missing = f"; classes without documents: {', '.join(self.absent)}" if self.absent else ""
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
        class_names: Names that the source itself gives to the values 0, 1, ...; empty where it gives none.
    """

    values: tuple[str, ...]
    codes: NDArray[np.int64]
    class_names: tuple[str, ...] = ()

    @classmethod
    def absent(cls, rows: int) -> "RawLabels":
        """Return the labels of a split that has no label column."""
        return cls((), np.full(rows, NO_LABEL, dtype=np.int64))

    @property
    def known(self) -> bool:
        """True where there are values or names to make a table from."""
        return bool(self.values or self.class_names)


def read_labels(rows: Dataset, column: str, split: str, no_label: Sequence[str] | None = None) -> RawLabels:
    """Read a label column of integers, whole floats, booleans or strings.

    Null, NaN and the empty string are no label; so is what `no_label` names, -1 where it names nothing. A column of
    texts that are all whole numbers, such as ``1.0``, is read as these numbers.

    Raises:
        UserError: If the column holds anything else; the message names a value and its row.
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
    absent = {*(MEANS_NONE if no_label is None else no_label), *(MEANS_NONE if isinstance(feature, ClassLabel) else ())}
    keys = [None if key in absent else key for key in map(_key, distinct)]
    values = _ordered({key for key in keys if key is not None})
    places = {value: place for place, value in enumerate(values)}
    codes = np.array([NO_LABEL if key is None else places[key] for key in keys] + [NO_LABEL], dtype=np.int64)
    return RawLabels(values, codes[positions], tuple(feature.names) if isinstance(feature, ClassLabel) else ())


def label_table(raw: RawLabels, known_names: tuple[str, ...] = ()) -> LabelTable:
    """Make the table of a split: the source's own class names, else `known_names` where they fit, else the values.

    `known_names` fit where the values are among those names, or are as many consecutive whole numbers from 0 or 1. Up
    to `MOST_ABSENT` numbers may be missing at one end, if the other end shows whether they start at 0 or 1.
    """
    if raw.class_names:
        return LabelTable(raw.class_names, {str(index): index for index in range(len(raw.class_names))})
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


def matched_labels(
    labels: LabelTable, classes: tuple[str, ...], pairs: Sequence[str] | None = None
) -> LabelTable | None:
    """Return the table that reads the data's labels as a model's classes; None where some have no counterpart.

    Args:
        labels: The data's own table.
        classes: The model's class names.
        pairs: Which mean the same, ``data=model``; those that are not named are matched by name, whatever their case
            and the spaces around them.

    Raises:
        UserError: A pair does not name a class of the data and one of the model.
    """
    exact = {name: place for place, name in enumerate(classes)}
    index = {plain(name): place for place, name in enumerate(classes)}
    given = _pairs(pairs or (), labels.names, classes)
    targets = [given.get(name, exact.get(name, index.get(plain(name)))) for name in labels.names]
    found = {raw: target for raw, place in labels.mapping.items() if (target := targets[place]) is not None}
    return LabelTable(classes, found, by_name=not pairs) if len(found) == len(labels.mapping) else None


def unmatched(labels: LabelTable, classes: tuple[str, ...]) -> UserError:
    """Say that no accuracy is reported, and what to do about it."""
    return UserError(
        f"no accuracy is reported: the data's classes ({', '.join(labels.names)}) are not the model's "
        f"({', '.join(classes)}); match them with ",
        Setting("label_map"),
    )


def _pairs(pairs: Sequence[str], names: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, int]:
    found, problems = {}, []
    for pair in pairs:
        ours, equals, theirs = _divided(pair, names, classes)
        if not equals:
            problems.append(f"'{pair}' is not a pair data=model")
        elif ours in found:
            problems.append(f"'{ours}' is named twice")
        elif ours not in names:
            problems.append(f"'{ours}' is no class of the data{nearest(ours, names)}; it has {', '.join(names)}")
        elif theirs not in classes:
            problems.append(
                f"'{theirs}' is no class of the model{nearest(theirs, classes)}; it has {', '.join(classes)}"
            )
        else:
            found[ours] = classes.index(theirs)
    if problems:
        raise UserError(Setting("label_map"), f": {'; '.join(problems)}")
    return found


def _divided(pair: str, names: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, str, str]:
    """Divide a pair at the equals sign that has a class of the data before it, and of the model behind it."""
    places = [place for place, sign in enumerate(pair) if sign == "="]
    divided = [(pair[:place], "=", pair[place + 1 :]) for place in places]
    ours = [each for each in divided if each[0] in names]
    both = [each for each in ours if each[2] in classes]
    return next(iter([*both, *ours]), pair.rpartition("="))


def plain(name: str) -> str:
    """Return a class name without what people do not mean by it: case, and spaces around it."""
    return name.strip().casefold()


def remarks(names: Sequence[str]) -> list[UserError]:
    """Return what is odd about class names, one line each: two that differ in case or spaces alone, or mean none."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(plain(name), []).append(name)
    lines = [
        UserError(
            f"the classes {', '.join(map(repr, same))} differ in case or spaces alone, "
            f"and are read as {len(same)} classes"
        )
        for same in alike.values()
        if len(same) > 1
    ]
    return lines + [
        UserError(
            f"the label {name!r} is read as a class; if it means that there is none, give ",
            Setting("data.no_label", [name]),
        )
        for name in names
        if plain(name) in BLANKS or (name.isascii() and not any(map(str.isalnum, name)))
    ]


def arrow_table(rows: Dataset, columns: list[str]) -> pa.Table:
    """Return some columns of the rows as Arrow holds them, without turning them into Python objects."""
    return cast(pa.Table, rows.select_columns(columns).with_format("arrow")[:])


def _dictionary(rows: Dataset, column: str) -> pa.DictionaryArray:
    values = arrow_table(rows, [column]).column(column).combine_chunks()
    if pa.types.is_nested(values.type):
        raise UserError(f"label column '{column}' holds {values.type}; expected one integer, boolean or string a row")
    return values if pa.types.is_dictionary(values.type) else values.dictionary_encode()


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


def _mapping_by_name(class_names: tuple[str, ...], table: LabelTable) -> dict[str, int]:
    if not table.by_name or not class_names or not set(class_names) <= set(table.names):
        return table.mapping
    return {str(number): table.names.index(name) for number, name in enumerate(class_names)}


def _known(table: LabelTable) -> str:
    return ", ".join(table._pair(raw, index) for raw, index in list(table.mapping.items())[:DESCRIBED])
