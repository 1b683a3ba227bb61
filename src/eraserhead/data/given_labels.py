"""Labels given from Python, of documents that may have several."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset

from eraserhead.data.labels import NO_LABEL
from eraserhead.errors import UserError, nearest


def given_label_sets(labels: Sequence[Any] | None, count: int, names: tuple[str, ...]) -> list[list[int] | None]:
    """Return the label numbers of every document: of lists of names or numbers, or of 0 or 1 for a single label.

    Raises:
        UserError: Something else was given, or a label is none of the model's.
    """
    if labels is None:
        return [None] * count
    return [None if _is_absent(own) else _label_set(own, names) for own in labels]


def _is_absent(own: Any) -> bool:
    return not isinstance(own, (list, tuple, set, np.ndarray)) and is_missing(own)


def _label_set(own: Any, names: tuple[str, ...]) -> list[int]:
    if len(names) == 1 and own in (0, 1):
        return [0] if own else []
    if not isinstance(own, (list, tuple, set, np.ndarray)):
        raise UserError(f"label {own!r}: the model decides label by label; give a list of labels for each document")
    numbers = {name: place for place, name in enumerate(names)} | {place: place for place in range(len(names))}
    wrong = next((label for label in own if label not in numbers), None)
    if wrong is not None:
        raise UserError(
            f"label {wrong!r} is none of the model's labels{nearest(str(wrong), names)}: {', '.join(names)}"
        )
    return sorted({numbers[label] for label in own})


def labels_of_columns(table: Mapping[str, Sequence[Any]], labels: Sequence[str]) -> list[list[str] | None]:
    """Return the labels that are on in each row; None where one of the columns says neither 0 nor 1."""
    rows = zip(*(table[label] for label in labels), strict=True)
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


def labels_by_name(labels: Sequence[Any] | None, data: Dataset | pd.DataFrame, column: str) -> Sequence[Any] | None:
    """Return labels by their names, where they are lists that a data set has names for; others as they are."""
    feature = data.features.get(column) if isinstance(data, Dataset) else None
    names: Any = getattr(getattr(feature, "feature", None), "names", None)
    if names is None or labels is None:
        return labels
    return [None if own is None else [names[each] for each in own] for own in labels]


def is_missing(label: Any) -> bool:
    """Tell whether a value stands for no label: None, NaN, pandas' NA or -1."""
    # In this order: pandas' NA compares as NA, which is neither true nor false, and only NaN differs from itself.
    return label is None or label is pd.NA or label in (NO_LABEL,) or label != label  # noqa: PLR0124
