"""A hub classifier opened at several layers at once (METHOD section 13)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import pyarrow as pa
from accelerate import Accelerator

from eraserhead.data.config import DataConfig
from eraserhead.errors import Job, Setting, UserError
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.checks import instead_of_inside
from eraserhead.loading.config import ReadingConfig, SiteConfig
from eraserhead.loading.opened import OpenedModel, open_model
from eraserhead.method.reading import Reading
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.sites.inside.every_layer import EveryLayer, LayerRead
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import InsideName


@dataclass(frozen=True)
class OpenedLayers:
    """A model whose layers are read at once.

    Attributes:
        opened: The model; it reads documents as at any one layer.
        every_layer: Its layers.
    """

    opened: OpenedModel
    every_layer: EveryLayer

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the layers that are read."""
        return self.every_layer.layers

    @property
    def heads(self) -> int:
        """Number of heads of each layer."""
        return self.every_layer.runner.layers.heads

    @property
    def all_layers(self) -> int:
        """Number of layers of the model."""
        return len(self.every_layer.runner.layers)

    def batches(
        self, documents: pa.Table, rows: Mapping[str, Sequence[Any]], budget: int | None = None
    ) -> list[list[int]]:
        """Return batches of tokenised documents, as `OpenedModel.batches` does; all layers' readings fit in memory."""
        return self.opened.batches(documents, rows, budget or self.every_layer.tokens_at_once)

    def read(self, rows: Mapping[str, Sequence[Any]], batch: Sequence[int]) -> "list[LayerReadings]":
        """Read some tokenised documents at every layer in one pass.

        Raises:
            DocumentError: The model's logits for one of them are not finite.
        """
        found = self.every_layer.read(self.opened.inputs(rows, batch))
        return [LayerReadings(self.opened, each, rows, batch) for each in found]


@dataclass(frozen=True)
class LayerReadings:
    """Documents as read at one layer.

    Attributes:
        opened: The model.
        read: What was read.
        rows: Tokenised documents.
        batch: Which of them were read.
    """

    opened: OpenedModel
    read: LayerRead
    rows: Mapping[str, Sequence[Any]]
    batch: Sequence[int]

    @property
    def layer(self) -> int:
        """Number of the layer."""
        return self.read.layer

    def at(self, head: int | None) -> Reading:
        """Return the reading of one head, or of all heads together; where documents have units, of these.

        Raises:
            DocumentError: The model's logits for one of the documents are not finite.
        """
        return self.opened.checked(self.read.reading(head), self.rows, self.batch)


def open_layers(
    checkpoint: Checkpoint,
    options: ReadingConfig,
    layers: Sequence[int] | None,
    data: DataConfig,
    accelerator: Accelerator,
) -> OpenedLayers:
    """Open a loaded model at several of its layers, on the device in use.

    Args:
        checkpoint: The model.
        options: How it is loaded, and what its components are.
        layers: The layers, negative ones from the last; default: all.
        data: How much of a document is read.
        accelerator: The device.

    Raises:
        UserError: The model has no such layers, or none that can be erased one by one.
    """
    check_layered(checkpoint)
    given = {each.name: getattr(options, each.name) for each in fields(ReadingConfig)}
    opened = open_model(checkpoint, SiteConfig(**given, site="layer:0"), data, accelerator)
    assert isinstance(opened.site, SelfAttentionSite)
    with instead_of_inside(checkpoint.name):
        every_layer = EveryLayer(opened.site, layers)
    kind = InsideName(0, every_layer.every_query).kind
    return OpenedLayers(replace(opened, setup=replace(opened.setup, site=kind)), every_layer)


def check_layered(checkpoint: Checkpoint) -> None:
    """Refuse a model without layers of one kind that the decision follows from.

    Raises:
        UserError: Saying what erases its attention instead.
    """
    model, name = checkpoint.model, checkpoint.name
    if isinstance(model, AttentionPoolingForSequenceClassification):
        why = f"{name}: is read at its attention-pooling layers alone, and has no atlas of its encoder's layers; "
        raise UserError(why, "erase these with ", Job("erase"))
    if model.config.is_encoder_decoder:
        why = f"{name}: a '{model.config.model_type}' model has layers of two kinds, an encoder's and a decoder's, "
        raise UserError(why, "and no atlas; erase in one of them with ", Job("erase", (Setting("site", "cross:0"),)))
