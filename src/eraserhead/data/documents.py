"""Documents: text, gold class and an id that names the source row, from a `DataConfig`."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from datasets import Dataset, Features, List, Value
from numpy.typing import NDArray

from eraserhead.data import planted, sampling
from eraserhead.data.columns import FEATURES, Columns, write_documents
from eraserhead.data.config import DataConfig
from eraserhead.data.label_sets import (
    LABELS,
    NoLabelSetsError,
    RawLabelSets,
    label_sets,
    rarest_labels,
    read_label_sets,
    with_label_sets,
)
from eraserhead.data.labels import NO_LABEL, LabelTable, RawLabels, class_indices, label_table, read_labels
from eraserhead.data.named_sets import NAMED, NamedSet, unchanged
from eraserhead.data.provenance import Provenance
from eraserhead.data.sources import Source, pick_split, read_hub, read_path
from eraserhead.errors import Setting, UserError, nearest
from eraserhead.settings import setting_problems

Role = Literal["train", "validation", "test"]

logger = logging.getLogger("eraserhead")

PLANTED = "planted"
ROWS_PER_BLOCK = 8192
EVIDENCE = List({"start": Value("int32"), "end": Value("int32"), "grade": Value("int32")})


@dataclass(frozen=True)
class Documents:
    """Documents of one role, in source order.

    Attributes:
        rows: Columns ``id`` (split and row number in the source), ``text`` (never null), ``label`` (class index or
            null); for multi-label models ``labels`` (a list of label numbers, or null), ``label`` being null; the
            built-in corpus also has ``evidence``, a list of start, end and grade.
        labels: Table of the classes; None where neither the source nor the caller knows them.
        provenance: Where the rows come from.
    """

    rows: Dataset
    labels: LabelTable | None
    provenance: Provenance

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the ids, texts and labels in their order, whatever the storage and the cache."""
        digest = hashlib.sha256()
        blocks = self.rows.select_columns(list(FEATURES)).with_format("arrow").iter(ROWS_PER_BLOCK)
        for block in cast(Iterator[pa.Table], blocks):
            for column in ("id", "text"):
                _update(digest.update, block.column(column).to_pylist())
            digest.update(np.asarray(block.column("label").fill_null(NO_LABEL), dtype="<i8").tobytes())
        if LABELS in self.rows.column_names:
            digest.update(json.dumps(list(self.rows[LABELS])).encode())
        return digest.hexdigest()

    @property
    def record(self) -> Provenance:
        """Where the rows come from, with their fingerprint."""
        return replace(self.provenance, fingerprint=self.fingerprint)


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

    def documents(self, with_labels: bool = True) -> Documents:
        """Choose and write the documents, without labels unless `with_labels`; raises as `load_documents`."""
        if self.source is None:
            return _planted_documents(self.config, self.role, self.labels, with_labels)
        rows = self.source.splits[self.split]
        columns = Columns.of(self.config, self.named, rows, self.split, labels_optional=self.role == "test")
        classes, sets = self._classes()
        if self.role != "test":
            _check_labelled(classes, self.split)
        chosen = _choose(self.config, self.role, classes)
        if self.role == "train":
            _check_classes(classes[chosen] if sets is None else [sets[row] for row in chosen], self.split)
        written = classes[chosen] if with_labels and sets is None else np.full(len(chosen), NO_LABEL, dtype=np.int64)
        documents = write_documents(rows, self.split, columns, chosen, written, self.source.in_place)
        if sets is not None:
            documents = with_label_sets(documents, [sets[row] if with_labels else None for row in chosen])
        provenance = _provenance(self.config, self.named, self.source, self.split, columns, len(chosen))
        return Documents(documents, self.labels if with_labels else None, provenance)

    def _classes(self) -> tuple[NDArray[np.int64], Sequence[list[int] | None] | None]:
        """Return the class of every row, or what stands for it in samples: its rarest label, beside all its labels."""
        if isinstance(self.raw, RawLabels):
            return class_indices(self.raw, self.labels, self.split) if self.labels else self.raw.codes, None
        if self.labels is None:
            return np.full(len(self.raw.counts), NO_LABEL, dtype=np.int64), [None] * len(self.raw.counts)
        sets = label_sets(self.raw, self.labels, self.split)
        return rarest_labels(sets, len(self.labels.names)), sets


def open_split(
    config: DataConfig, role: Role, labels: LabelTable | None = None, multi_label: bool = False
) -> OpenSplit:
    """Read the labels of a role's split; see `load_documents`."""
    _check(config, multi_label)
    named = NAMED.get(config.name or "", NamedSet())
    if config.name == PLANTED:
        names = planted.label_names(config.classes)
        raw = RawLabels(tuple(map(str, range(len(names)))), np.array([], dtype=np.int64), names)
        return OpenSplit(config, role, named, None, _planted_split(config, role), raw, labels or label_table(raw))
    source = _read(config, named)
    _check_splits(config, source, role)
    split = pick_split(source, *_wanted_split(config, role))
    available = source.splits[split]
    columns = Columns.of(config, named, available, split, labels_optional=role == "test")
    try:
        raw = _read_labels(available, columns.labels, split, multi_label)
    except NoLabelSetsError as error:
        if role != "test" or labels is not None:
            raise
        logger.info(f"no accuracy is reported: {error}")
        raw = _read_labels(available, (), split, multi_label)
    return OpenSplit(config, role, named, source, split, raw, labels or _table(config, named, source, split, raw))


def has_ordered_classes(config: DataConfig) -> bool:
    """Return whether the classes are ordered, as the configuration or else the named set says."""
    if config.ordered is not None:
        return config.ordered
    return config.name == PLANTED or NAMED.get(config.name or "", NamedSet()).ordered


def _read_labels(rows: Dataset, columns: Sequence[str], split: str, multi_label: bool) -> RawLabels | RawLabelSets:
    if not columns and multi_label:
        return RawLabelSets(RawLabels.absent(0), np.full(len(rows), NO_LABEL, dtype=np.int64))
    if not columns:
        return RawLabels.absent(len(rows))
    return read_label_sets(rows, columns, split) if multi_label else read_labels(rows, columns[0], split)


def _check(config: DataConfig, multi_label: bool) -> None:
    """Raise `UserError` with everything that is wrong with the configuration by itself."""
    problems = list(setting_problems(config, "data."))

    def refuse(name: str, why: str | UserError) -> None:
        problems.append(UserError(Setting(f"data.{name}", getattr(config, name)), why))

    if config.name is None and config.path is None:
        names = f" ({', '.join([*NAMED, PLANTED])} or a hub id) or "
        problems.append(UserError("give ", Setting("data.name"), names, Setting("data.path")))
    if config.validation_split is not None and config.validation_split == config.train_split:
        refuse("validation_split", UserError(" is also ", Setting("data.train_split")))
    if config.revision is not None and config.path is not None:
        refuse("revision", UserError(": it belongs to the hub and has no effect with ", Setting("data.path")))
    if config.clean and config.name not in NAMED:
        refuse("clean", f": only {', '.join(NAMED)} have a rule for cleaning")
    if config.text_columns is not None and not config.text_columns:
        refuse("text_columns", ": name one column or more")
    if config.label_columns is not None and not multi_label:
        refuse("label_columns", ": belongs to multi-label models; name one column with data.label_column")
    elif config.label_columns is not None and config.label_column is not None:
        refuse("label_columns", UserError(": give it or ", Setting("data.label_column"), ", not both"))
    elif config.label_columns is not None and (len(config.label_columns) < 2 or _repeats(config.label_columns)):
        refuse("label_columns", ": name two different columns or more")
    if config.name == PLANTED and multi_label:
        refuse("name", ": its documents have one class each, and the model is a multi-label one")
    if config.name == PLANTED:
        outer = ("path", "subset", "revision", "text_columns", "pair_column", "label_column", "label_columns", "clean")
        given = [Setting(f"data.{name}") for name in outer if getattr(config, name) is not None]
        if given:
            refuse("name", UserError(" is built in: leave out ", UserError.joined(given, ", ")))
    if problems:
        raise UserError.joined(problems)


def _read(config: DataConfig, named: NamedSet) -> Source:
    if config.path is not None:
        return read_path(config.path, config.subset, named.headerless)
    name = config.name or ""
    try:
        return read_hub(named.hub or name, config.subset or named.subset, config.revision, named.headerless)
    except UserError as error:
        hint = "" if "/" in name or name in NAMED else nearest(name, [*NAMED, PLANTED])
        raise UserError(error, hint) from error


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
        candidates.insert(0, _read_labels(training, columns, config.train_split, several))
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


def _check_labelled(classes: NDArray[np.int64], split: str) -> None:
    without = np.flatnonzero(classes == NO_LABEL)
    if len(without):
        raise UserError(
            f"{len(without)} of the {len(classes)} rows of split '{split}' have no label (null, -1 or empty), "
            f"the first is {split}/{without[0]}; training and validation need one for each"
        )


def _check_classes(classes: Sequence[int] | Sequence[list[int] | None] | NDArray[np.int64], split: str) -> None:
    """Refuse training documents among which there is nothing to tell apart."""
    if len({str(own) for own in classes}) < 2:
        raise UserError(
            f"the {len(classes)} training documents of split '{split}' are all of one class; two or more are needed"
        )


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
        label_column=", ".join(columns.labels) or None,
        cleaned=columns.clean is not unchanged,
        documents=documents,
        available=len(source.splits[split]),
        seed=config.seed,
    )


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _planted_split(config: DataConfig, role: Role) -> str:
    """Return the split of a role; the built-in corpus never mixes them: nothing is held out of training."""
    return "validation" if role == "validation" and config.validation_split is None else _wanted_split(config, role)[0]


def _planted_documents(config: DataConfig, role: Role, labels: LabelTable | None, with_labels: bool) -> Documents:
    """Generate documents of the built-in corpus."""
    split = _planted_split(config, role)
    size = {"train": config.train_size, "validation": config.validation_size, "test": config.test_size}[role]
    reviews = planted.planted_reviews(split, config.classes, size, config.seed)
    names = planted.label_names(config.classes)
    raw = RawLabels(tuple(map(str, range(len(names)))), np.array([review.label for review in reviews]), names)
    table = labels or label_table(raw)
    classes = class_indices(raw, table, split)
    content = {
        "id": [review.id for review in reviews],
        "text": [review.text for review in reviews],
        "label": classes if with_labels else [None] * len(reviews),
        "evidence": [[asdict(span) for span in review.evidence] for review in reviews],
    }
    rows = Dataset.from_dict(content, features=Features({**FEATURES, "evidence": EVIDENCE}))
    provenance = Provenance(
        PLANTED, None, None, None, split, ["text"], None, "label", False, len(rows), len(rows), config.seed
    )
    return Documents(rows, table if with_labels else None, provenance)


def _update(update: Callable[[bytes], object], texts: list[str]) -> None:
    """Add texts to a digest, their lengths first, so that different lists always add different bytes."""
    encoded = [text.encode() for text in texts]
    update(np.array([len(encoded), *map(len, encoded)], dtype="<i8").tobytes())
    update(b"".join(encoded))
