"""A batch's tokens as components, and readings of them once a replay has decided the batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.decision import decide
from eraserhead.method.erasure import Evaluation
from eraserhead.method.replayed import ReplayedReading, summed_signals
from eraserhead.models.pooling import components_first
from eraserhead.sites.inside.components import InsideReplay
from eraserhead.sites.inside.runner import Replay, Runner


@dataclass(frozen=True)
class Sums:
    """What a site has for each token, over all of the token's entries.

    Attributes:
        weights: Mean of its weights.
        gradient: Sum of the derivatives of each decision's margin by them.
        product: Sum of weights times derivatives.
    """

    weights: Float[Tensor, "documents tokens"]
    gradient: Float[Tensor, "decisions tokens"]
    product: Float[Tensor, "decisions tokens"]


@dataclass(frozen=True)
class Tokens:
    """Which tokens of a batch are components.

    Attributes:
        present: Which tokens exist.
        components: Which of them are components.
        positions: Positions of each document's components.
        mask: Which components exist.
    """

    present: Bool[Tensor, "documents tokens"]
    components: Bool[Tensor, "documents tokens"]
    positions: Int[Tensor, "documents components"]
    mask: Bool[Tensor, "documents components"]

    @classmethod
    def of(cls, runner: Runner, inputs: Mapping[str, Tensor], left_out: Int[Tensor, " ids"]) -> "Tokens":
        """Return the tokens of a batch; those of the ids `left_out` are no components.

        Raises:
            ValueError: Documents are padded, and the model sees padding.
        """
        present = inputs["attention_mask"].bool()
        padded = present.any(-1) & ~present.all(-1)
        if runner.layers.sees_padding and padded.any():
            raise ValueError("padding would change this model's decisions: read documents of one length at a time")
        components = present & ~torch.isin(inputs["input_ids"], left_out)
        return cls(present, components, *components_first(components))

    @property
    def documents(self) -> Int[Tensor, " documents"]:
        """The number of every document."""
        return torch.arange(len(self.present), device=self.present.device)

    def undisturbed(self, replay: Replay) -> Float[Tensor, "documents classes"]:
        """Return what a replay gives with nothing erased, in float64."""
        return replay.logits(self.documents, torch.ones_like(self.present).unsqueeze(1))[:, 0].double()

    def of_components(
        self, scores: Float[Tensor, "decisions tokens"], rows: Int[Tensor, " decisions"]
    ) -> Float[Tensor, "decisions components"]:
        """Return the scores of the components, 0 at padding."""
        return (scores * self.present[rows]).gather(1, self.positions[rows]) * self.mask[rows]

    def reading(
        self,
        runner: Runner,
        replay: Replay,
        logits: Float[Tensor, "documents classes"],
        decided: OneEach | Cases,
        sums: Sums,
        gradients: bool,
    ) -> ReplayedReading:
        """Return the reading of a batch at a site.

        Args:
            runner: The model.
            replay: The way to run it again.
            logits: What the replay gives with nothing erased.
            decided: The decisions.
            sums: What the site has for each token.
            gradients: Whether there are derivatives among it.
        """
        weights, rows = shares(sums.weights * self.present), decided.documents
        decisive = decided.decisive(logits)
        unerased = Evaluation(decisive, torch.ones_like(decisive[:, 0]), (weights > 0).any(-1)[rows])
        gradient, product = (self.of_components(each, rows) for each in (sums.gradient, sums.product))
        return ReplayedReading(
            weights=(weights.gather(1, self.positions) * self.mask)[rows],
            mask=self.mask[rows],
            positions=self.positions[rows],
            unerased=unerased,
            model_decision=decide(decided.decisive(replay.model_logits)),
            signals=summed_signals(unerased, gradient, product) if gradients else {},
            outside=(weights * ~self.components).sum(-1)[rows],
            replay=decided.replay(InsideReplay(runner.model, replay, self.mask, self.positions)),
            mask_entries=runner.budget.mask_entries,
            cases=decided.cases,
        )


def shares(values: Float[Tensor, "rows tokens"]) -> Float[Tensor, "rows tokens"]:
    """Divide each row by its sum; zeros stay zeros."""
    return values / values.sum(-1, keepdim=True).clamp(min=torch.finfo(values.dtype).tiny)


def joined_sums(parts: Sequence[Sums]) -> Sums:
    """Return the sums of several parts of a batch as those of the whole."""
    return Sums(*(torch.cat([getattr(part, name) for part in parts]) for name in ("weights", "gradient", "product")))
