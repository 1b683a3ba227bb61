"""Turns source rows into documents: picks the columns, cleans the texts and writes the result."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, LargeList, List, Value
from datasets import config as settings
from datasets.fingerprint import Hasher
from datasets.table import InMemoryTable
from numpy.typing import NDArray

from eraserhead.data.config import DataConfig
from eraserhead.data.labels import NO_LABEL
from eraserhead.data.named_sets import NamedSet, unchanged
from eraserhead.data.own_columns import OTHERS, as_struct, other_columns, others_feature, read_ids
from eraserhead.data.streaming import StreamedRows
from eraserhead.errors import Setting, UserError, listed, nearest

logger = logging.getLogger("eraserhead")
MANY_ROWS = 20_000  # above this, several processes are worth starting
WRITER_VERSION = 1  # part of the cache key: raise it when `_Writer` or a cleaning rule writes something else
FEATURES = Features({"id": Value("string"), "text": Value("string"), "label": Value("int64")})
PAIR_FEATURES = Features({**FEATURES, "second": Value("int32")})  # where the second sequence begins in the text


def processes(rows: int) -> int | None:
    """Return how many processes should map so many rows; None for this process alone."""
    if rows <= MANY_ROWS:
        return None
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@dataclass(frozen=True)
class Columns:
    """Columns of the source, and the rule that cleans each text column; `pair` is the column of a second sequence.

    There is one column of labels, or one for each label, or none. `id` is the column of the ids, and `others` are the
    columns that results keep beside.
    """

    text: tuple[str, ...]
    pair: str | None
    labels: tuple[str, ...]
    clean: Callable[[str], str]
    id: str | None = None
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: DataConfig, named: NamedSet, rows: Dataset, split: str, labels_optional: bool) -> "Columns":
        """Take the columns from the configuration, else from the named set, and check that all exist."""
        text = tuple(config.text_columns or named.text_columns)
        several, one = config.label_columns, config.label_column or named.label_column
        labels, setting = (tuple(several), "label_columns") if several else ((one,), "label_column")
        known = rows.column_names
        may_lack_labels = labels_optional and not several and config.label_column is None and one not in known
        wanted = [(column, "text_columns") for column in text]
        wanted += [(config.pair_column, "pair_column")] * (config.pair_column is not None)
        wanted += [(config.id_column, "id_column")] * (config.id_column is not None)
        wanted += [] if may_lack_labels else [(label, setting) for label in labels]
        missing = [
            UserError(Setting(f"data.{setting}", column), f": no such column{nearest(str(column), known)}")
            for column, setting in wanted
            if column not in known
        ]
        unfit = [
            UserError(Setting(f"data.{setting}", column), _in_place_of_text(rows.features[str(column)]))
            for column, setting in wanted
            if setting in ("text_columns", "pair_column") and column in known and not _holds_text(rows, str(column))
        ]
        problems = missing + unfit
        if problems:
            raise UserError(UserError.joined(problems), f"; split '{split}' has the columns {listed(known)}")
        clean = config.clean if config.clean is not None else named.hub is not None
        taken = () if may_lack_labels else labels
        used = (*text, config.pair_column, *taken, config.id_column, config.rationale_column)
        keeps = labels_optional and isinstance(rows, Dataset)  # not of a stream, nor for training
        others = other_columns(rows, filter(None, used)) if keeps else ()
        return cls(text, config.pair_column, taken, named.clean if clean else unchanged, config.id_column, others)


@dataclass(frozen=True)
class _Writer:
    """Map function from source rows to documents; its state is its cache key."""

    split: str
    columns: Columns
    row_numbers: NDArray[np.int64]
    classes: NDArray[np.int64]
    ids: NDArray[np.object_] | None = None
    version: int = WRITER_VERSION

    def __call__(self, batch: pa.Table, positions: list[int]) -> pa.Table:
        classes = self.classes[positions]
        ids = _ids(self.split, self.row_numbers[positions], None if self.ids is None else self.ids[positions])
        parts = [self._cleaned(batch.column(column)) for column in self.columns.text]
        texts = ["\n".join(filter(None, of_row)) for of_row in zip(*parts, strict=True)]
        columns = {"id": ids, "text": texts, "label": pa.array(classes, pa.int64(), mask=classes == NO_LABEL)}
        if self.columns.pair is not None:
            seconds = self._cleaned(batch.column(self.columns.pair))
            columns["text"] = [joined_pair(first, second) for first, second in zip(texts, seconds, strict=True)]
            columns["second"] = pa.array([len(first) + 1 for first in texts], pa.int32())
        if self.columns.others:
            columns[OTHERS] = as_struct(batch, self.columns.others)
        return pa.table(columns)

    def _cleaned(self, column: pa.ChunkedArray) -> list[str]:
        """Return the column's texts, "" for null; bytes that are no UTF-8 become U+FFFD."""
        raw = column.cast(pa.string()).cast(pa.binary()).to_pylist()
        return ["" if text is None else self.columns.clean(text.decode("utf-8", "replace")) for text in raw]


def _ids(split: str, rows: NDArray[np.int64], own: NDArray[np.object_] | None) -> list[str]:
    return [f"{split}/{row}" for row in rows] if own is None else own.tolist()


def joined_pair(first: str, second: str) -> str:
    """Return one text of two sequences; the second begins at ``len(first) + 1``."""
    return f"{first}\n{second}"


def write_documents(
    rows: Dataset, split: str, columns: Columns, chosen: NDArray[np.int64], classes: NDArray[np.int64], in_place: bool
) -> Dataset:
    """Write the chosen rows as documents with the columns ``id``, ``text`` and ``label``; the result is cached.

    Further columns of the source are kept in ``data``, a struct. Where there is a second sequence, ``text`` holds both,
    a newline between them, and ``second`` says where it begins.

    Args:
        rows: The source split.
        split: Its name; ids begin with it where they have no column.
        columns: The columns to read.
        chosen: Row numbers, ascending.
        classes: Class index of each chosen row, or `NO_LABEL`.
        in_place: Whether `rows` are the user's own Arrow files: nothing is then written beside them.
    """
    ids = None if columns.id is None else read_ids(rows, columns.id, split)[chosen]
    writer = _Writer(split, columns, chosen, classes, ids)
    features = FEATURES if columns.pair is None else PAIR_FEATURES
    if columns.others:
        features = Features({**features, **others_feature(rows, columns.others)})
    some = rows if len(chosen) == len(rows) else rows.select(chosen)
    return (
        some.with_format("arrow")
        .map(
            writer,
            batched=True,
            with_indices=True,
            remove_columns=rows.column_names,
            features=features,
            num_proc=processes(len(chosen)),
            cache_file_name=_cache_file(some, writer) if in_place else None,
        )
        .with_format(None)
    )


@dataclass(frozen=True)
class StreamedTexts:
    """The texts of documents on the hub, which are read when they are needed.

    Attributes:
        rows: The source split.
        split: Its name; ids begin with it.
        columns: The columns to read.
        chosen: Row numbers of the documents, ascending.
    """

    rows: StreamedRows
    split: str
    columns: Columns
    chosen: NDArray[np.int64]

    def documents(self, classes: NDArray[np.int64]) -> Dataset:
        """Return the documents without their texts: the columns ``id`` and ``label``."""
        labels = pa.array(classes, pa.int64(), mask=classes == NO_LABEL)
        column = self.columns.id
        own = None if column is None else read_ids(self.rows, column, self.split)[self.chosen]
        table = pa.table({"id": _ids(self.split, self.chosen, own), "label": labels})
        return Dataset(InMemoryTable(table))

    def added_to(self, documents: Dataset, places: NDArray[np.int64]) -> Dataset:
        """Add the texts to some of the documents, in memory."""
        rows = self.chosen[places]
        wanted = [*self.columns.text, *([] if self.columns.pair is None else [self.columns.pair])]
        source = self.rows.read(rows, list(dict.fromkeys(wanted)))
        writer = _Writer(self.split, self.columns, rows, np.full(len(rows), NO_LABEL))
        table = writer(source.data.table, list(range(len(rows))))
        for name in ("text", "second"):
            if name in table.column_names:
                values: Any = table.column(name).to_pylist()
                documents = documents.add_column(name, values, feature=PAIR_FEATURES[name])  # pyright: ignore[reportCallIssue] - its stub is older
        return documents


def _cache_file(rows: Dataset, writer: _Writer) -> str:
    folder = Path(settings.HF_DATASETS_CACHE) / "eraserhead"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / f"{Hasher.hash((rows._fingerprint, writer))}.arrow")


def _in_place_of_text(feature: Any) -> str:
    if isinstance(feature, Value):
        return ": holds bytes and no text; decode them in the data, or name another column"
    if isinstance(feature, dict):
        return ": holds objects and no text; name a column inside them with a dot"
    if isinstance(feature, (List, LargeList)):
        return ": holds lists and no text; join each list into one text in the data, or name another column"
    return f": holds {type(feature).__name__} and no text; name another column"


def _holds_text(rows: Dataset, column: str) -> bool:
    feature = rows.features[column]
    return isinstance(feature, Value) and not feature.dtype.startswith(("binary", "large_binary"))
