"""A hub classifier and its parts, run within a budget."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.models.special_tokens import named_padding, structural_token_ids
from eraserhead.patch.families import ReadOut, last_ends, read_out_positions
from eraserhead.patch.layers import Layers
from eraserhead.patch.read_out_probe import without_cache
from eraserhead.sites.budget import Budget
from eraserhead.sites.site import CROSS, DECODER, InsideName


@dataclass(frozen=True)
class Batch:
    """A batch of the model's inputs.

    Attributes:
        inputs: ``input_ids``, ``attention_mask`` and whatever else the model takes, ``[documents, tokens]`` each.
        mask: Which tokens exist.
        read_out: Position that each document's decision is read from.
    """

    inputs: Mapping[str, Tensor]
    mask: Bool[Tensor, "documents tokens"]
    read_out: Int[Tensor, " documents"]

    def inputs_of(self, documents: Int[Tensor, " rows"]) -> dict[str, Tensor]:
        """Return the inputs of some documents, which may repeat."""
        return {name: values[documents] for name, values in self.inputs.items()}


@dataclass(frozen=True)
class Entries:
    """The weights of a site, with the autograd graph from them to the logits.

    Attributes:
        weights: One tensor for each layer, ``[rows, heads, queries, keys]``.
        queries: Queries whose weights belong to the site.
        logits: The logits computed from the weights.
        shifted: Numbers of the tensors whose keys stand for the token before them, as a decoder's inputs do, each with
            the keys of the document: behind its end a decoder reads the end once more.
        wrapped: Whether the first key of those stands for the document's last token; otherwise it stands for none.
    """

    weights: list[Float[Tensor, "rows heads queries keys"]]
    queries: Bool[Tensor, "rows queries"]
    logits: Float[Tensor, "rows classes"]
    shifted: Mapping[int, Bool[Tensor, "rows keys"]] = field(default_factory=dict)
    wrapped: bool = False

    def by_token(self, number: int, values: Float[Tensor, "rows keys"]) -> Float[Tensor, "rows keys"]:
        """Return what belongs to each token of what belongs to each key of one of the tensors."""
        if number not in self.shifted:
            return values
        mask = self.shifted[number]
        moved = torch.nn.functional.pad((values * mask)[:, 1:], (0, 1))
        return moved.scatter_add(1, mask.sum(-1, keepdim=True) - 1, values[:, :1]) if self.wrapped else moved


@runtime_checkable
class Replay(Protocol):
    """A way to run a model again on a batch that it has read, from the site upwards."""

    @property
    def batch(self) -> Batch:
        """The model's inputs."""
        ...

    @property
    def model_logits(self) -> Float[Tensor, "documents classes"]:
        """The model's own logits."""
        ...

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run some documents with the site's weights as variables, nothing erased."""
        ...

    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Return logits of some documents, which may repeat, with everything outside each keep mask erased."""
        ...


def calls_of(name: InsideName, layers: Layers) -> range:
    """Return the calls of attention that a site erases in, of those that a forward pass makes."""
    if name.layer is None:
        return range(layers.attentions)
    first = name.layer
    if name.part in (DECODER, CROSS):
        assert layers.encoder is not None
        first = layers.encoder + 2 * name.layer + (name.part == CROSS)
    return range(first, first + 1)


@dataclass(frozen=True)
class Runner:
    """A hub classifier, and how much of it may run at a time.

    Attributes:
        model: The classifier, in eval mode.
        layers: Its layers.
        heads: Which heads are erased, ``[heads]``.
        budget: How much runs at a time.
    """

    model: PreTrainedModel
    layers: Layers
    heads: Bool[Tensor, " heads"]
    budget: Budget

    @property
    def read_out(self) -> ReadOut:
        """Where the decision is read from."""
        return self.layers.read_out

    @cached_property
    def _caching(self) -> dict[str, Any]:
        return without_cache(self.model)

    @cached_property
    def all_heads(self) -> bool:
        """Whether every head is erased."""
        return bool(self.heads.all())

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return len(self.layers) - 1

    def run(self, inputs: Mapping[str, Tensor], first: int = 0, **erasure: Any) -> Float[Tensor, "rows classes"]:
        """Return the logits of one forward pass that starts at layer `first`; call it inside `erasable`."""
        return self.model(**inputs, attention_first=first, **self._caching, **erasure).logits

    def rows(self, tokens: int, layers: int = 1, keys: int | None = None) -> int:
        """Return how many rows of `tokens` tokens may run at a time; at least one.

        Args:
            tokens: Tokens of a row.
            layers: Layers whose intermediate results are held, as for a gradient; of a decoder's layers the part that
                attends to itself and the part that attends to the encoder count as one each.
            keys: Keys of each token's attention; default: the row's own tokens.
        """
        hidden, weights = (
            self.model.config.get_text_config().hidden_size,
            tokens * self.layers.heads * (tokens if keys is None else keys),
        )
        row = tokens * (8 * hidden + 2 * self.widest) + 4 * weights
        by_memory = int(self.budget.memory // (layers * row * self.model.dtype.itemsize))
        by_speed = self.budget.replayed_tokens // tokens
        return max(1, min(by_memory, by_speed))

    @cached_property
    def widest(self) -> int:
        """Width of the widest intermediate result of a layer."""
        return max(max(weight.shape) for weight in self.layers.modules[-1].parameters() if weight.dim() > 1)

    def batch(self, inputs: Mapping[str, Tensor]) -> Batch:
        """Return the inputs with the positions that decisions are read from."""
        ids, config = inputs["input_ids"], self.model.config
        if self.layers.encoder is not None:
            read_out = last_ends(ids, config.eos_token_id)  # mBART's texts go on with their language
        else:
            read_out = read_out_positions(self.read_out, ids, named_padding(config))
        return Batch(inputs, inputs["attention_mask"].bool(), read_out)

    def in_heads(self, keep: Bool[Tensor, "rows 1 1 queries keys"]) -> Bool[Tensor, "rows 1 _ queries keys"]:
        """Return the mask for the heads that are erased; the others keep everything."""
        return keep if self.all_heads else keep | ~self.heads.view(1, 1, -1, 1, 1)

    def dummies(self, rows: int) -> dict[str, Tensor]:
        """Return inputs of one token each, whose decision is read from that token."""
        special = structural_token_ids(self.model.config)
        ordinary = next(number for number in range(len(special) + 1) if number not in special)
        ids = torch.full((rows, 1), ordinary, device=self.model.device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
