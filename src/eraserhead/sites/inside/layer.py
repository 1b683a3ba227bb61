"""Erasure in one layer, from the read-out position or from every query; all above it runs whole.

It serves ``layer:L:all``, and ``layer:L`` where `read_out` cannot: the read-out is a mean, or the family does not
dispatch its attention through transformers' interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.patch.interface import AttentionRecord
from eraserhead.sites.inside.runner import Batch, Entries, Runner


@dataclass(frozen=True)
class LayerReplay:
    """Runs the site's layer and those above it on repeated rows.

    Attributes:
        runner: The model.
        layer: The site's layer.
        every_query: Whether weights from every query are erased, or from the read-out position alone.
        batch: The model's inputs.
        model_logits: The model's own logits.
        hidden: Input of the site's layer.
    """

    runner: Runner
    layer: int
    every_query: bool
    batch: Batch
    model_logits: Float[Tensor, "documents classes"]
    hidden: Float[Tensor, "documents tokens hidden"]

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run from the site upwards with its weights as variables."""
        record = AttentionRecord(layers=(self.layer,))
        with torch.enable_grad():
            logits = self._run(documents, record=record)
        weights, allowed = record.weights[self.layer], record.allowed[self.layer]
        return Entries([weights], self._queries(documents), logits, [allowed])

    @torch.no_grad()
    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Run the site's layer and those above it on repeated rows."""
        repeated = documents.repeat_interleave(keep.shape[1])
        found = []
        for rows in torch.arange(len(repeated), device=keep.device).split(self.runner.rows(keep.shape[2])):
            chosen = repeated[rows]
            mask = keep.flatten(0, 1)[rows].view(len(rows), 1, 1, 1, -1)
            if not self.every_query:
                mask = mask | ~self._queries(chosen).view(len(rows), 1, 1, -1, 1)
            found.append(self._run(chosen, keep={self.layer: self.runner.in_heads(mask)}))
        return torch.cat(found).unflatten(0, keep.shape[:2])

    def _run(self, documents: Int[Tensor, " rows"], **erasure: Any) -> Float[Tensor, "rows classes"]:
        inputs, read_out = self.batch.inputs_of(documents), self.batch.read_out[documents]
        return self.runner.decide(inputs, read_out, self.layer, self.hidden[documents], **erasure).logits

    def _queries(self, documents: Int[Tensor, " rows"]) -> Bool[Tensor, "rows tokens"]:
        mask = self.batch.mask[documents]
        if self.every_query:
            return mask
        return torch.zeros_like(mask).scatter(1, self.batch.read_out[documents].unsqueeze(1), True)


def read_at_layer(runner: Runner, layer: int, every_query: bool, inputs: Mapping[str, Tensor]) -> LayerReplay:
    """Run the model once unchanged, and keep the input of a layer."""
    batch = runner.batch(inputs)
    with torch.no_grad():
        read = runner.decide(inputs, batch.read_out, watched=(layer,))
    return LayerReplay(runner, layer, every_query, batch, read.logits, read.hidden[layer])
