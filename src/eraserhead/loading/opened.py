"""A model opened at a site: what `erase` and `explain` do before their work."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import Tensor

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.labels import matched_labels
from eraserhead.data.tokens import TYPES
from eraserhead.errors import DocumentError, UserError
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.checks import check_types, check_vocabulary
from eraserhead.loading.config import ONE_SEQUENCE, SiteConfig
from eraserhead.loading.fingerprints import weights_fingerprint
from eraserhead.loading.reader import DocumentReader, largest, reader_for
from eraserhead.loading.setup import SENTENCES, TOKENS, ModelSetup, SiteSetup
from eraserhead.models.encoders import structural_token_ids
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.inside.site import SelfAttentionSite, parse_place
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.site import Attention, Site
from eraserhead.sites.words import WordsSite

logger = logging.getLogger("eraserhead")

POOLING, WORDS = "pooling", "words"
GIGABYTE = 10**9
INSIDE_ALONE = "belongs to sites inside an encoder; this model's are its own attention layers"


@dataclass(frozen=True)
class OpenedModel:
    """A model at a site, and how it reads documents.

    Attributes:
        checkpoint: The model with its tokenizer.
        site: Where weights are read and erased.
        setup: The same as results record it.
        device: Where the model is.
        reader: How documents become its inputs.
    """

    checkpoint: Checkpoint
    site: Site
    setup: SiteSetup
    device: torch.device
    reader: DocumentReader

    @property
    def model_setup(self) -> ModelSetup:
        """The model as results record it."""
        found = self.checkpoint
        return ModelSetup(found.name, found.revision, weights_fingerprint(found.model), found.class_names)

    def tokenize(self, rows: Dataset) -> Dataset:
        """Add the tokens of every document.

        Raises:
            UserError: The model does not read documents of two sequences, or has no vector for one of the tokens.
        """
        model, name = self.checkpoint.model, self.checkpoint.name
        if "second" in rows.column_names and isinstance(model, AttentionPoolingForSequenceClassification):
            raise UserError(f"--data.pair_column: {ONE_SEQUENCE}")
        tokenized = self.reader.tokenize(rows, self.checkpoint.tokenizer)
        check_vocabulary(model, largest(tokenized, "input_ids"), name)
        if TYPES in tokenized.column_names:
            check_types(model, largest(tokenized, TYPES), name)
        return tokenized

    def inputs(self, rows: Mapping[str, Sequence[Any]], batch: Sequence[int]) -> dict[str, Tensor]:
        """Return the model's inputs for some tokenised documents, on its device."""
        types = [rows[TYPES][row] for row in batch] if TYPES in rows else None
        inputs = self.reader.pad([rows["input_ids"][row] for row in batch], self.checkpoint.padding, types)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}

    def read(self, rows: Mapping[str, Sequence[Any]], batch: Sequence[int]) -> Attention:
        """Read some tokenised documents at the site.

        Raises:
            DocumentError: The model's logits of one of them are no numbers.
        """
        attention = self.site.read(self.inputs(rows, batch))
        broken = ~(attention.whole.logits.isfinite().all(-1) & attention.margin_gradient.isfinite().all(-1))
        if broken.any():
            first = rows["id"][batch[int(broken.int().argmax())]]
            raise DocumentError(
                f"document {first}: the model's logits are NaN or infinite; load it in float32, or train it again"
            )
        return attention


def open_model(checkpoint: Checkpoint, config: SiteConfig, data: DataConfig, accelerator: Accelerator) -> OpenedModel:
    """Open a loaded model at the site that the options name, on the device in use.

    Args:
        checkpoint: The model.
        config: Where weights are erased.
        data: How much of a document is read.
        accelerator: The device.

    Raises:
        UserError: The model has no such site, the options do not belong to it, or it has no vector for its padding.
    """
    check_vocabulary(checkpoint.model, checkpoint.padding, checkpoint.name)
    if isinstance(checkpoint.model, AttentionPoolingForSequenceClassification):
        site, setup, device = _pooling(checkpoint.model, config, accelerator)
    else:
        site, setup, device = _inside(checkpoint, config, accelerator)
    reader = reader_for(checkpoint.model, checkpoint.tokenizer, data, cut_to_window=True)
    return OpenedModel(checkpoint, site, setup, device, reader)


def documents_for(checkpoint: Checkpoint, data: DataConfig, label_map: Sequence[str] | None = None) -> Documents:
    """Load the documents to erase; labels are read with the run's own table, or matched to the model's by name."""
    if checkpoint.labels is not None and checkpoint.data is not None and _same_set(checkpoint.data, data):
        if label_map:
            raise UserError("--label_map: the data is the run's own, whose classes are the model's; leave it out")
        documents = load_documents(data, "test", checkpoint.labels)
        if documents.provenance.split == checkpoint.train_split:
            logger.info(f"the documents of '{checkpoint.train_split}' include those that the model was trained on")
        return documents
    documents = load_documents(data, "test")
    if documents.labels is None:
        return documents
    matched = matched_labels(documents.labels, checkpoint.class_names, label_map)
    if matched is not None:
        return load_documents(data, "test", matched)
    logger.info(
        f"no accuracy is reported: the data's classes ({', '.join(documents.labels.names)}) are not the model's "
        f"({', '.join(checkpoint.class_names)}); say which mean the same with --label_map data=model,..."
    )
    rows = documents.rows
    unlabelled = rows.map(_without_labels, batched=True, input_columns=["label"], features=rows.features)
    return dataclasses.replace(documents, rows=unlabelled, labels=None)


def _pooling(
    model: AttentionPoolingForSequenceClassification, config: SiteConfig, accelerator: Accelerator
) -> tuple[Site, SiteSetup, torch.device]:
    architecture = model.config.architecture
    known = (POOLING, WORDS) if architecture.hierarchical else (POOLING,)
    problems = [
        f"--site {config.site}: a model with attention-pooling layers is erased there, --site {' or '.join(known)}"
    ]
    problems = problems if config.site not in (None, *known) else []
    inside = {"heads": config.heads, "special_tokens": config.special_tokens}
    inside |= {"search": config.search} if config.site != WORDS else {}
    problems += [f"--{name}: {INSIDE_ALONE}" for name, value in inside.items() if value not in (None, "none")]
    if problems:
        raise UserError("; ".join(problems))
    model = model.to(accelerator.device)
    by_word = config.site == WORDS
    setup = SiteSetup(
        site=config.site or POOLING,
        components=SENTENCES if architecture.hierarchical and not by_word else TOKENS,
        special_tokens=architecture.pool_special_tokens,
        search=config.search,
        dtype=config.dtype,
    )
    site = WordsSite(model, config.memory_budget * GIGABYTE) if by_word else PoolingSite(model)
    return site, setup, accelerator.device


def _inside(
    checkpoint: Checkpoint, config: SiteConfig, accelerator: Accelerator
) -> tuple[Site, SiteSetup, torch.device]:
    if config.site == POOLING:
        raise UserError(
            f"--site {POOLING}: a '{checkpoint.model.config.model_type}' model has no attention-pooling layer; choose "
            "layer:L, layer:L:all or all, or put a head on its encoder with `eraserhead train`"
        )
    # Apple's devices have no float64, in which the method's arithmetic is done.
    device = torch.device("cpu") if accelerator.device.type == "mps" else accelerator.device
    with_special = config.special_tokens is not False
    site = SelfAttentionSite(
        checkpoint.model.to(device),  # pyright: ignore[reportArgumentType] - its decorator hides the method
        parse_place(config.site or "layer:-1"),
        heads=config.heads,
        left_out=() if with_special else structural_token_ids(checkpoint.tokenizer),
        memory_budget=config.memory_budget * GIGABYTE,
    )
    setup = SiteSetup(
        site=str(site.place),
        heads=None if site.heads is None else tuple(site.heads),
        special_tokens=with_special,
        search=config.search,
        dtype=config.dtype,
    )
    return site, setup, device


def _without_labels(labels: list[int | None]) -> dict[str, list[None]]:
    return {"label": [None] * len(labels)}


def _same_set(first: DataConfig, second: DataConfig) -> bool:
    return first.name == second.name if first.name is not None else first.path == second.path
