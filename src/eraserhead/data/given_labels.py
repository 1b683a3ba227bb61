"""Labels given from Python, of documents that may have several."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
from datasets import Dataset

from eraserhead.data.labels import NO_LABEL
from eraserhead.errors import Job, UserError, listed, nearest

ONE_EACH: tuple[str | Job, ...] = (
    "; give the names or numbers of the labels that it has, each once; 0 and 1 for each label are columns, which ",
    Job("erase"),
    " takes as label_columns",
)


def as_python(label: Any) -> Any:
    """Return a label, or several, as Python's own numbers, texts and lists where numpy, pandas or torch hold them."""
    if isinstance(label, (list, tuple)):
        return [as_python(each) for each in label]
    return label.tolist() if hasattr(label, "tolist") else label


def given_classes(labels: Sequence[Any] | None, count: int, classes: int) -> list[int | None]:
    """Return class indices; null and -1 (as on the hub) stand for no label.

    Raises:
        UserError: A label is none of the classes.
    """
    found = [None if is_missing(label) else label for label in labels or ()]
    wrong = next((label for label in found if label is not None and label not in range(classes)), None)
    if wrong is not None:
        raise UserError(f"label {wrong!r} is none of the model's classes, which are 0 to {classes - 1}")
    return [None if label is None else int(label) for label in found] or [None] * count


def given_label_sets(labels: Sequence[Any] | None, count: int, names: tuple[str, ...]) -> list[list[int] | None]:
    """Return the label numbers of every document: of lists of names or numbers, or of 0 or 1 for a single label.

    Raises:
        UserError: Something else was given, a label is none of the model's, or it is given twice.
    """
    if labels is None:
        return [None] * count
    return [None if is_missing(own) else _label_set(own, names) for own in labels]


def _label_set(own: Any, names: tuple[str, ...]) -> list[int]:
    if not isinstance(own, (list, set)):
        if len(names) == 1 and own in (0, 1):
            return [0] if own else []
        raise UserError(f"label {own!r}: the model decides label by label; give a list of labels for each document")
    if any(isinstance(label, bool) for label in own):
        raise UserError(f"labels {own!r}: a document's list holds True or False", *ONE_EACH)
    numbers = {name: place for place, name in enumerate(names)} | {place: place for place in range(len(names))}
    strange = [label for label in own if not isinstance(label, (str, int, float)) or label not in numbers]
    if strange:
        raise UserError(
            f"label {strange[0]!r} is none of the model's labels{nearest(str(strange[0]), names)}: {listed(names)}"
        )
    found = sorted(numbers[label] for label in own)
    twice = next((one for one, other in pairwise(found) if one == other), None)
    if twice is not None:
        raise UserError(f"labels {own!r}: a document's list holds '{names[twice]}' twice", *ONE_EACH)
    return found


def labels_of_columns(table: Mapping[str, Sequence[Any]], labels: Sequence[str]) -> list[list[str] | None]:
    """Return the labels that are on in each row; None where one of the columns says neither 0 nor 1."""
    rows = zip(*(map(as_python, table[label]) for label in labels), strict=True)
    return [
        None
        if any(map(is_missing, row))
        else [label for label, state in zip(labels, row, strict=True) if _is_on(state)]
        for row in rows
    ]


def _is_on(state: Any) -> bool:
    if state not in (0, 1):
        raise UserError(f"label_columns: a label's column has {state!r}, and must have 0 or 1")
    return bool(state)


def labels_of_column(data: Any, labels: Sequence[Any] | None, column: str) -> list[Any] | None:
    """Return a column's labels as Python has them; lists that a data set has names for by these names."""
    if labels is None:
        return None
    found = list(map(as_python, labels))
    feature = data.features.get(column) if isinstance(data, Dataset) else None
    names: Any = getattr(getattr(feature, "feature", None), "names", None)
    if names is None:
        return found
    known = range(len(names))
    return [None if own is None else [names[each] if each in known else each for each in own] for own in found]


def is_null(value: Any) -> bool:
    """Tell whether a value, as Python has it, is none: None, NaN, pandas' NA or NaT."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def is_missing(label: Any) -> bool:
    """Tell whether a value, as Python has it, stands for no label: null or -1."""
    return is_null(label) or label in (NO_LABEL,)
