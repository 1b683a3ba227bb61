"""Open a model at a site, as `erase` and `explain` do first."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.data.arrow import number_lists
from eraserhead.data.bars import without_bars
from eraserhead.data.batching import buckets, pad
from eraserhead.data.class_matching import matched_labels, unmatched
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, OpenSplit, load_documents, open_split
from eraserhead.data.encoding import TYPES
from eraserhead.data.label_sets import with_label_sets
from eraserhead.data.provenance import LabelsRead
from eraserhead.data.units import UNITS
from eraserhead.errors import DocumentError, Setting, UserError
from eraserhead.loading import devices
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.checks import check_ends, check_types, check_vocabulary
from eraserhead.loading.components_choice import over_sentences
from eraserhead.loading.config import ONE_TEXT, SiteConfig
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.reader import WHOLE_PAIRS, DocumentReader, largest, reader_for, reading_as
from eraserhead.loading.setup import ModelSetup, SiteSetup
from eraserhead.loading.site_table import open_site
from eraserhead.method.groups import grouped
from eraserhead.method.names import TOKENS
from eraserhead.method.reading import Reading
from eraserhead.method.signals import GRADIENTS
from eraserhead.models.architecture import CUT, MULTI_LABEL
from eraserhead.sites.budget import budget_for
from eraserhead.sites.site import Site

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class OpenedModel:
    """A model at a site, and how it reads documents.

    Attributes:
        checkpoint: The model with its tokenizer.
        site: Where weights are read and erased.
        setup: The site, as results record it.
        device: Device of the model.
        reader: How documents become its inputs.
        kind_of: Numbers that documents have to share to be read in one batch; None where any may.
    """

    checkpoint: Checkpoint
    site: Site
    setup: SiteSetup
    device: torch.device
    reader: DocumentReader
    kind_of: Callable[[Sequence[int]], tuple[int, ...]] | None = None

    @property
    def model_setup(self) -> ModelSetup:
        """The model as results record it."""
        found = self.checkpoint
        return ModelSetup(
            found.name,
            found.revision,
            weights_fingerprint(found.model),
            found.class_names,
            found.base,
            seen=None if found.seen is None else found.seen.fingerprint,
            unexpected=found.unexpected,
            pickled=found.pickled,
            lent_padding=found.lent_padding,
            own_code=found.runs_own_code,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, of a model that decides label by label; else none."""
        return () if self.setup.targets is None else self.checkpoint.class_names

    def tokenize(self, rows: Dataset) -> Dataset:
        """Add the tokens of every document.

        Raises:
            UserError: The documents are pairs that the model cannot read, a token has no embedding, or a document
                lacks the end that the model reads its decision from.
        """
        model, name = self.checkpoint.model, self.checkpoint.name
        if "second" in rows.column_names and self.reader.hierarchical:
            raise UserError(f"the documents are pairs, and {ONE_TEXT}")
        if "second" in rows.column_names and self.reader.limits.long_documents != CUT:
            raise UserError(f"the documents are pairs, and {WHOLE_PAIRS}; give ", Setting("data.long_documents", CUT))
        tokenized = self.reader.tokenize(rows, self.checkpoint.tokenizer)
        check_inputs(model, tokenized, name)
        if model.config.is_encoder_decoder:
            check_ends(model, tokenized, name)
        return tokenized

    def rows(self, documents: pa.Table) -> dict[str, Sequence[Any]]:
        """Return what `read` needs of tokenised documents, in lists."""
        names = [name for name in ("input_ids", TYPES, UNITS) if name in documents.column_names]
        plain = self.reader.hierarchical or self.kind_of is not None  # else arrays, which cost less
        as_lists = pa.ChunkedArray.to_pylist if plain else number_lists
        columns = {name: as_lists(documents.column(name)) for name in names}
        return {"id": documents.column("id").to_pylist(), **columns}

    def kinds(self, rows: Mapping[str, Sequence[Any]]) -> list[tuple[int, ...]] | None:
        """Return numbers for each tokenised document; those of different numbers cannot share a batch."""
        return None if self.kind_of is None else [self.kind_of(ids) for ids in rows["input_ids"]]

    def batches(
        self, documents: pa.Table, rows: Mapping[str, Sequence[Any]], budget: int | None = None
    ) -> list[list[int]]:
        """Return batches of tokenised documents of similar length, which can be read together.

        Args:
            documents: The documents.
            rows: What `rows` returns of them.
            budget: Most tokens of a batch, padding included; default: what suits the device.
        """
        lengths = self.reader.encoded(documents.column("tokens").to_pylist())
        return buckets(range(len(lengths)), lengths, budget or budget_for(self.device).tokens, self.kinds(rows))

    def inputs(self, rows: Mapping[str, Sequence[Any]], batch: Sequence[int]) -> dict[str, Tensor]:
        """Return the model's inputs for some tokenised documents, on its device."""
        types = [rows[TYPES][row] for row in batch] if TYPES in rows else None
        padded = self.reader.pad([rows["input_ids"][row] for row in batch], self.checkpoint.padding, types)
        return devices.copied(padded, self.device)

    def read(self, rows: Mapping[str, Sequence[Any]], batch: Sequence[int], signals: Collection[str]) -> Reading:
        """Read some tokenised documents at the site, with the signals that the rankings need.

        Where they have units, these are the components of what is returned.

        Raises:
            DocumentError: The model's logits for one of them are not finite.
        """
        return self.checked(self.site.read(self.inputs(rows, batch), signals), rows, batch)

    def checked(self, reading: Reading, rows: Mapping[str, Sequence[Any]], batch: Sequence[int]) -> Reading:
        """Return a reading of some tokenised documents; where they have units, these are its components.

        Raises:
            DocumentError: The model's logits for one of them are not finite.
        """
        broken = ~reading.unerased.logits.isfinite().all(-1)
        for name in GRADIENTS.intersection(reading.signals):  # others may be computed later
            broken |= ~reading.signals[name].isfinite().all(-1)
        if broken.any():
            first = rows["id"][batch[int(broken.int().argmax())]]
            raise DocumentError(
                f"document {first}: the model's logits are NaN or infinite; load it in float32, or train it again"
            )
        if UNITS not in rows:
            return reading
        units = pad([rows[UNITS][row] for row in batch], 0)["input_ids"]
        return grouped(reading, units.to(reading.mask.device))


def check_inputs(model: PreTrainedModel, rows: Dataset, name: str) -> None:
    """Refuse tokenised documents with a token, or a type of one, that the model has no vector for.

    Raises:
        UserError: Naming the largest id.
    """
    check_vocabulary(model, largest(rows, "input_ids"), name)
    if TYPES in rows.column_names:
        check_types(model, largest(rows, TYPES), name)


def open_model(checkpoint: Checkpoint, config: SiteConfig, data: DataConfig, accelerator: Accelerator) -> OpenedModel:
    """Open a loaded model at the site that the options name, on the device in use.

    Args:
        checkpoint: The model.
        config: Where weights are erased.
        data: How much of a document is read.
        accelerator: The device.

    Raises:
        UserError: The model has no such site, options have no effect at it, or the padding token has no embedding.
    """
    check_vocabulary(checkpoint.model, checkpoint.padding, checkpoint.name)
    asked = config.components or TOKENS
    reader = reader_for(checkpoint.model, checkpoint.tokenizer, data, cut_to_window=True, unit=asked)
    checkpoint = replace(checkpoint, model=reading_as(checkpoint.model, reader))
    at = open_site(checkpoint, config, accelerator)
    unit = TOKENS if over_sentences(checkpoint.model, at.setup.site) else at.setup.components
    return OpenedModel(checkpoint, at.site, at.setup, at.device, replace(reader, unit=unit), at.kind_of)


def documents_for(checkpoint: Checkpoint, data: DataConfig, label_map: Sequence[str] | None = None) -> Documents:
    """Load the documents to erase; labels are read with the run's own table, or matched to the model's by name.

    Raises:
        UserError: They cannot be read, or `label_map` has no effect on them.
    """
    multi_label = checkpoint.model.config.problem_type == MULTI_LABEL
    if checkpoint.labels is not None and checkpoint.data is not None and _same_set(checkpoint.data, data):
        if label_map:
            raise UserError(Setting("label_map"), ": the run's own data has the model's classes already; leave it out")
        documents = load_documents(data, "test", checkpoint.labels, multi_label)
        return replace(documents, labels_read=LabelsRead("training"))
    split = open_split(data, "test", multi_label=multi_label)
    single = not multi_label and len(checkpoint.class_names) == 1
    if label_map and (single or split.labels is None):
        why = "the model has a single output, whose labels are 0 and 1" if single else "the documents have no labels"
        raise UserError(Setting("label_map"), f": has no effect: {why}; leave it out")
    if split.labels is None:
        return replace(split.documents(), labels_read=LabelsRead("none"))
    if split.labels.absent:
        logger.info(split.labels.describe())
    if single:
        return _with_one_label(split)
    matched = matched_labels(split.labels, checkpoint.class_names, label_map)
    read = LabelsRead("label_map" if label_map else "name", split.labels.names, split.labels.absent)
    if matched is not None:
        return replace(split.read_as(matched).documents(), labels_read=read)
    logger.info("%s", unmatched(split.labels, checkpoint.class_names, label_map))
    return replace(split.documents(with_labels=False), labels_read=replace(read, by="unmatched"))


@without_bars()
def _with_one_label(split: OpenSplit) -> Documents:
    """Load documents for a model with a single output: labels are read where they are 0 and 1."""
    documents = split.documents()
    written = {} if split.labels is None else {raw.casefold(): index for raw, index in split.labels.mapping.items()}
    states = {index: raw in ("1", "true") for raw, index in written.items()}
    known = set(written) <= {"0", "1"} or set(written) <= {"false", "true"}
    if not known:
        logger.info("no accuracy is reported: the model has a single output, and the data's labels are not 0 and 1")
    sets = [[0] * states[label] if known and label is not None else None for label in documents.rows["label"]]
    without = documents.rows.map(lambda row: {"label": None}, features=documents.rows.features)
    read = LabelsRead("index" if written and known else "unmatched" if written else "none")
    return replace(documents, rows=with_label_sets(without, sets), labels=None, labels_read=read)


def _same_set(first: DataConfig, second: DataConfig) -> bool:
    """Tell whether labels are read from the same place; a named set may lie at a path of its own."""
    places = ("name", "path", "subset", "label_column", "label_columns")
    return all(getattr(first, place) == getattr(second, place) for place in places)
