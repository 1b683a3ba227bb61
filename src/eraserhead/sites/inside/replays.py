"""Three ways to run a hub model again without some of its attention, none of which runs the layers below the site.

All of them answer ``keep[rows, erasures, tokens] -> logits[rows, erasures, classes]`` and give the weights that are
erased together with a graph from them to the logits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.models.special_tokens import padding_id
from eraserhead.patch.families import Positions, ReadOut, family_of
from eraserhead.patch.interface import AttentionRecord, for_heads
from eraserhead.sites.inside.runner import Entries, Kept, Runner


@runtime_checkable
class Replays(Protocol):
    """One way to run the model again."""

    def read(self, inputs: Mapping[str, Tensor]) -> tuple[Kept, Float[Tensor, "documents classes"]]:
        """Run the model once as it is; returns what replays start from, and the model's own logits."""
        ...

    def entries(self, kept: Kept) -> Entries:
        """Run the model from the site upwards with its weights as variables, nothing erased."""
        ...

    def logits(self, kept: Kept, keep: Bool[Tensor, "rows erasures tokens"]) -> Float[Tensor, "rows erasures classes"]:
        """Run the model from the site upwards without what is not kept."""
        ...


@dataclass(frozen=True)
class SingleQuery:
    """Only the read-out position's attention in one layer is erased, in a family of the attention interface.

    In that layer the read-out position is the only query that changes: its kept query meets the kept keys and values,
    and the layer runs on single positions (PLATFORM: no family needs an adapter). Layers above run whole.
    """

    runner: Runner
    layer: int

    def read(self, inputs: Mapping[str, Tensor]) -> tuple[Kept, Float[Tensor, "documents classes"]]:
        """Run the model once as it is."""
        runner, above = self.runner, self.layer + 1
        record = AttentionRecord(state_layers=(self.layer,))
        watched = (self.layer, above) if self.layer < runner.last else (self.layer,)
        with torch.no_grad(), runner.layers.running(watched=watched) as hidden:
            logits = runner.run(inputs, attention_record=record)
        kept = runner.bare(inputs)
        states, at = record.states[self.layer], kept.read_out
        heads, size = states.query.shape[1], states.query.shape[-1]
        query = states.query.gather(2, at.view(-1, 1, 1, 1).expand(-1, heads, 1, size))
        key = for_heads(states.key, states.query)
        scores = ((states.scaling * query) @ key.transpose(-1, -2)).squeeze(2)
        if states.allowed is not None:
            allowed = states.allowed.expand(len(at), -1, states.query.shape[2], -1)
            here = at.view(-1, 1, 1, 1).expand(-1, allowed.shape[1], 1, allowed.shape[3])
            scores = scores.masked_fill(~allowed.gather(2, here).squeeze(2), -torch.inf)
        row = hidden[self.layer].gather(1, at.view(-1, 1, 1).expand(-1, 1, hidden[self.layer].shape[-1]))
        return replace(kept, hidden=hidden.get(above), row=row, scores=scores, values=states.value), logits

    def entries(self, kept: Kept) -> Entries:
        """Run from the site upwards with the read-out position's weights as variables."""
        documents = kept.documents
        everything = kept.mask[documents].unsqueeze(1)
        found = [self._weights(kept, row, keep) for row, keep in zip(documents.tolist(), everything, strict=True)]
        weights = torch.stack(found).requires_grad_()
        with torch.enable_grad():
            attended = [self._attend(kept, row, own) for row, own in zip(documents.tolist(), weights, strict=True)]
            logits = self._upwards(kept, documents, torch.cat(attended))
        return Entries([weights], torch.ones_like(documents, dtype=torch.bool).unsqueeze(1), logits)

    @torch.no_grad()
    def logits(self, kept: Kept, keep: Bool[Tensor, "rows erasures tokens"]) -> Float[Tensor, "rows erasures classes"]:
        """Run the layer on single positions, and what is above it."""
        documents, erasures = kept.documents.repeat_interleave(keep.shape[1]), keep.flatten(0, 1)
        tokens = 1 if self.layer == self.runner.last else keep.shape[2]
        # Side by side, a document's erasures share its scores and values, which are then not copied.
        together = documents.argsort(stable=True)
        found = []
        for rows in together.split(self.runner.rows(tokens, keys=keep.shape[2])):
            own, counts = documents[rows].unique_consecutive(return_counts=True)
            groups = zip(own.tolist(), rows.split(counts.tolist()), strict=True)
            attended = [self._attend(kept, row, self._weights(kept, row, erasures[group])) for row, group in groups]
            found.append(self._upwards(kept, documents[rows], torch.cat(attended)))
        return torch.cat(found)[together.argsort()].unflatten(0, keep.shape[:2])

    def _weights(
        self, kept: Kept, document: int, keep: Bool[Tensor, "erasures tokens"]
    ) -> Float[Tensor, "heads erasures keys"]:
        """Return what `attention_weights` does, of one document's scores and with one mask for all heads."""
        assert kept.scores is not None
        scores = kept.scores[document].unsqueeze(1)
        visible = scores != -torch.inf
        nothing = ~(keep & visible.any(0)).any(-1)[None, :, None]
        erased = torch.zeros(keep.shape, dtype=scores.dtype, device=keep.device).masked_fill_(~keep, -torch.inf)
        erased = erased.unsqueeze(0)
        if self.runner.heads is not None:
            chosen = self.runner.heads.view(-1, 1, 1)
            erased, nothing = torch.where(chosen, erased, 0.0), (chosen & nothing) | ~visible.any(-1, keepdim=True)
        weights = (scores + erased).softmax(-1)
        return weights.masked_fill(nothing, 0.0) if nothing.any() else weights

    @staticmethod
    def _attend(
        kept: Kept, document: int, weights: Float[Tensor, "heads erasures keys"]
    ) -> Float[Tensor, "erasures heads head_size"]:
        """Return the weighted values of one document; heads that share values are rows of one product."""
        assert kept.values is not None
        values = kept.values[document]
        shared = weights.unflatten(0, (len(values), -1))
        return (shared.flatten(1, 2) @ values).unflatten(1, shared.shape[1:3]).flatten(0, 1).transpose(0, 1)

    def _upwards(
        self, kept: Kept, documents: Int[Tensor, " rows"], attended: Float[Tensor, "rows heads head_size"]
    ) -> Float[Tensor, "rows classes"]:
        """Run what follows the attention of the read-out position in the site's layer."""
        assert kept.row is not None
        runner, row, dummies = self.runner, kept.row[documents], self.runner.dummies(len(documents))
        outputs = {self.layer: attended.unsqueeze(1)}
        if self.layer == runner.last:
            with runner.layers.running(first=self.layer, hidden=row), runner.layers.without_projections(self.layer):
                return runner.run(dummies, self.layer, attention_outputs=outputs)
        assert kept.hidden is not None
        above = self.layer + 1
        only = runner.layers.running(first=self.layer, last=self.layer, hidden=row, watched=(above,))
        with only as inputs, runner.layers.without_projections(self.layer):
            runner.run(dummies, self.layer, attention_outputs=outputs)
        position = kept.read_out[documents].view(-1, 1, 1).expand(-1, 1, row.shape[-1])
        hidden = kept.hidden[documents].scatter(1, position, inputs[above])
        with runner.layers.running(first=above, hidden=hidden):
            return runner.run(kept.inputs_of(documents), above)


@dataclass(frozen=True)
class FromLayer:
    """One layer's attention is erased, from the read-out position or from every query; all above it runs whole."""

    runner: Runner
    layer: int
    every_query: bool

    def read(self, inputs: Mapping[str, Tensor]) -> tuple[Kept, Float[Tensor, "documents classes"]]:
        """Run the model once as it is."""
        with torch.no_grad(), self.runner.layers.running(watched=(self.layer,)) as hidden:
            logits = self.runner.run(inputs)
        return replace(self.runner.bare(inputs), hidden=hidden[self.layer]), logits

    def entries(self, kept: Kept) -> Entries:
        """Run from the site upwards with its weights as variables."""
        assert kept.hidden is not None
        record = AttentionRecord(layers=(self.layer,))
        with (
            torch.enable_grad(),
            self.runner.layers.running(first=self.layer, hidden=kept.hidden[kept.documents]),
        ):
            logits = self.runner.run(kept.inputs_of(kept.documents), self.layer, attention_record=record)
        return Entries([record.weights[self.layer]], self._queries(kept, kept.documents), logits)

    @torch.no_grad()
    def logits(self, kept: Kept, keep: Bool[Tensor, "rows erasures tokens"]) -> Float[Tensor, "rows erasures classes"]:
        """Run the site's layer and those above it on repeated rows."""
        assert kept.hidden is not None
        documents = kept.documents.repeat_interleave(keep.shape[1])
        found = []
        for rows in torch.arange(len(documents), device=keep.device).split(self.runner.rows(keep.shape[2])):
            chosen = documents[rows]
            mask = keep.flatten(0, 1)[rows].view(len(rows), 1, 1, 1, -1)
            if not self.every_query:
                mask = mask | ~self._queries(kept, chosen).view(len(rows), 1, 1, -1, 1)
            with self.runner.layers.running(first=self.layer, hidden=kept.hidden[chosen]):
                erased = {self.layer: self.runner.in_heads(mask)}
                found.append(self.runner.run(kept.inputs_of(chosen), self.layer, attention_keep=erased))
        return torch.cat(found).unflatten(0, keep.shape[:2])

    def _queries(self, kept: Kept, documents: Int[Tensor, " rows"]) -> Bool[Tensor, "rows tokens"]:
        if self.every_query:
            return kept.mask[documents]
        return torch.zeros_like(kept.mask[documents]).scatter(1, kept.read_out[documents].unsqueeze(1), True)


@dataclass(frozen=True)
class Everywhere:
    """Keys are erased in every layer, from every query: they are invisible, and nothing below is left to keep.

    Where all heads are erased and positions are given by ids, an invisible token that no decision is read from is left
    out of its row; the rows are then run in the order of their lengths.
    """

    runner: Runner
    leave_out: bool = True

    def read(self, inputs: Mapping[str, Tensor]) -> tuple[Kept, Float[Tensor, "documents classes"]]:
        """Run the model once as it is."""
        with torch.no_grad():
            return self.runner.bare(inputs), self.runner.run(inputs)

    def entries(self, kept: Kept) -> Entries:
        """Run the model with the weights of all layers as variables."""
        record = AttentionRecord(layers=range(len(self.runner.layers)))
        with torch.enable_grad():
            logits = self.runner.run(kept.inputs_of(kept.documents), attention_record=record)
        weights = [record.weights[layer] for layer in sorted(record.weights)]
        return Entries(weights, kept.mask[kept.documents], logits)

    @torch.no_grad()
    def logits(self, kept: Kept, keep: Bool[Tensor, "rows erasures tokens"]) -> Float[Tensor, "rows erasures classes"]:
        """Run the model on repeated rows, shortened where that changes nothing."""
        documents = kept.documents.repeat_interleave(keep.shape[1])
        positions = self._positions
        if positions is None:
            rows = self._masked(kept, documents, keep)
        else:
            rows = self._shortened(kept, documents, keep.flatten(0, 1), positions)
        found: list[Tensor] = []
        numbers: list[Tensor] = []
        for chosen, logits in rows:
            numbers.append(chosen)
            found.append(logits)
        return torch.cat(found)[torch.cat(numbers).argsort()].unflatten(0, keep.shape[:2])

    @property
    def _positions(self) -> Positions | None:
        """How positions are given where tokens may be left out of rows; null where they may not."""
        runner = self.runner
        if not self.leave_out or runner.heads is not None or runner.read_out is ReadOut.MEAN:
            return None
        return family_of(runner.model.config).positions_of(runner.model.config)

    def _masked(self, kept: Kept, documents: Tensor, keep: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.arange(len(documents), device=keep.device).split(self.runner.rows(keep.shape[2])):
            mask = keep.flatten(0, 1)[rows].view(len(rows), 1, 1, 1, -1)
            yield rows, self._erased(kept.inputs_of(documents[rows]), mask)

    def _shortened(
        self, kept: Kept, documents: Tensor, keep: Bool[Tensor, "rows tokens"], positions: Positions
    ) -> Iterator[tuple[Tensor, Tensor]]:
        read_out = kept.read_out[documents].unsqueeze(1)
        present = (keep & kept.mask[documents]).scatter(1, read_out, True)
        lengths = present.sum(-1)
        by_length = lengths.argsort(descending=True, stable=True)
        padding = padding_id(self.runner.model.config)
        all_positions = positions(kept.inputs["input_ids"], padding)
        start = 0
        while start < len(by_length):
            width = int(lengths[by_length[start]])
            rows = by_length[start : start + self.runner.rows(width)]
            start += len(rows)
            places = present[rows].to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
            there = present[rows].gather(1, places)
            inputs = {name: values.gather(1, places) for name, values in kept.inputs_of(documents[rows]).items()}
            inputs["input_ids"] = inputs["input_ids"].masked_fill(~there, padding)
            inputs["attention_mask"] = inputs["attention_mask"] * there
            inputs["position_ids"] = all_positions[documents[rows]].gather(1, places).masked_fill(~there, 0)
            visible = keep[rows].gather(1, places) | ~there  # all but a read-out position that is erased
            yield rows, self._erased(inputs, visible.view(len(rows), 1, 1, 1, -1))

    def _erased(self, inputs: Mapping[str, Tensor], mask: Tensor) -> Float[Tensor, "rows classes"]:
        if mask.all():
            return self.runner.run(inputs)
        mask = self.runner.in_heads(mask)
        return self.runner.run(inputs, attention_keep=dict.fromkeys(range(len(self.runner.layers)), mask))
