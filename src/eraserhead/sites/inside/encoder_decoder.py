"""Erasure in a model with an encoder and a decoder: in one layer of either, in one cross attention, or everywhere.

A decoder reads the document moved on by one position: the key at a position of its self-attention is made of the token
before it. The first position, which starts every document, is no token's; the last token is no key of it. In families
that wrap (mBART), the last token is the key at the first position.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from eraserhead.patch.interface import AttentionRecord
from eraserhead.patch.read_out_probe import without_cache
from eraserhead.sites.inside.runner import Batch, Entries, Runner, calls_of
from eraserhead.sites.site import InsideName


@dataclass(frozen=True)
class EncoderDecoderReplay:
    """Runs the model on repeated rows; the encoder not again where nothing in it is erased.

    Attributes:
        runner: The model.
        name: The site.
        batch: What the model was given.
        model_logits: What it made of it.
        encoded: What the encoder made of it.
    """

    runner: Runner
    name: InsideName
    batch: Batch
    model_logits: Float[Tensor, "documents classes"]
    encoded: Float[Tensor, "documents tokens hidden"]

    @cached_property
    def _encoder(self) -> int:
        assert self.runner.layers.encoder is not None
        return self.runner.layers.encoder

    @cached_property
    def _calls(self) -> range:
        return calls_of(self.name, self.runner.layers)

    @property
    def _wraps(self) -> bool:
        return self.runner.layers.family.wraps

    def _is_shifted(self, call: int) -> bool:
        return call >= self._encoder and (call - self._encoder) % 2 == 0

    def entries(self, documents: Int[Tensor, " rows"]) -> Entries:
        """Run the model with the site's weights as variables."""
        record = AttentionRecord(layers=self._calls)
        with torch.enable_grad():
            logits = self._run(documents, attention_record=record)
        weights = [record.weights[call] for call in self._calls]
        allowed = [record.allowed[call] for call in self._calls]
        mask = self.batch.mask[documents]
        shifted = {number: mask for number, call in enumerate(self._calls) if self._is_shifted(call)}
        return Entries(weights, self._queries(documents), logits, allowed, shifted, self._wraps)

    @torch.no_grad()
    def logits(
        self, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures tokens"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Run the model on repeated rows."""
        repeated, erasures = documents.repeat_interleave(keep.shape[1]), keep.flatten(0, 1)
        found = []
        for rows in torch.arange(len(repeated), device=keep.device).split(self.runner.rows(keep.shape[2])):
            masks = {call: self._mask(call, repeated[rows], erasures[rows]) for call in self._calls}
            found.append(self._run(repeated[rows], attention_keep=masks))
        return torch.cat(found).unflatten(0, keep.shape[:2])

    def _mask(self, call: int, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows tokens"]) -> Tensor:
        if self._is_shifted(call):
            first = torch.ones_like(keep[:, :1])
            if self._wraps:
                first = keep.gather(1, self.batch.mask[documents].sum(-1, keepdim=True) - 1)
            keep = torch.cat([first, keep[:, :-1]], 1)
        mask = keep.view(len(keep), 1, 1, 1, -1)
        if not self.name.every_query:
            mask = mask | ~self._queries(documents).view(len(keep), 1, 1, -1, 1)
        return self.runner.in_heads(mask)

    def _queries(self, documents: Int[Tensor, " rows"]) -> Bool[Tensor, "rows tokens"]:
        mask = self.batch.mask[documents]
        if self.name.every_query:
            return mask
        return torch.zeros_like(mask).scatter(1, self.batch.read_out[documents].unsqueeze(1), True)

    def _run(self, documents: Int[Tensor, " rows"], **erasure: Any) -> Float[Tensor, "rows classes"]:
        inputs = self.batch.inputs_of(documents)
        if self._calls[0] < self._encoder:
            return self.runner.run(inputs, **erasure)
        encoded = BaseModelOutput(last_hidden_state=self.encoded[documents])  # pyright: ignore[reportArgumentType]
        return self.runner.run(inputs, self._encoder, encoder_outputs=encoded, **erasure)


def read_encoder_decoder(runner: Runner, name: InsideName, inputs: Mapping[str, Tensor]) -> EncoderDecoderReplay:
    """Run the model once as it is, and keep what its encoder returns."""
    with torch.no_grad():
        output = runner.model(**inputs, **without_cache(runner.model))
    return EncoderDecoderReplay(runner, name, runner.batch(inputs), output.logits, output.encoder_last_hidden_state)
