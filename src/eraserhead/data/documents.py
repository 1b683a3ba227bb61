"""Documents: text, gold class and an id that names the source row, from a `DataConfig`."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features
from numpy.typing import NDArray

from eraserhead.data import planted, sampling
from eraserhead.data.bars import without_bars
from eraserhead.data.columns import FEATURES, PAIR_FEATURES, Columns, StreamedTexts, write_documents
from eraserhead.data.config import DataConfig
from eraserhead.data.document_checks import check_texts, say_no_labels
from eraserhead.data.label_sets import (
    LABELS,
    RawLabelSets,
    classes_and_sets,
    read_raw_labels,
    with_label_sets,
)
from eraserhead.data.labels import NO_LABEL, LabelTable, RawLabels, class_indices, label_table, numbered, remarks
from eraserhead.data.named_sets import NAMED, PLANTED, NamedSet, unchanged
from eraserhead.data.provenance import COLUMNS_BETWEEN, LabelsRead, Provenance
from eraserhead.data.rationales import RATIONALES, SPANS, check_rationale_column, with_rationales
from eraserhead.data.requests import check_config, source_of
from eraserhead.data.sources import Source, pick_split
from eraserhead.data.streaming import StreamedRows
from eraserhead.errors import Setting, UserError

Role = Literal["train", "validation", "test"]

logger = logging.getLogger("eraserhead")

ROWS_PER_BLOCK = 8192


@dataclass(frozen=True)
class Documents:
    """Documents of one role, in source order.

    Attributes:
        rows: Columns ``id`` (split and row number, or from a column), ``text`` (never null), ``label`` (class index or
            null); for multi-label models ``labels`` (a list of label numbers, or null), ``label`` being null; where
            there is more, also ``rationales``, see `data.rationales`, and ``data``, see `data.own_columns`.
        labels: Table of the classes; None where neither the source nor the caller knows them.
        provenance: Where the rows come from.
        labels_read: How the labels were read as a model's classes; null of documents without a model.
        texts: Reads the texts that `rows` lack, where they stay on the hub; else null.
    """

    rows: Dataset
    labels: LabelTable | None
    provenance: Provenance
    labels_read: LabelsRead | None = None
    texts: StreamedTexts | None = None

    def read(self, places: Sequence[int] | NDArray[np.int64]) -> Dataset:
        """Return some documents, whose places ascend, with their texts."""
        rows = self.rows.select(places)
        return rows if self.texts is None else self.texts.added_to(rows, np.asarray(places, dtype=np.int64))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids, texts and labels in their order, whatever the storage and the cache."""
        digest = hashlib.sha256()
        columns = [name for name in PAIR_FEATURES if name in self.rows.column_names]
        blocks = self.rows.select_columns(columns).with_format("arrow").iter(ROWS_PER_BLOCK)
        for block in cast(Iterator[pa.Table], blocks):
            for column in ("id", "text"):
                _update(digest.update, block.column(column).to_pylist())
            if "second" in columns:  # where a pair is split
                digest.update(np.asarray(block.column("second"), dtype="<i8").tobytes())
            digest.update(np.asarray(block.column("label").fill_null(NO_LABEL), dtype="<i8").tobytes())
        for column in (LABELS, RATIONALES):
            if column in self.rows.column_names:
                digest.update(json.dumps(list(self.rows[column])).encode())
        return digest.hexdigest()

    @property
    def record(self) -> Provenance:
        """Where the rows come from, with their fingerprint; texts on the hub have none but the commit."""
        return self.provenance if self.texts is not None else replace(self.provenance, fingerprint=self.fingerprint)


def load_documents(
    config: DataConfig, role: Role, labels: LabelTable | None = None, multi_label: bool = False
) -> Documents:
    """Load the documents of one role.

    Training and held-out validation documents are disjoint and depend on the configuration alone, not on which of them
    is loaded. Samples are stratified by class, seeded, exact in size and in source order.

    Args:
        config: Where the documents come from.
        role: What they are for. Without ``validation_split``, validation documents are held out of training.
        labels: Table to read the labels with, usually that of the training documents; by default it is made from the
            training split, or from the split itself where there is none.
        multi_label: Whether a document may have several labels.

    Raises:
        UserError: If the source cannot be read, or does not have the splits, columns, labels or rows asked for.
    """
    return open_split(config, role, labels, multi_label).documents()


@dataclass(frozen=True)
class OpenSplit:
    """A split whose labels are read, before any document is written.

    Attributes:
        config: Where it comes from.
        role: What its documents are for.
        named: What is known about the data set.
        source: Where its rows are; null for the built-in corpus.
        split: Its name.
        raw: Its labels, as the source writes them.
        labels: The table to read them with; null where neither the source nor the caller knows one.
    """

    config: DataConfig
    role: Role
    named: NamedSet
    source: Source | None
    split: str
    raw: RawLabels | RawLabelSets
    labels: LabelTable | None

    def read_as(self, labels: LabelTable) -> "OpenSplit":
        """Return the split with `labels` as the table to read its labels with."""
        return replace(self, labels=labels)

    @without_bars()
    def documents(self, with_labels: bool = True) -> Documents:
        """Choose and write the documents, without labels unless `with_labels`; raises as `load_documents`."""
        if self.source is None:
            return _planted_documents(self.config, self.role, self.labels, with_labels)
        rows = self.source.splits[self.split]
        columns = Columns.of(self.config, self.named, rows, self.split, labels_optional=self.role == "test")
        classes, sets = classes_and_sets(self.raw, self.labels, self.split)
        kept = np.arange(len(classes))
        if self.role != "test":
            kept = sampling.labelled_rows(classes, self.split, self.config.no_label is not None)
        chosen = kept[_choose(self.config, self.role, classes[kept])]
        if self.role == "train":
            sampling.check_classes(classes[chosen] if sets is None else [sets[row] for row in chosen], self.split)
        written = classes[chosen] if with_labels and sets is None else np.full(len(chosen), NO_LABEL, dtype=np.int64)
        texts = StreamedTexts(rows, self.split, columns, chosen) if isinstance(rows, StreamedRows) else None
        if texts is not None:
            documents = texts.documents(written)
        else:
            documents = write_documents(rows, self.split, columns, chosen, written, self.source.in_place)
            check_texts(documents, Setting("data.text_columns", list(columns.text)))
        if sets is not None:
            documents = with_label_sets(documents, [sets[row] if with_labels else None for row in chosen])
        provenance = _provenance(self.config, self.named, self.source, self.split, columns, len(chosen))
        provenance = replace(provenance, without_label=len(classes) - len(kept))
        if self.role == "test" and self.config.rationale_column is not None:
            column = self.config.rationale_column
            documents = with_rationales(documents, rows[column][chosen], Setting("data.rationale_column", column))
            provenance = replace(provenance, rationale_column=column)
        return Documents(documents, self.labels if with_labels else None, provenance, texts=texts)


@without_bars()
def open_split(
    config: DataConfig, role: Role, labels: LabelTable | None = None, multi_label: bool = False
) -> OpenSplit:
    """Read the labels of a role's split; see `load_documents`."""
    check_config(config, multi_label)
    if config.streaming and role != "test":
        raise UserError(Setting("data.streaming"), ": training reads its documents again and again; leave it out")
    named = NAMED.get(config.name or "", NamedSet())
    if config.name == PLANTED:
        names = planted.label_names(config.classes)
        raw = _planted_labels(names, [])
        return OpenSplit(config, role, named, None, _planted_split(config, role), raw, labels or label_table(raw))
    source = source_of(config, named)
    _check_splits(config, source, role)
    split = pick_split(source, *_wanted_split(config, role))
    available = source.splits[split]
    try:
        columns = Columns.of(config, named, available, split, labels_optional=role == "test")
        if role == "test" and config.rationale_column is not None:
            check_rationale_column(config.rationale_column, available.column_names)
    except UserError as error:
        raise UserError(error, *source.hint) from error
    optional = role == "test" and labels is None
    raw = read_raw_labels(available, columns.labels, split, config.no_label, multi_label, optional)
    if role == "test" and columns.labels and raw.nowhere:
        say_no_labels(columns.labels, split)
    table = labels or _table(config, named, source, split, raw)
    for remark in remarks(table.names) if table is not None and labels is None else ():
        logger.warning("%s", remark)
    return OpenSplit(config, role, named, source, split, raw, table)


def _check_splits(config: DataConfig, source: Source, role: Role) -> None:
    if source.single and role != "test" and config.validation_split is not None:
        raise UserError(
            Setting("data.validation_split", config.validation_split),
            ": the source has no splits of its own; leave it out, and ",
            Setting("data.validation_size"),
            " documents are held out of training",
        )


def _wanted_split(config: DataConfig, role: Role) -> tuple[str, str]:
    """Return the split that serves a role, and the setting that says so."""
    if role == "test":
        return config.test_split, "data.test_split"
    if role == "validation" and config.validation_split is not None:
        return config.validation_split, "data.validation_split"
    return config.train_split, "data.train_split"


def _table(
    config: DataConfig, named: NamedSet, source: Source, split: str, raw: RawLabels | RawLabelSets
) -> LabelTable | None:
    """Make the table from the training split, else from the split itself; None where neither has a label."""
    columns = config.label_columns or [config.label_column or named.label_column]
    training = None if source.single or split == config.train_split else source.splits.get(config.train_split)
    candidates = [raw]
    if training is not None and set(columns) <= set(training.column_names):
        several = isinstance(raw, RawLabelSets)
        candidates.insert(0, read_raw_labels(training, columns, config.train_split, config.no_label, several))
    flat = (labels.flat if isinstance(labels, RawLabelSets) else labels for labels in candidates if labels.known)
    return next((label_table(labels, named.class_names) for labels in flat), None)


def _choose(config: DataConfig, role: Role, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row numbers of a role's documents, ascending."""
    if role == "test":
        return sampling.sample(classes, config.test_size, config.seed, "data.test_size")
    if config.validation_split is None:
        train, held_out = sampling.training_rows(classes, config.train_size, config.validation_size, config.seed)
        return train if role == "train" else held_out
    size = config.train_size if role == "train" else config.validation_size
    return sampling.sample(classes, size, config.seed, f"data.{role}_size")


def _provenance(
    config: DataConfig, named: NamedSet, source: Source, split: str, columns: Columns, documents: int
) -> Provenance:
    return Provenance(
        name=config.name,
        path=config.path,
        subset=config.subset or (named.subset if config.path is None else None),
        revision=source.revision,
        split=split,
        text_columns=list(columns.text),
        pair_column=columns.pair,
        label_column=COLUMNS_BETWEEN.join(columns.labels) or None,
        cleaned=columns.clean is not unchanged,
        documents=documents,
        available=len(source.splits[split]),
        seed=config.seed,
        id_column=columns.id,
    )


def _planted_split(config: DataConfig, role: Role) -> str:
    """Return the split of a role; the built-in corpus never mixes them: nothing is held out of training."""
    return "validation" if role == "validation" and config.validation_split is None else _wanted_split(config, role)[0]


def _planted_labels(names: tuple[str, ...], codes: list[int]) -> RawLabels:
    named = numbered(names)
    return RawLabels(tuple(named), np.array(codes, dtype=np.int64), named)


def _planted_documents(config: DataConfig, role: Role, labels: LabelTable | None, with_labels: bool) -> Documents:
    """Generate documents of the built-in corpus."""
    split = _planted_split(config, role)
    size = {"train": config.train_size, "validation": config.validation_size, "test": config.test_size}[role]
    reviews = planted.planted_reviews(split, config.classes, size, config.seed)
    names = planted.label_names(config.classes)
    raw = _planted_labels(names, [review.label for review in reviews])
    table = labels or label_table(raw)
    classes = class_indices(raw, table, split)
    content = {
        "id": [review.id for review in reviews],
        "text": [review.text for review in reviews],
        "label": classes if with_labels else [None] * len(reviews),
        RATIONALES: [[[{"start": span.start, "end": span.end} for span in review.evidence]] for review in reviews],
    }
    rows = Dataset.from_dict(content, features=Features({**FEATURES, RATIONALES: SPANS}))
    provenance = Provenance(
        PLANTED, None, None, None, split, ["text"], None, "label", False, len(rows), len(rows), config.seed
    )
    return Documents(rows, table if with_labels else None, provenance)


def _update(update: Callable[[bytes], object], texts: list[str]) -> None:
    """Add texts to a digest, their lengths first, so that different lists always add different bytes."""
    encoded = [text.encode() for text in texts]
    update(np.array([len(encoded), *map(len, encoded)], dtype="<i8").tobytes())
    update(b"".join(encoded))
