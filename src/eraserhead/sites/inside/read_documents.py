"""Signals of a batch that need passes of their own: by word embeddings, and by the attention of all layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.decision import decide
from eraserhead.method.signals import GRADIENT_ROLLOUT, ROLLOUT, VALUE_ZEROING
from eraserhead.models.special_tokens import named_padding
from eraserhead.patch.interface import erasable
from eraserhead.sites.embeddings import WordEmbeddings, embedded, input_table, margins_of
from eraserhead.sites.inside.attention_maps import AttentionMaps, Rollouts
from eraserhead.sites.inside.runner import Batch, Runner

Compute = Callable[[], Float[Tensor, "decisions components"]]


@dataclass(frozen=True)
class ReadDocuments:
    """A batch that has been read.

    Attributes:
        runner: The model.
        batch: Its inputs.
        logits: What it decides with nothing erased.
        decided: The decisions.
        positions: Positions of the components of each document.
        mask: Which components exist.
    """

    runner: Runner
    batch: Batch
    logits: Float[Tensor, "documents outputs"]
    decided: OneEach | Cases
    positions: Int[Tensor, "documents components"]
    mask: Bool[Tensor, "documents components"]

    def signals(self, asked: frozenset[str]) -> dict[str, Compute]:
        """Return what computes each of the signals that are asked for; nothing runs before it is called."""
        maps, rows = AttentionMaps(self.runner, self.batch), self.decided.documents
        both = {ROLLOUT, GRADIENT_ROLLOUT} <= asked
        rollout = (lambda: self._rollouts.attention) if both else maps.rollout
        later: dict[str, Compute] = {
            ROLLOUT: lambda: self.of_components(rollout()[rows]),
            VALUE_ZEROING: lambda: self.of_components(maps.value_zeroing()[rows]),
            GRADIENT_ROLLOUT: lambda: self.of_components(self._rollouts.relevance),
        }
        for name, compute in self._embeddings.signals.items():
            later[name] = lambda compute=compute: self.of_components(compute())
        return {name: compute for name, compute in later.items() if name in asked}

    @property
    def missed(self) -> Mapping[str, Float[Tensor, " decisions"]]:
        """By how much the sums of a decision's scores miss what they are known to be, once computed."""
        return self._embeddings.missed

    def of_components(self, scores: Float[Tensor, "decisions tokens"]) -> Float[Tensor, "decisions components"]:
        """Return the scores of the components, 0 at padding."""
        rows = self.decided.documents
        return scores.double().gather(1, self.positions[rows]).masked_fill(~self.mask[rows], 0.0)

    @cached_property
    def _rollouts(self) -> Rollouts:
        return AttentionMaps(self.runner, self.batch).rollouts(self.decided, self.logits)

    @cached_property
    def _embeddings(self) -> WordEmbeddings:
        model, tokens = self.runner.model, self.batch.mask.shape[1]
        return WordEmbeddings(
            table=input_table(model),
            ids=self.batch.inputs["input_ids"][self.decided.documents],
            padding=named_padding(model.config),
            margins=margins_of(model, self._logits_of, self.decided, decide(self.decided.decisive(self.logits))),
            at_once=self.runner.rows(tokens, layers=self.runner.layers.attentions),
        )

    def _logits_of(
        self, vectors: Float[Tensor, "rows tokens hidden"], documents: Int[Tensor, " rows"]
    ) -> Float[Tensor, "rows outputs"]:
        inputs = self.batch.inputs_of(documents)
        model = self.runner.model
        with erasable(model), embedded(input_table(model), inputs["input_ids"], vectors):
            return self.runner.run(inputs)
