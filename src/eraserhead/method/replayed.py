"""A reading that is decided again by running a part of the model (METHOD section 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.along import Along, Steps, along_one_by_one
from eraserhead.method.cases import Cases, Replay
from eraserhead.method.erasure import (
    Evaluation,
)
from eraserhead.method.margins import saturation
from eraserhead.method.names import GRADIENT, PRODUCT
from eraserhead.method.seen import See
from eraserhead.method.shuffled import Shuffle
from eraserhead.method.signals import MARGIN_GRADIENT, MARGIN_PRODUCT
from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import Flips, first_flips_one_by_one


@dataclass(frozen=True)
class ReplayedReading:
    """A reading without a closed form, which is decided again by running a part of the model.

    Attributes:
        weights: See `Reading`, as for the other fields. With `outside` they sum to 1.
        outside: Weight on tokens that are no components and are never erased; 0 where there are none.
        replay: Runs what follows the site: rows and keep masks -> logits ``[rows, erasures, classes]``.
        mask_entries: Approximate number of keep-mask entries held at a time.
        see: Returns what the head sees, as `seen` does; None where it is not known.
        shuffle: Permutes the weights, as `Reading.shuffled` says; None where they cannot be permuted.
    """

    weights: Float[Tensor, "batch components"]
    mask: Bool[Tensor, "batch components"]
    positions: Int[Tensor, "batch components"]
    unerased: Evaluation
    model_decision: Int[Tensor, " batch"]
    signals: Mapping[str, Float[Tensor, "batch components"]]
    outside: Float[Tensor, " batch"]
    replay: Replay
    mask_entries: int
    cases: Cases | None = None
    see: See | None = None
    shuffle: Shuffle | None = None

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Number of components of each row."""
        return self.mask.sum(-1)

    def evaluate(self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]) -> Evaluation:
        """Run the replay; mass is kept where any weight above 0 is kept, also outside the components."""
        logits = self.replay(rows, keep).double()
        some = (keep & (self.weights[rows] > 0).unsqueeze(1)).any(-1) | (self.outside[rows] > 0).unsqueeze(1)
        return Evaluation(logits, torch.ones_like(logits[..., 0]), some)

    def singles(self) -> Evaluation:
        """Run the replay without each component, as many at a time as `mask_entries` allows."""
        return self._singles

    @cached_property
    def _singles(self) -> Evaluation:
        documents = torch.arange(len(self.mask), device=self.mask.device)
        at_once = max(1, self.mask_entries // self.mask.numel())
        parts = torch.arange(self.mask.shape[1], device=self.mask.device).split(at_once)
        return joined([self.evaluate(documents, single_keeps(self.mask, erased)) for erased in parts])

    def first_flips(self, orders: Int[Tensor, "batch rankings components"]) -> list[Flips]:
        """Run the replay over growing chunks of prefixes, until the decision flips."""
        decision = self.unerased.decision
        return first_flips_one_by_one(self.evaluate, self.weights, orders, self.mask, decision, self.mask_entries)

    def minimum(self) -> None:
        """Return None: there is no closed form."""

    def seen(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"] | None:
        """Run the replay once for each set of kept components of each document."""
        return None if self.see is None else self.see(rows, keep)

    def shuffled(self, permutation: Int[Tensor, "batch components"]) -> "ReplayedReading | None":
        """Run the replay once with permuted weights and nothing erased, for the decision."""
        if self.shuffle is None:
            return None
        found = self.shuffle(permutation)
        rows = torch.arange(len(self.mask), device=self.mask.device)
        logits = found.replay(rows, self.mask.unsqueeze(1))[:, 0].double()
        unerased = Evaluation(logits, torch.ones_like(logits[:, 0]), self.unerased.keeps_mass)
        changed = {"weights": found.weights, "replay": found.replay, "unerased": unerased, "signals": {}}
        return replace(self, model_decision=unerased.decision, shuffle=None, see=None, **changed)

    def along(self, orders: Int[Tensor, "batch orders components"], steps: Steps) -> Along:
        """Run the replay for every set, as many at a time as `mask_entries` allows."""
        return along_one_by_one(self.evaluate, orders, steps, self.unerased.decision, self.mask_entries)

    def limits(self) -> None:
        """Return None: there is no closed form."""


def summed_signals(
    unerased: Evaluation,
    margin_gradient: Float[Tensor, "batch components"],
    margin_product: Float[Tensor, "batch components"],
) -> dict[str, Float[Tensor, "batch components"]]:
    """Return the gradient signals of components with several weights each, over which both arguments are summed."""
    factor = saturation(unerased.logits).unsqueeze(1)
    return {
        MARGIN_GRADIENT: margin_gradient,
        MARGIN_PRODUCT: margin_product,
        GRADIENT: factor * margin_gradient,
        PRODUCT: factor * margin_product,
    }


def joined(evaluations: list[Evaluation]) -> Evaluation:
    """Concatenate evaluations ``[batch, erasures]`` along the erasures."""
    return Evaluation(
        torch.cat([each.scaled_logits for each in evaluations], 1),
        torch.cat([each.scale for each in evaluations], 1),
        torch.cat([each.keeps_mass for each in evaluations], 1),
    )
