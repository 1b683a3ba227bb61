"""A hub classifier and its parts, run within a budget."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.models.special_tokens import named_padding, structural_token_ids
from eraserhead.patch.dry_run import same_logits
from eraserhead.patch.families import ReadOut, Route, last_ends, read_out_positions
from eraserhead.patch.interface import AttentionRecord
from eraserhead.patch.layers import Layers
from eraserhead.patch.read_out_probe import without_cache
from eraserhead.sites.budget import Budget
from eraserhead.sites.inside.row import attend, rows_at, scores_at, vectors_at
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
class Pass:
    """What one forward pass gave.

    Attributes:
        logits: The logits.
        hidden: The inputs of those layers that were asked for.
    """

    logits: Float[Tensor, "rows classes"]
    hidden: Mapping[int, Float[Tensor, "rows tokens hidden"]]


@dataclass(frozen=True)
class Entries:
    """The weights of a site, with the autograd graph from them to the logits.

    Attributes:
        weights: One tensor for each layer, ``[rows, heads, queries, keys]``.
        queries: Queries whose weights belong to the site.
        logits: The logits computed from the weights.
        allowed: Which weights the model's own mask allows, for each layer, broadcastable to the weights; None: all.
            The others are no entries: no erasure takes anything from them.
        shifted: Numbers of the tensors whose keys stand for the token before them, as a decoder's inputs do, each with
            the keys of the document: behind its end a decoder reads the end once more.
        wrapped: Whether the first key of those stands for the document's last token; otherwise it stands for none.
    """

    weights: list[Float[Tensor, "rows heads queries keys"]]
    queries: Bool[Tensor, "rows queries"]
    logits: Float[Tensor, "rows classes"]
    allowed: Sequence[Bool[Tensor, "#rows #heads #queries #keys"] | None]
    shifted: Mapping[int, Bool[Tensor, "rows keys"]] = field(default_factory=dict)
    wrapped: bool = False

    def of_allowed(
        self, number: int, values: Float[Tensor, "rows heads queries keys"]
    ) -> Float[Tensor, "rows heads queries keys"]:
        """Return what belongs to the allowed weights of one of the tensors, and 0 at the others."""
        allowed = self.allowed[number]
        return values if allowed is None else values.masked_fill(~allowed, 0.0)

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
        reads_one_row: Whether the last layer runs on the position that the decision is read from alone, see `decide`.
    """

    model: PreTrainedModel
    layers: Layers
    heads: Bool[Tensor, " heads"]
    budget: Budget
    reads_one_row: bool = False

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
        """Return the logits of one whole forward pass that starts at layer `first`; call it inside `erasable`."""
        return self.model(**inputs, attention_first=first, **self._caching, **erasure).logits

    def decide(
        self,
        inputs: Mapping[str, Tensor],
        read_out: Int[Tensor, " rows"],
        first: int = 0,
        hidden: Float[Tensor, "rows tokens hidden"] | None = None,
        watched: Collection[int] = (),
        keep: Mapping[int, Tensor] | None = None,
        record: AttentionRecord | None = None,
    ) -> Pass:
        """Run the model; where only one position of the last layer is read, that layer computes no other.

        Of the last layer all positions are then needed for keys and values alone.

        Args:
            inputs: The model's inputs.
            read_out: The position that each row's decision is read from.
            first: First layer that runs.
            hidden: Its input; default: the layers below run.
            watched: Layers whose inputs are returned.
            keep: What is kept in each layer that is erased.
            record: What to record; weights of the last layer are those of all positions, which then run.
        """
        if not self.reads_one_row or (record is not None and self.last in record.layers):
            with self.layers.running(first=first, hidden=hidden, watched=watched) as found:
                return Pass(self.run(inputs, first, attention_keep=keep, attention_record=record), found)
        masks = dict(keep or {})
        own, asked = masks.pop(self.last, None), record or AttentionRecord()
        asked = replace(asked, state_layers=(*asked.state_layers, self.last))
        with self.layers.running(first=first, hidden=hidden, watched=(*watched, self.last)) as found:
            self.run(inputs, first, attention_keep=masks, attention_record=asked, attention_left=self.last)
        states, row = asked.states[self.last], vectors_at(found[self.last], read_out)
        scores = scores_at(states, read_out)
        kept = torch.ones_like(scores[:, :1], dtype=torch.bool) if own is None else rows_at(own.flatten(0, 1), read_out)
        attended = attend(scores, kept.unsqueeze(2), states.value)
        return Pass(self.run_above(self.last, row, attended.squeeze(1)), found)

    def run_above(
        self, layer: int, row: Float[Tensor, "rows 1 hidden"], attended: Float[Tensor, "rows heads head_size"]
    ) -> Float[Tensor, "rows classes"]:
        """Run what follows the attention of a layer on single positions, which are all that the decision is read from.

        Args:
            layer: The layer.
            row: Its input at that position.
            attended: What its attention gives there.
        """
        with self.layers.running(first=layer, hidden=row), self.layers.without_projections(layer):
            return self.run(self.dummies(len(row)), layer, attention_outputs={layer: attended.unsqueeze(1)})

    def proved(self, inputs: Mapping[str, Tensor], logits: Float[Tensor, "rows classes"]) -> "Runner":
        """Return the runner, which reads one row of the last layer where that is proved by a run; else all of it.

        A mean is read from all of them, and families with an attention of their own do not let it be reached.

        Args:
            inputs: A batch.
            logits: What the whole model makes of it.
        """
        layers = self.layers
        if layers.read_out is ReadOut.MEAN or layers.encoder is not None or layers.family.route is Route.DROPOUT:
            return self
        alone = replace(self, reads_one_row=True)
        try:
            found = alone.decide(inputs, self.batch(inputs).read_out).logits
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception:  # whatever the model's code raises
            return self
        return alone if same_logits(found, logits) else self

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

    def in_heads(self, keep: Bool[Tensor, "*rows 1 queries keys"]) -> Bool[Tensor, "*rows _ queries keys"]:
        """Return the mask for the heads that are erased; the others keep everything."""
        return keep if self.all_heads else keep | ~self.heads.view(-1, 1, 1)

    def dummies(self, rows: int) -> dict[str, Tensor]:
        """Return inputs of one token each, whose decision is read from that token."""
        special = structural_token_ids(self.model.config)
        ordinary = next(number for number in range(len(special) + 1) if number not in special)
        ids = torch.full((rows, 1), ordinary, device=self.model.device)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def recorded(runner: Runner, batch: Batch, documents: Int[Tensor, " rows"]) -> Entries:
    """Run the model with the weights of all layers as variables, where gradients are enabled."""
    record = AttentionRecord(layers=range(len(runner.layers)))
    logits = runner.run(batch.inputs_of(documents), attention_record=record)
    layers = sorted(record.weights)
    allowed = [record.allowed[layer] for layer in layers]
    return Entries([record.weights[layer] for layer in layers], batch.mask[documents], logits, allowed)
