"""Erasure of the read-out position's attention in one layer, in families of the attention interface.

In that layer the read-out position is the only query that changes: its kept query meets the kept keys and values, and
the layer runs on single positions. Layers above run whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.patch.interface import AttentionRecord, capped, for_heads
from eraserhead.patch.passes import AttentionStates
from eraserhead.sites.inside.runner import Batch, Entries, Runner


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
        everything = self.batch.mask[documents].unsqueeze(1)
        found = [self._weights(row, keep) for row, keep in zip(documents.tolist(), everything, strict=True)]
        weights = torch.stack(found).requires_grad_()
        with torch.enable_grad():
            attended = [self._attend(row, own) for row, own in zip(documents.tolist(), weights, strict=True)]
            logits = self._upwards(documents, torch.cat(attended))
        return Entries([weights], torch.ones_like(documents, dtype=torch.bool).unsqueeze(1), logits)

    @torch.no_grad()
    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Run the layer on single positions, and what is above it."""
        repeated, erasures = documents.repeat_interleave(keep.shape[1]), keep.flatten(0, 1)
        # Side by side, a document's erasures share its scores and values, which are then not copied.
        together = repeated.argsort(stable=True)
        found = []
        for rows in together.split(self._rows(keep.shape[2])):
            own, counts = repeated[rows].unique_consecutive(return_counts=True)
            groups = zip(own.tolist(), rows.split(counts.tolist()), strict=True)
            attended = [self._attend(row, self._weights(row, erasures[group])) for row, group in groups]
            found.append(self._upwards(repeated[rows], torch.cat(attended)))
        return torch.cat(found)[together.argsort()].unflatten(0, keep.shape[:2])

    def _rows(self, tokens: int) -> int:
        """Return how many erasures may run at a time."""
        return self.runner.rows(1, keys=tokens)

    def _weights(self, document: int, keep: Bool[Tensor, "erasures tokens"]) -> Float[Tensor, "heads erasures keys"]:
        """Return weights as `attention_weights` does, for one document's scores and one mask for all heads."""
        scores = self.scores[document].unsqueeze(1)
        visible = scores != -torch.inf
        nothing = ~(keep & visible.any(0)).any(-1)[None, :, None]
        erased = torch.zeros(keep.shape, dtype=scores.dtype, device=keep.device).masked_fill_(~keep, -torch.inf)
        erased = erased.unsqueeze(0)
        if not self.runner.all_heads:
            chosen = self.runner.heads.view(-1, 1, 1)
            erased, nothing = torch.where(chosen, erased, 0.0), (chosen & nothing) | ~visible.any(-1, keepdim=True)
        weights = (scores + erased).softmax(-1)
        return weights.masked_fill(nothing, 0.0) if nothing.any() else weights

    def _attend(
        self, document: int, weights: Float[Tensor, "heads erasures keys"]
    ) -> Float[Tensor, "erasures heads head_size"]:
        """Return the weighted values of one document; heads that share values are rows of one product."""
        values = self.values[document]
        shared = weights.unflatten(0, (len(values), -1))
        return (shared.flatten(1, 2) @ values).unflatten(1, shared.shape[1:3]).flatten(0, 1).transpose(0, 1)

    def _upwards(
        self, documents: Int[Tensor, " rows"], attended: Float[Tensor, "rows heads head_size"]
    ) -> Float[Tensor, "rows classes"]:
        """Run what follows the attention of the read-out position, which is all that the decision is read from."""
        runner, dummies = self.runner, self.runner.dummies(len(documents))
        only = runner.layers.running(first=self.layer, hidden=self.row[documents])
        with only, runner.layers.without_projections(self.layer):
            return runner.run(dummies, self.layer, attention_outputs={self.layer: attended.unsqueeze(1)})


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
        with runner.layers.running(first=above, hidden=hidden):
            return runner.run(self.batch.inputs_of(documents), above)


def read_at_read_out(runner: Runner, layer: int, inputs: Mapping[str, Tensor]) -> ReadOutReplay:
    """Run the model once unchanged, and keep what replaying a layer at the read-out position needs."""
    record = AttentionRecord(state_layers=(layer,))
    watched = (layer, layer + 1) if layer < runner.last else (layer,)
    with torch.no_grad(), runner.layers.running(watched=watched) as hidden:
        logits = runner.run(inputs, attention_record=record)
    batch, states = runner.batch(inputs), record.states[layer]
    at = batch.read_out.view(-1, 1, 1)
    row = hidden[layer].gather(1, at.expand(-1, 1, hidden[layer].shape[-1]))
    kept = (runner, layer, batch, logits, row, _scores(states, batch.read_out), states.value)
    return LowerReadOutReplay(*kept, hidden[layer + 1]) if layer < runner.last else ReadOutReplay(*kept)


def _scores(states: AttentionStates, at: Int[Tensor, " documents"]) -> Float[Tensor, "documents heads keys"]:
    """Return the attention scores of one position of each document, -inf where it may not attend."""
    heads, size = states.query.shape[1], states.query.shape[-1]
    query = states.query.gather(2, at.view(-1, 1, 1, 1).expand(-1, heads, 1, size))
    scores = ((states.scaling * query) @ for_heads(states.key, states.query).transpose(-1, -2)).squeeze(2)
    scores = capped(scores, states.cap)
    if states.allowed is None:
        return scores
    allowed = states.allowed.expand(len(at), -1, states.query.shape[2], -1)
    here = at.view(-1, 1, 1, 1).expand(-1, allowed.shape[1], 1, allowed.shape[3])
    return scores.masked_fill(~allowed.gather(2, here).squeeze(2), -torch.inf)
