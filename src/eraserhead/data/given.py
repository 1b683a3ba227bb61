"""Documents given from Python: texts, pairs of texts, or rows with columns."""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from eraserhead.data.class_matching import matched_labels, unmatched
from eraserhead.data.columns import FEATURES, PAIR_FEATURES, joined_pair
from eraserhead.data.document_checks import check_text, check_texts, say_no_labels
from eraserhead.data.documents import Documents
from eraserhead.data.given_labels import (
    given_classes,
    given_label_sets,
    is_missing,
    is_null,
    labels_of_column,
    labels_of_columns,
)
from eraserhead.data.label_sets import check_columns, with_label_sets
from eraserhead.data.labels import NO_LABEL, class_indices, label_table, read_labels, remarks
from eraserhead.data.provenance import COLUMNS_BETWEEN, LabelsRead, Provenance
from eraserhead.data.rationales import with_rationales
from eraserhead.errors import Setting, UserError, listed, nearest

logger = logging.getLogger("eraserhead")

TAKEN = "a list of texts, of (text, text) pairs or of rows, a DataFrame, or one split of a Dataset"
NAME = "texts"  # name of the split in the ids

Given = Iterable[str | tuple[str, str] | Mapping[str, Any]] | pd.DataFrame | Dataset | DatasetDict
Table = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class GivenColumns:
    """The columns of given rows that are read.

    Attributes:
        text: Column of the texts; default: ``text``.
        pair: Column of a second sequence; default: none.
        label: Column of class indices, or of names of classes, or of lists of either for models that decide label by
            label; default: ``label``, where there is one.
        labels: Columns of 0 and 1, one for each label of such a model, in place of a column of lists.
        rationale: Column of what people marked as evidence; see `data.rationales`.
    """

    text: str | None = None
    pair: str | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    rationale: str | None = None

    @property
    def label_or_usual(self) -> str:
        """The one column of labels."""
        return self.label or "label"

    @property
    def named(self) -> dict[str, str]:
        """The columns that the caller names, by argument."""
        named = {"text_column": self.text, "pair_column": self.pair, "label_column": self.label}
        named |= {"rationale_column": self.rationale}
        named |= {f"label_columns[{place}]": column for place, column in enumerate(self.labels)}
        return {argument: column for argument, column in named.items() if column is not None}


@dataclass(frozen=True)
class Content:
    """The content of given documents.

    Attributes:
        texts: Their texts.
        seconds: Their second sequences, where they are pairs.
        labels: Their gold classes, as they are given.
        ids: Their ids, where there is a column for them.
        class_names: Names of the classes that the labels number, where the data has names for them.
        in_columns: Whether they are rows with columns.
        rationales: What people marked as evidence, as it is given.
    """

    texts: Sequence[Any]
    seconds: Sequence[Any] | None = None
    labels: Sequence[Any] | None = None
    ids: Sequence[Any] | None = None
    class_names: tuple[str, ...] = ()
    in_columns: bool = False
    rationales: Sequence[Any] | None = None

    @property
    def no_labels(self) -> bool:
        """Whether no document has a label, though there is a column of them."""
        return self.labels is not None and all(is_missing(label) or label == "" for label in self.labels)

    @property
    def names_classes(self) -> bool:
        """Whether labels are matched to the model's classes by name: they have names, or are some."""
        return bool(self.class_names) or any(isinstance(label, str) for label in self.labels or ())


def given_content(data: Given, columns: GivenColumns, split: str | None) -> Content:
    """Return the content of given documents, checked as far as possible without the model.

    Args:
        data: Texts, pairs or rows; a column ``id`` holds the documents' ids.
        columns: Columns of rows.
        split: Name of a split, where `data` has several.

    Raises:
        UserError: `data` is something else, or lacks a column.
    """
    found = _content(_one_split(data, split), columns)
    texts = _checked(found.texts)
    seconds = None if found.seconds is None else _checked(found.seconds)
    ids = None if found.ids is None else _ids(found.ids, len(texts))
    return replace(found, texts=texts, seconds=seconds, ids=ids)


def given_documents(
    found: Content,
    columns: GivenColumns,
    classes: int,
    ids: Sequence[str] | None = None,
    names: tuple[str, ...] = (),
    label_map: Sequence[str] | None = None,
    by_label: bool = False,
) -> Documents:
    """Return documents with the given content.

    Labels that have names, or are names, are matched to the model's classes as those of a file are; other labels are
    the model's own class indices.

    Args:
        found: Their content.
        columns: Columns of rows.
        classes: How many classes the model has.
        ids: Ids of documents without a column for them; default: numbers.
        names: The model's class names.
        label_map: Classes of the data and of the model that mean the same, as ``data=model`` pairs.
        by_label: Whether the model decides label by label, so that a document may have several labels.

    Raises:
        UserError: A label is none of the model's classes, two documents have the same id, or `label_map` has no effect.
    """
    if label_map and by_label:
        raise UserError(Setting("label_map"), ": has no effect on labels of a model that decides label by label")
    texts = list(found.texts)
    content: dict[str, list[Any]] = {"id": _ids(ids if found.ids is None else found.ids, len(texts)), "text": texts}
    if names and found.names_classes and not by_label:
        content["label"], labels_read = _matched(found, names, label_map)
    else:
        content["label"] = given_classes(None if by_label else found.labels, len(texts), classes)
        labels_read = LabelsRead("none" if found.labels is None or found.no_labels else "index")
    if found.seconds is not None:
        content["second"] = [len(text) + 1 for text in texts]
        content["text"] = [joined_pair(*pair) for pair in zip(texts, found.seconds, strict=True)]
    rows = Dataset.from_dict(content, features=FEATURES if found.seconds is None else PAIR_FEATURES)
    if by_label:
        if columns.labels:
            check_columns(columns.labels, names, Setting("label_columns"))
        rows = with_label_sets(rows, given_label_sets(found.labels, len(texts), names))
    if found.rationales is not None:
        rows = with_rationales(rows, found.rationales, Setting("rationale_column", columns.rationale))
    return Documents(rows, None, _provenance(columns, len(texts)), labels_read)


def check_given(found: Content, columns: GivenColumns) -> None:
    """Say how many documents have no text, and whether any has a label, as of those of a file.

    Raises:
        UserError: No document has any text.
    """
    texts = found.texts if found.seconds is None else list(map(joined_pair, found.texts, found.seconds))
    rows = Dataset.from_dict({"id": _ids(found.ids, len(texts)), "text": texts})
    check_texts(rows, Setting("text_column", columns.text or "text") if found.in_columns else None)
    if found.no_labels:
        say_no_labels(columns.labels or [columns.label_or_usual], NAME)


def _one_split(data: Any, split: str | None) -> Any:
    if not isinstance(data, DatasetDict):
        if split is not None:
            raise UserError(f"split '{split}': belongs to a DatasetDict, and data is {_type(data)}; leave it out")
        return data
    names = [str(name) for name in data]
    if split is None and len(names) == 1:
        return data[names[0]]
    if split not in names:
        asked = "data has several splits" if split is None else f"no split '{split}'{nearest(str(split), names)}"
        raise UserError(f"{asked}; name one with split=: {listed(names)}")
    return data[split]


def _content(data: Any, columns: GivenColumns) -> Content:
    if isinstance(data, (Dataset, pd.DataFrame)):
        found = _from_table(_table(data), columns, data)
        return found if columns.labels else replace(found, class_names=_class_names(data, columns.label_or_usual))
    if isinstance(data, (str, bytes, Mapping, Set)) or not isinstance(data, Iterable) or getattr(data, "ndim", 1) != 1:
        raise UserError(f"data is {_type(data)}; give {TAKEN}")
    rows = list(data)
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        return _from_table({str(name): [row.get(name) for row in rows] for name in names}, columns, rows)
    if columns.named:
        argument, column = next(iter(columns.named.items()))
        raise UserError(f"{argument} '{column}': the documents have no columns; leave it out, or give rows")
    if rows and all(isinstance(row, tuple) and len(row) == 2 for row in rows):
        return Content([first for first, _ in rows], [second for _, second in rows])
    return Content(rows)


def _table(data: Dataset | pd.DataFrame) -> Table:
    if isinstance(data, Dataset):
        return {name: data[name] for name in data.column_names}
    names = [str(name) for name in data.columns]
    if len(set(names)) < len(names):
        raise UserError(f"data has two columns of one name among {listed(names)}; rename one")
    columns = [data.iloc[:, place].astype(object) for place in range(len(names))]
    return {name: column.where(column.notna(), None).tolist() for name, column in zip(names, columns, strict=True)}


def _from_table(table: Table, columns: GivenColumns, data: Any) -> Content:
    wanted = {"text_column": "text", **columns.named}
    missing = [
        f"{argument} '{column}': no such column{nearest(str(column), table)}"
        for argument, column in wanted.items()
        if column not in table
    ]
    if missing:
        raise UserError(f"{'; '.join(missing)}; there are: {listed(table) or 'none'}")
    several, one = columns.labels, columns.label_or_usual
    labels = labels_of_columns(table, several) if several else labels_of_column(data, table.get(one), one)
    seconds = None if columns.pair is None else table[columns.pair]
    marked = None if columns.rationale is None else table[columns.rationale]
    return Content(table[wanted["text_column"]], seconds, labels, table.get("id"), (), True, marked)


def _checked(texts: Sequence[Any]) -> list[str]:
    texts = ["" if is_null(text) else text for text in texts]
    if not texts:
        raise UserError("data holds no documents; give one text or more")
    wrong = next((number for number, text in enumerate(texts) if not isinstance(text, str)), None)
    if wrong is not None:
        raise UserError(f"document {wrong} is {_type(texts[wrong])}, and must be a str; data may be {TAKEN}")
    return [check_text(str(text), f"document {number}") for number, text in enumerate(texts)]


def _matched(
    found: Content, names: tuple[str, ...], label_map: Sequence[str] | None
) -> tuple[list[int | None], LabelsRead]:
    """Return the model's class indices for labels with names; none at all where some name is no class of the model."""
    labels = [_as_label(label) for label in found.labels or ()]
    feature = ClassLabel(names=list(found.class_names)) if found.class_names else Value("string")
    if not found.class_names:
        labels = [None if label is None else str(label) for label in labels]
    raw = read_labels(Dataset.from_dict({"label": labels}, features=Features(label=feature)), "label", NAME)
    table = label_table(raw)
    for remark in remarks(table.names, given=True):
        logger.warning("%s", remark)
    matched = matched_labels(table, names, label_map)
    if matched is None:
        logger.info("%s", unmatched(table, names, label_map))
        return [None] * len(labels), LabelsRead("unmatched", table.names, table.absent)
    read = LabelsRead("label_map" if label_map else "name", table.names, table.absent)
    return [None if index == NO_LABEL else int(index) for index in class_indices(raw, matched, NAME)], read


def _as_label(label: Any) -> Any:
    """Return a label with null for NaN, and a whole float as the number that it is."""
    if is_missing(label):
        return None
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _class_names(data: Dataset | pd.DataFrame, column: str) -> tuple[str, ...]:
    feature = data.features.get(column) if isinstance(data, Dataset) else None
    return tuple(feature.names) if isinstance(feature, ClassLabel) else ()


def _ids(given: Sequence[Any] | None, count: int) -> list[str]:
    ids = [f"{NAME}/{row}" for row in range(count)] if given is None else list(map(str, given))
    if len(set(ids)) < len(ids):
        raise UserError("the column 'id' names some documents twice; make the ids unique, or leave it out")
    return ids


def _provenance(columns: GivenColumns, count: int) -> Provenance:
    labels = COLUMNS_BETWEEN.join(columns.labels) or columns.label_or_usual
    text = [columns.text or "text"]
    found = Provenance(None, None, None, None, NAME, text, columns.pair, labels, False, count, count, 0)
    return replace(found, rationale_column=columns.rationale)


def _type(value: object) -> str:
    name = "None" if value is None else type(value).__name__
    article = "" if value is None else "an " if name[0] in "aeiouAEIOU" else "a "
    return f"{article}{name}"
