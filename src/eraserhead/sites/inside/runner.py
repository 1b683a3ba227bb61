"""A hub classifier and its parts, run under a memory budget."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.models.special_tokens import named_padding, structural_token_ids
from eraserhead.patch.families import ReadOut, family_of, read_out_positions
from eraserhead.patch.layers import Layers

ROW_TOKENS = {"cpu": 2048}  # tokens run at a time, where memory allows more: larger products are no quicker
DEFAULT_ROW_TOKENS = 65536


@dataclass(frozen=True)
class Kept:
    """What one ordinary pass leaves for the replays of its documents.

    Attributes:
        documents: For every row the document that it is of.
        inputs: What the model was given.
        mask: Which tokens exist.
        read_out: Position that each document's decision is read from.
        hidden: Input of the layer at which the replay starts; null where all layers run.
        row: Input of the site's layer at the read-out position, where only this query is erased.
        scores: Attention scores of the read-out position, -inf where it may not attend; likewise.
        values: Values of the site's attention; likewise.
    """

    documents: Int[Tensor, " rows"]
    inputs: Mapping[str, Tensor]
    mask: Bool[Tensor, "documents tokens"]
    read_out: Int[Tensor, " documents"]
    hidden: Float[Tensor, "documents tokens hidden"] | None = None
    row: Float[Tensor, "documents 1 hidden"] | None = None
    scores: Float[Tensor, "documents heads keys"] | None = None
    values: Float[Tensor, "documents key_heads keys head_size"] | None = None

    def select(self, documents: Int[Tensor, " rows"]) -> "Kept":
        """Return the same for other rows; the tensors stay where they are."""
        return replace(self, documents=self.documents[documents])

    def inputs_of(self, documents: Int[Tensor, " rows"]) -> dict[str, Tensor]:
        """Return what the model is given for some documents."""
        return {name: values[documents] for name, values in self.inputs.items()}


@dataclass(frozen=True)
class Entries:
    """The weights of a site with a graph to the logits.

    Attributes:
        weights: One tensor a layer; ``[rows, heads, queries, keys]``.
        queries: Which queries count.
        logits: What they lead to.
    """

    weights: list[Float[Tensor, "rows heads queries keys"]]
    queries: Bool[Tensor, "rows queries"]
    logits: Float[Tensor, "rows classes"]


@dataclass(frozen=True)
class Runner:
    """A hub classifier, and how much of it may run at a time.

    Attributes:
        model: In eval mode.
        layers: Its layers.
        heads: Which heads are erased, ``[heads]``; null: all.
        memory_budget: Bytes that one run may take beside the model.
    """

    model: PreTrainedModel
    layers: Layers
    heads: Bool[Tensor, " heads"] | None
    memory_budget: float

    @cached_property
    def read_out(self) -> ReadOut:
        """Where the decision is read from."""
        return family_of(self.model.config).read_out_of(self.model.config)

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return len(self.layers) - 1

    def run(self, inputs: Mapping[str, Tensor], first: int = 0, **erasure: Any) -> Float[Tensor, "rows classes"]:
        """Return the logits of one forward pass, in which `first` is the first layer that runs; inside `erasable`."""
        caching = {"use_cache": False} if self.read_out is ReadOut.LAST else {}
        return self.model(**inputs, attention_first=first, **caching, **erasure).logits

    def rows(self, tokens: int, layers: int = 1, keys: int | None = None) -> int:
        """Return how many rows of so many tokens may run at a time; one in any case.

        Args:
            tokens: Tokens a row.
            layers: Layers whose intermediate results stay, as they do for a gradient.
            keys: Keys of each token's attention; default: the row's own tokens.
        """
        hidden, weights = self.model.config.hidden_size, tokens * self.layers.heads * (tokens if keys is None else keys)
        row = tokens * (8 * hidden + 2 * self.widest) + 4 * weights
        by_memory = int(self.memory_budget // (layers * row * self.model.dtype.itemsize))
        by_speed = ROW_TOKENS.get(self.model.device.type, DEFAULT_ROW_TOKENS) // tokens
        return max(1, min(by_memory, by_speed))

    @cached_property
    def widest(self) -> int:
        """Width of the widest intermediate result of a layer."""
        return max(max(weight.shape) for weight in self.layers.modules[-1].parameters() if weight.dim() == 2)

    def bare(self, inputs: Mapping[str, Tensor]) -> "Kept":
        """Return the state of a batch without anything of the layers."""
        ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
        documents = torch.arange(len(ids), device=ids.device)
        return Kept(documents, inputs, mask, read_out_positions(self.read_out, ids, named_padding(self.model.config)))

    def in_heads(self, keep: Bool[Tensor, "rows 1 1 queries keys"]) -> Bool[Tensor, "rows 1 _ queries keys"]:
        """Return the mask for the heads that are erased; the others keep everything."""
        return keep if self.heads is None else keep | ~self.heads.view(1, 1, -1, 1, 1)

    def dummies(self, rows: int) -> dict[str, Tensor]:
        """Return inputs of one token each, whose decision is read from that token."""
        special = structural_token_ids(self.model.config)
        ordinary = next(number for number in range(len(special) + 1) if number not in special)
        ids = torch.full((rows, 1), ordinary, device=self.model.device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
