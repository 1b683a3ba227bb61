"""Erasure of the read-out position's attention in one layer, in families of the attention interface.

In that layer the read-out position is the only query that changes: its kept query meets the kept keys and values, and
the layer runs on single positions. Layers above run whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from eraserhead.patch.interface import AttentionRecord
from eraserhead.sites.inside.layer import LayerReplay
from eraserhead.sites.inside.row import attend, scores_at, surviving_weights, vectors_at, weighted
from eraserhead.sites.inside.runner import Batch, Entries, Pass, Runner

TILE = 32  # erasures of one document that are attended to together, at most


@dataclass(frozen=True)
class ReadOutReplay:
    """Runs the last layer on the read-out positions alone.

    Attributes:
        runner: The model.
        layer: The site's layer.
        batch: The model's inputs.
        model_logits: The model's own logits.
        row: Input of the layer at the read-out position.
        scores: Attention scores of the read-out position, -inf where it may not attend.
        values: Values of the layer's attention.
    """

    runner: Runner
    layer: int
    batch: Batch
    model_logits: Float[Tensor, "documents classes"]
    row: Float[Tensor, "documents 1 hidden"]
    scores: Float[Tensor, "documents heads keys"]
    values: Float[Tensor, "documents key_heads keys head_size"]

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run from the site upwards with the read-out position's weights as variables."""
        everything = self.batch.mask[documents].view(len(documents), 1, 1, -1)
        weights, left = surviving_weights(self.scores[documents], everything)
        weights = weights.masked_fill(~left, 0.0).requires_grad_()
        with torch.enable_grad():
            attended = weighted(weights, self.values[documents])
            logits = self._upwards(documents, attended.squeeze(2))
        allowed = (self.scores[documents] != -torch.inf).unsqueeze(2)
        return Entries([weights], torch.ones_like(documents, dtype=torch.bool).unsqueeze(1), logits, [allowed])

    @torch.no_grad()
    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Run the layer on single positions, and what is above it."""
        repeated, erasures = documents.repeat_interleave(keep.shape[1]), keep.flatten(0, 1)
        # Side by side, a document's erasures share its scores and values, which are then not copied.
        together = repeated.argsort(stable=True)
        found = [
            self._upwards(repeated[rows], self._attended(repeated[rows], erasures.index_select(0, rows)))
            for rows in together.split(self._rows(keep.shape[2]))
        ]
        return torch.cat(found).index_select(0, together.argsort()).unflatten(0, keep.shape[:2])

    def shuffled(self, tokens: Int[Tensor, "documents keys"]) -> "ReadOutReplay":
        """Return the replay in which each key has the score of another, in the heads that are erased.

        A score has everything in it that weights are made of, position biases and masks too, so the weights move as
        they are. Values stay.
        """
        scores = self.scores.gather(-1, tokens.unsqueeze(1).expand_as(self.scores))
        return replace(self, scores=torch.where(self.runner.heads.unsqueeze(-1), scores, self.scores))

    def projection(self) -> nn.Module | None:
        """Return the linear map through which the attention leaves the layer, found by what it is given; None: none."""
        generator = torch.Generator().manual_seed(0)
        drawn = torch.randn(self.scores.shape[1], self.values.shape[-1], generator=generator).to(self.values)
        found: dict[int, nn.Module] = {}

        def look(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            if torch.equal(given[0].flatten(), drawn.flatten()):
                found[id(module)] = module

        modules = self.runner.layers.modules[self.layer].modules()
        hooks = [each.register_forward_pre_hook(look) for each in modules if isinstance(each, (nn.Linear, Conv1D))]
        try:
            self._upwards(torch.zeros(1, dtype=torch.long, device=drawn.device), drawn.unsqueeze(0))
        finally:
            for hook in hooks:
                hook.remove()
        return next(iter(found.values())) if len(found) == 1 else None

    @torch.no_grad()
    def value_norms(self, projection: nn.Module) -> Float[Tensor, "documents keys"]:
        """Return ``|sum_h a_hi W_O^h v_hi|``, how long each key's part of the output is (Kobayashi et al. 2020).

        Args:
            projection: The layer's `projection`.
        """
        weights, left = surviving_weights(self.scores, self.batch.mask.view(len(self.scores), 1, 1, -1))
        weights = (weights.masked_fill(~left, 0.0).squeeze(2) * self.runner.heads.view(-1, 1)).unflatten(
            1, (self.values.shape[1], -1)
        )
        norms = []
        for rows in torch.arange(len(weights), device=weights.device).split(self.runner.rows(weights.shape[-1])):
            parts = weights[rows].unsqueeze(-1) * self.values[rows].unsqueeze(2)
            parts = parts.flatten(1, 2).transpose(1, 2).flatten(2)
            parts = projection(parts) - projection(torch.zeros_like(parts[:1, :1]))
            norms.append(torch.linalg.vector_norm(parts, dim=-1, dtype=torch.float64))
        return torch.cat(norms)

    def _rows(self, tokens: int) -> int:
        """Return how many erasures may run at a time."""
        return self.runner.rows(1, keys=tokens)

    def _attended(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows tokens"]
    ) -> Float[Tensor, "rows heads head_size"]:
        """Attend in tiles of a few erasures of one document; `documents` are in order."""
        height = min(TILE, -(-len(documents) // len(self.scores)))
        place = torch.arange(len(documents), device=documents.device)
        place = place - torch.searchsorted(documents, documents)  # within its document
        tile = (place % height == 0).cumsum(0) - 1
        tiles = min(len(documents), len(documents) // height + len(self.scores))  # at most
        owners = documents.new_zeros(tiles).index_put_((tile,), documents)
        slot = tile * height + place % height
        kept = keep.new_ones(tiles * height, keep.shape[1]).index_copy_(0, slot, keep)
        kept = self.runner.in_heads(kept.view(tiles, 1, height, -1))
        at_once = max(1, self.runner.budget.weights // (self.scores[0].numel() * height))
        parts = zip(owners.split(at_once), kept.split(at_once), strict=True)
        attended = [
            attend(self.scores.index_select(0, own), keep, self.values.index_select(0, own)) for own, keep in parts
        ]
        return torch.cat(attended).flatten(0, 1).index_select(0, slot)

    def _upwards(
        self, documents: Int[Tensor, " rows"], attended: Float[Tensor, "rows heads head_size"]
    ) -> Float[Tensor, "rows classes"]:
        """Run what follows the attention of the read-out position, which is all that the decision is read from."""
        return self.runner.run_above(self.layer, self.row.index_select(0, documents), attended)


@dataclass(frozen=True)
class LowerReadOutReplay(ReadOutReplay):
    """`ReadOutReplay` in a lower layer: the layers above run whole, on rows in which that position has changed.

    Attributes:
        above: Input of the layer above the site's.
    """

    above: Float[Tensor, "documents tokens hidden"]

    def _rows(self, tokens: int) -> int:
        return self.runner.rows(tokens)

    def _upwards(
        self, documents: Int[Tensor, " rows"], attended: Float[Tensor, "rows heads head_size"]
    ) -> Float[Tensor, "rows classes"]:
        runner, row, above = self.runner, self.row[documents], self.layer + 1
        only = runner.layers.running(first=self.layer, last=self.layer, hidden=row, watched=(above,))
        with only as inputs, runner.layers.without_projections(self.layer):
            dummies = runner.dummies(len(documents))
            runner.run(dummies, self.layer, attention_outputs={self.layer: attended.unsqueeze(1)})
        position = self.batch.read_out[documents].view(-1, 1, 1).expand(-1, 1, row.shape[-1])
        hidden = self.above[documents].scatter(1, position, inputs[above])
        return runner.decide(self.batch.inputs_of(documents), self.batch.read_out[documents], above, hidden).logits


@dataclass(frozen=True)
class LastLayerReplay(ReadOutReplay):
    """`ReadOutReplay` of every query in the last layer, of which the decision is read from one alone.

    Attributes:
        whole: The layer as a whole, whose entries are those of every query.
    """

    whole: LayerReplay

    def projection(self) -> None:
        """Return None: an average over one position is not that over all."""

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run from the site upwards with the weights of every position as variables."""
        return self.whole.entries(documents)


def read_at_read_out(
    runner: Runner, layer: int, inputs: Mapping[str, Tensor], every_query: bool = False
) -> ReadOutReplay:
    """Run the model once unchanged, and keep what replaying a layer at the read-out position needs.

    Args:
        runner: The model.
        layer: The layer.
        inputs: The model's inputs.
        every_query: Whether weights from every query are erased; in the last layer alone.
    """
    batch, record = runner.batch(inputs), AttentionRecord(state_layers=(layer,))
    with torch.no_grad():
        read = runner.decide(inputs, batch.read_out, watched=watched_at_read_out(runner, layer), record=record)
    return kept_at_read_out(runner, layer, batch, read, record, every_query)


def watched_at_read_out(runner: Runner, layer: int) -> tuple[int, ...]:
    """Return the layers whose inputs a replay of one layer at the read-out position needs."""
    return (layer, layer + 1) if layer < runner.last else (layer,)


def kept_at_read_out(
    runner: Runner, layer: int, batch: Batch, read: Pass, record: AttentionRecord, every_query: bool = False
) -> ReadOutReplay:
    """Return the replay of one layer at the read-out position, of a pass that has been made.

    Args:
        runner: The model.
        layer: The layer.
        batch: The model's inputs.
        read: The pass, with the inputs of `watched_at_read_out`.
        record: What it recorded, the layer's states among it.
        every_query: Whether weights from every query are erased; in the last layer alone.
    """
    states, hidden = record.states[layer], read.hidden
    row = vectors_at(hidden[layer], batch.read_out)
    kept = (runner, layer, batch, read.logits, row, scores_at(states, batch.read_out), states.value.contiguous())
    if layer < runner.last:
        return LowerReadOutReplay(*kept, hidden[layer + 1])
    if every_query:
        return LastLayerReplay(*kept, LayerReplay(runner, layer, every_query, batch, read.logits, hidden[layer]))
    return ReadOutReplay(*kept)
