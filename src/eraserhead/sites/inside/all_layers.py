"""Erasure in every layer, from every query: an erased token is invisible, and the whole model runs again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.models.special_tokens import padding_id
from eraserhead.patch.families import Positions, ReadOut
from eraserhead.sites.inside.runner import Batch, Entries, Runner, recorded


@dataclass(frozen=True)
class AllLayersReplay:
    """Runs the whole model on repeated rows.

    Where all heads are erased and positions are given by ids, an invisible token that no decision is read from is left
    out of its row, unless the model sees padding; the rows are then run in the order of their lengths.

    Attributes:
        runner: The model.
        shorten: Whether invisible tokens may be left out of their rows, which is faster and changes no result.
        batch: The model's inputs.
        model_logits: The model's own logits.
    """

    runner: Runner
    shorten: bool
    batch: Batch
    model_logits: Float[Tensor, "documents classes"]

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run the model with the weights of all layers as variables."""
        with torch.enable_grad():
            return recorded(self.runner, self.batch, documents)

    @torch.no_grad()
    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Run the model on repeated rows, shortened where that changes nothing."""
        repeated = documents.repeat_interleave(keep.shape[1])
        positions = self._positions
        if positions is None:
            rows = self._masked(repeated, keep.flatten(0, 1))
        else:
            rows = self._shortened(repeated, keep.flatten(0, 1), positions)
        numbers, found = zip(*rows, strict=True)
        return torch.cat(found)[torch.cat(numbers).argsort()].unflatten(0, keep.shape[:2])

    @property
    def _positions(self) -> Positions | None:
        """How positions are given where tokens may be left out of rows; null where they may not."""
        runner = self.runner
        # A model that sees padding sees tokens that no attention sees, too.
        seen = runner.layers.sees_padding or runner.read_out is ReadOut.MEAN
        if seen or not self.shorten or not runner.all_heads:
            return None
        return runner.layers.family.positions_of(runner.model.config)

    def _masked(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows tokens"]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.arange(len(documents), device=keep.device).split(self.runner.rows(keep.shape[1])):
            chosen = documents[rows]
            yield rows, self._erased(self.batch.inputs_of(chosen), self.batch.read_out[chosen], keep[rows])

    def _shortened(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows tokens"], positions: Positions
    ) -> Iterator[tuple[Tensor, Tensor]]:
        batch = self.batch
        read_out = batch.read_out[documents].unsqueeze(1)
        present = (keep & batch.mask[documents]).scatter(1, read_out, True)
        # Rows whose read-out position is erased come first: these alone take a mask, which is slower.
        erased, lengths = ~keep.gather(1, read_out).squeeze(1), present.sum(-1)
        order = (lengths + erased * (keep.shape[1] + 1)).argsort(descending=True, stable=True)
        widths, masked = lengths[order].tolist(), int(erased.sum())
        padding = padding_id(self.runner.model.config)
        all_positions = positions(batch.inputs["input_ids"], padding)
        start = 0
        while start < len(order):
            width, ends = widths[start], masked if start < masked else len(order)
            rows = order[start : min(start + self.runner.rows(width), ends)]
            places = present[rows].to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
            there = present[rows].gather(1, places)
            inputs = {name: values.gather(1, places) for name, values in batch.inputs_of(documents[rows]).items()}
            inputs["input_ids"] = inputs["input_ids"].masked_fill(~there, padding)
            inputs["attention_mask"] = inputs["attention_mask"] * there
            inputs["position_ids"] = all_positions[documents[rows]].gather(1, places).masked_fill(~there, 0)
            before = present[rows].cumsum(-1).gather(1, read_out[rows]).squeeze(1)
            visible = keep[rows].gather(1, places) | ~there if start < masked else None
            yield rows, self._erased(inputs, before - 1, visible)
            start += len(rows)

    def _erased(
        self, inputs: Mapping[str, Tensor], read_out: Int[Tensor, " rows"], keep: Bool[Tensor, "rows tokens"] | None
    ) -> Float[Tensor, "rows classes"]:
        if keep is None or keep.all():
            return self.runner.decide(inputs, read_out).logits
        mask = self.runner.in_heads(keep.view(len(keep), 1, 1, 1, -1))
        return self.runner.decide(inputs, read_out, keep=dict.fromkeys(range(len(self.runner.layers)), mask)).logits


def read_all_layers(runner: Runner, shorten: bool, inputs: Mapping[str, Tensor]) -> AllLayersReplay:
    """Run the model once unchanged; no layer's input is kept."""
    batch = runner.batch(inputs)
    with torch.no_grad():
        return AllLayersReplay(runner, shorten, batch, runner.decide(inputs, batch.read_out).logits)
