"""Scores of tokens by the attention of all layers and heads, from the first up to the read-out (METHOD section 9).

They belong to the model: which layer or heads a site erases changes nothing about them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.rollout import mixed_with_residual, relevance_step, roll_out, shares_of_rows
from eraserhead.patch.families import ReadOut
from eraserhead.patch.interface import erasable
from eraserhead.sites.embeddings import parameters_fixed
from eraserhead.sites.inside.runner import Batch, Entries, Runner, recorded
from eraserhead.sites.inside.slopes import margins_in_turns, slopes_in_turns


@dataclass(frozen=True)
class Rollouts:
    """Two scores of tokens that one pass gives.

    Attributes:
        attention: Attention rollout, which knows nothing of decisions.
        relevance: Relevance to each decision's margin.
    """

    attention: Float[Tensor, "documents tokens"]
    relevance: Float[Tensor, "decisions tokens"]


@dataclass(frozen=True)
class AttentionMaps:
    """The attention of all layers of a batch.

    Attributes:
        runner: The model, whose layers are of one kind.
        batch: Its inputs.
    """

    runner: Runner
    batch: Batch

    @torch.no_grad()
    def rollout(self) -> Float[Tensor, "documents tokens"]:
        """Return attention rollout (Abnar & Zuidema 2020)."""
        with erasable(self.runner.model):
            entries = (recorded(self.runner, self.batch, rows) for rows in self._in_parts())
            return torch.cat([self._rolled(rows, each) for rows, each in zip(self._in_parts(), entries, strict=True)])

    def rollouts(self, decided: OneEach | Cases, unerased: Float[Tensor, "documents outputs"]) -> "Rollouts":
        """Return attention rollout and relevance (Chefer et al. 2021, self-attention) of one pass."""
        rollout, relevance = [], []
        with erasable(self.runner.model), parameters_fixed(self.runner.model), torch.enable_grad():
            for rows in self._in_parts():
                among = decided.among(rows)
                entries = recorded(self.runner, self.batch, rows)
                margins = margins_in_turns(entries.logits, unerased[rows], among)
                turns = []
                for slopes in slopes_in_turns(entries, margins, gradients=True):
                    pairs = zip(entries.weights, slopes, strict=True)
                    layers = [relevance_step(weights.detach(), slope) for weights, slope in pairs]
                    turns.append(roll_out(self._read_out(rows), layers))
                relevance.append(among.from_turns(torch.stack(turns)))
                rollout.append(self._rolled(rows, entries))
        return Rollouts(torch.cat(rollout), torch.cat(relevance))

    def _rolled(self, rows: Int[Tensor, " rows"], entries: Entries) -> Float[Tensor, "rows tokens"]:
        return roll_out(self._read_out(rows), [mixed_with_residual(weights.detach()) for weights in entries.weights])

    @torch.no_grad()
    def value_zeroing(self) -> Float[Tensor, "documents tokens"]:
        """Return value zeroing, rolled out (Mohebbi et al. 2023).

        In each layer by itself: how far every token's vector turns where one token's value counts as 0 in all heads.
        """
        documents = torch.arange(len(self.batch.mask), device=self.batch.mask.device)
        with erasable(self.runner.model):
            vectors = self._vectors(documents)
            layers = [shares_of_rows(self._turned(layer, vectors)) for layer in range(len(vectors) - 1)]
        return roll_out(self._read_out(documents), layers)

    def _turned(
        self, layer: int, vectors: Sequence[Float[Tensor, "documents tokens hidden"]]
    ) -> Float[Tensor, "documents queries keys"]:
        """Return the cosine distance between what a layer makes of each query with and without each key's value."""
        mask = self.batch.mask
        documents, keys = mask.nonzero(as_tuple=True)
        distances = vectors[0].new_zeros(*mask.shape, mask.shape[1], dtype=torch.float64)
        for part in torch.arange(len(keys), device=keys.device).split(self.runner.rows(mask.shape[1])):
            own, key = documents[part], keys[part]
            stay = torch.ones_like(mask[own]).scatter(1, key.unsqueeze(1), False)
            without = self._without_values(layer, own, vectors[layer][own], stay)
            similar = cosine_similarity(without.double(), vectors[layer + 1][own].double(), dim=-1)
            distances[own, :, key] = (1 - similar).clamp(min=0) * mask[own]
        return distances

    def _vectors(self, documents: Int[Tensor, " rows"]) -> list[Float[Tensor, "rows tokens hidden"]]:
        """Return the input of every layer, and the output of the last one."""
        layers, found = self.runner.layers, []
        with layers.running(watched=range(len(layers)), changed=partial(_noted, found)) as inputs:
            self.runner.run(self.batch.inputs_of(documents))
        return [*(inputs[layer] for layer in range(len(layers))), *found]

    def _without_values(
        self, layer: int, documents: Int[Tensor, " rows"], hidden: Tensor, stay: Tensor
    ) -> Float[Tensor, "rows tokens hidden"]:
        """Return what a layer makes of its input where some values count as 0."""
        above, found = layer + 1, []
        inputs = self.batch.inputs_of(documents)
        with self.runner.layers.running(layer, layer, hidden, watched=(above,), changed=partial(_noted, found)) as seen:
            self.runner.run(inputs, layer, attention_values={layer: stay})
        return seen[above] if above in seen else found[0]

    def _read_out(self, documents: Int[Tensor, " rows"]) -> Float[Tensor, "rows tokens"]:
        """Return how much of each token's last vector the decision is read from."""
        mask = self.batch.mask[documents].double()
        if self.runner.read_out is ReadOut.MEAN:
            return mask / mask.sum(-1, keepdim=True).clamp(min=1)
        return torch.zeros_like(mask).scatter(1, self.batch.read_out[documents].unsqueeze(1), 1.0)

    def _in_parts(self) -> tuple[Int[Tensor, " rows"], ...]:
        at_once = self.runner.rows(self.batch.mask.shape[1], layers=self.runner.layers.attentions)
        return torch.arange(len(self.batch.mask), device=self.batch.mask.device).split(at_once)


def _noted(found: list[Tensor], vectors: Tensor) -> Tensor:
    found.append(vectors)
    return vectors
