"""The interface of a site, and the names of sites (METHOD section 6)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from eraserhead.errors import Setting, UserError
from eraserhead.method.reading import Reading

POOLING, WORDS, ALL_LAYERS = "pooling", "words", "all"
LAYER = re.compile(r"(layer|decoder|cross|encoder):(-?\d+)(:all)?")
ENCODER, DECODER, CROSS = "encoder", "decoder", "cross"  # parts of a model that has both


@runtime_checkable
class Site(Protocol):
    """A place in a model with attention weights over components, and a decision that depends on them."""

    @property
    def gives(self) -> frozenset[str]:
        """Names of the signals that it can compute when it is asked for them."""
        ...

    def read(self, batch: Mapping[str, Tensor], signals: Collection[str]) -> Reading:
        """Read a batch of ``input_ids`` and ``attention_mask`` in one ordinary pass.

        Args:
            batch: The model's inputs.
            signals: Signals to compute for each component beside its weight, all of them among those that the site
                gives; others may be left out. Costly ones are computed when the reading is first asked for them.
        """
        ...


@dataclass(frozen=True)
class InsideName:
    """The name of a site inside a model: ``layer:L``, ``layer:L:all`` or ``all``.

    Of a model with an encoder and a decoder ``encoder:L``, and ``decoder:L`` or ``cross:L`` in place of ``layer:L``.

    Attributes:
        layer: Number of the layer from 0; negative ones count from the last; None: all layers.
        every_query: Whether weights from every query are erased, or from the read-out position alone. Where a model
            allows the first alone (``encoder:L``, ``all``, a mean over tokens), the site says so in its own name.
        part: Of a model with an encoder and a decoder: ``encoder`` or ``decoder`` for the self-attention of either,
            ``cross`` for the decoder's attention to the encoder; None for other models.
    """

    layer: int | None = -1
    every_query: bool = False
    part: str | None = None

    def __str__(self) -> str:
        return self._written(str(self.layer))

    @property
    def kind(self) -> str:
        """The name with ``L`` in place of the layer's number."""
        return self._written("L")

    def _written(self, layer: str) -> str:
        if self.layer is None:
            return ALL_LAYERS
        # In an encoder there is no position that the decision is read from: `all` goes without saying.
        return f"{self.part or 'layer'}:{layer}{':all' * (self.every_query and self.part != ENCODER)}"


def is_inside(text: str) -> bool:
    """Tell whether a text names a site inside an encoder."""
    return text == ALL_LAYERS or LAYER.fullmatch(text) is not None


def parse_inside(text: str) -> InsideName:
    """Read ``layer:L``, ``layer:L:all``, ``all``, or a site of a model with an encoder and a decoder.

    Raises:
        UserError: The text is none of these.
    """
    if text == ALL_LAYERS:
        return InsideName(None)
    found = LAYER.fullmatch(text)
    if found is None:
        raise UserError(
            Setting("site", text),
            ": not a site inside a model; give layer:L (weights of the position that the decision is read from), "
            "layer:L:all (weights of every position) or all (every layer), and of a model with an encoder and a "
            "decoder encoder:L, or decoder:L or cross:L in place of layer:L; layers count from 0",
        )
    return InsideName(int(found[2]), found[3] is not None, found[1] if found[1] != "layer" else None)


def float64_device(device: torch.device) -> torch.device:
    """Return the device for the method's float64 arithmetic: the CPU for Apple's devices, which have no float64."""
    return torch.device("cpu") if device.type == "mps" else device
