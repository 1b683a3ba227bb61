"""A reading whose head is one affine map, so that everything has a closed form (METHOD sections 2 to 5 and 10)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.along import Along, Steps
from eraserhead.method.cases import Cases
from eraserhead.method.erasure import (
    LIFT,
    Evaluation,
    evaluate_first_kept,
    evaluate_kept,
    evaluate_prefixes,
    evaluate_singles,
    evaluate_unerased,
)
from eraserhead.method.limits import Limits, limits
from eraserhead.method.margins import log_odds, rival_weights, saturation, soft_margin
from eraserhead.method.minimum import minimal_order
from eraserhead.method.names import GRADIENT, PRODUCT
from eraserhead.method.seen import See
from eraserhead.method.signals import MARGIN_GRADIENT, MARGIN_PRODUCT
from eraserhead.method.test_two import FlippingSet, Flips, first_flips

ENTRIES = 2**22  # approximate number of logits of prefixes held at a time


@dataclass(frozen=True)
class AffineReading:
    """A reading whose head is one affine map of the pooled vector, so that everything has a closed form.

    Attributes:
        weights: See `Reading`, as for the other fields.
        component_logits: ``W v_i``, the logits of each component without the bias.
        bias: ``b``; of cases, which differ in it, one each.
        see: Returns what the head sees, as `seen` does; None where only logits are known.
    """

    weights: Float[Tensor, "batch components"]
    component_logits: Float[Tensor, "batch components classes"]
    bias: Float[Tensor, "*#biases classes"]
    mask: Bool[Tensor, "batch components"]
    positions: Int[Tensor, "batch components"]
    unerased: Evaluation
    model_decision: Int[Tensor, " batch"]
    signals: Mapping[str, Float[Tensor, "batch components"]]
    cases: Cases | None = None
    see: See | None = None

    @classmethod
    def of(
        cls,
        weights: Float[Tensor, "batch components"],
        component_logits: Float[Tensor, "batch components classes"],
        bias: Float[Tensor, "*#biases classes"],
        mask: Bool[Tensor, "batch components"],
        positions: Int[Tensor, "batch components"] | None = None,
        model_decision: Int[Tensor, " batch"] | None = None,
        cases: Cases | None = None,
    ) -> "AffineReading":
        """Evaluate an affine head; by default component i is at position i, and the model makes the same decisions."""
        unerased = evaluate_unerased(weights, component_logits, bias)
        rivals = rival_weights(unerased.logits)
        gradient = soft_margin(component_logits, unerased.decision, rivals) * mask
        places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
        return cls(
            weights=weights,
            component_logits=component_logits,
            bias=bias,
            mask=mask,
            positions=places if positions is None else positions,
            unerased=unerased,
            model_decision=unerased.decision if model_decision is None else model_decision,
            signals=affine_signals(unerased, weights, gradient),
            cases=cases,
        )

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Number of components of each row."""
        return self.mask.sum(-1)

    def evaluate(self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]) -> Evaluation:
        """Evaluate the head again; agrees with `singles` and `first_flips` up to the rounding of sums."""
        bias = self.bias if self.bias.dim() == 1 else self.bias[rows]
        return evaluate_kept(self.weights[rows], self.component_logits[rows], bias, keep)

    def singles(self) -> Evaluation:
        """Decide without each component, by prefix and suffix sums."""
        return self._singles

    @cached_property
    def _singles(self) -> Evaluation:
        return evaluate_singles(self.weights, self.component_logits, self.bias)

    def first_flips(self, orders: Int[Tensor, "batch rankings components"]) -> list[Flips]:
        """Return each ranking's first flips by cumulative sums, of as many rankings at once as `ENTRIES` allows."""
        at_once = max(1, ENTRIES // max(self.component_logits.numel(), 1))
        return [flips for group in orders.split(at_once, dim=1) for flips in self._flips_of(group)]

    def _flips_of(self, orders: Int[Tensor, "batch rankings components"]) -> list[Flips]:
        batch, rankings = orders.shape[:2]
        rows = torch.arange(batch, device=orders.device).repeat_interleave(rankings)
        bias = self.bias if self.bias.dim() == 1 else self.bias[rows]
        weights, order = self.weights[rows], orders.flatten(0, 1)
        prefixes = evaluate_prefixes(weights, self.component_logits[rows], bias, order)
        found = first_flips(prefixes, weights, order, self.mask[rows], self.unerased.decision[rows])
        columns = [getattr(found, field.name).view(batch, rankings).unbind(1) for field in fields(Flips)]
        return [Flips(*values) for values in zip(*columns, strict=True)]

    def minimum(self) -> FlippingSet:
        """Return the exact minimum (METHOD section 5)."""
        decision = self.unerased.decision
        order = minimal_order(self.weights, self.component_logits, self.bias, self.mask, decision)
        return FlippingSet(order, *self._flips_of(order.unsqueeze(1)))

    def seen(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"] | None:
        """Return the pooled vectors: averages of the vectors by the weights that are left; 0 where none is."""
        return None if self.see is None else self.see(rows, keep)

    def shuffled(self, permutation: Int[Tensor, "batch components"]) -> "AffineReading":
        """Return the reading with permuted weights: each component keeps its logits."""
        weights = self.weights.gather(1, permutation)
        unerased = evaluate_unerased(weights, self.component_logits, self.bias)
        return replace(self, weights=weights, unerased=unerased, model_decision=unerased.decision, signals={}, see=None)

    def along(self, orders: Int[Tensor, "batch orders components"], steps: Steps) -> Along:
        """Follow each order by cumulative sums, of as many orders at once as `ENTRIES` allows."""
        at_once = max(1, ENTRIES // max(self.component_logits.numel(), 1))
        parts = [self._along(group, steps) for group in orders.split(at_once, dim=1)]
        return Along(torch.cat([part.removed for part in parts], 1), torch.cat([part.kept for part in parts], 1))

    def _along(self, orders: Int[Tensor, "batch orders components"], steps: Steps) -> Along:
        batch, count = orders.shape[:2]
        rows = torch.arange(batch, device=orders.device).repeat_interleave(count)
        bias = self.bias if self.bias.dim() == 1 else self.bias[rows]
        head = self.weights[rows], self.component_logits[rows], bias, orders.flatten(0, 1)
        decision, at = self.unerased.decision[rows], steps.k[rows]
        whole = log_odds(self.unerased.logits, self.unerased.decision)[rows]
        nothing = log_odds(bias.expand(len(rows), -1), decision)

        def curve(start: Tensor, later: Evaluation) -> Tensor:
            odds = log_odds(later.logits, decision.unsqueeze(1).expand(later.scale.shape))
            return torch.cat([start.unsqueeze(1), odds], dim=1).gather(1, at).unflatten(0, (batch, count))

        return Along(curve(whole, evaluate_prefixes(*head)), curve(nothing, evaluate_first_kept(*head)))

    def limits(self) -> Limits:
        """Return the limits over all sets of each size (METHOD section 10)."""
        bias = self.bias.expand(len(self.mask), -1)
        head = self.weights, self.component_logits + bias.unsqueeze(1), bias, self.unerased.decision, self.lengths
        return limits(*(tensor.numpy(force=True) for tensor in head))


def affine_signals(
    unerased: Evaluation,
    weights: Float[Tensor, "batch components"],
    margin_gradient: Float[Tensor, "batch components"],
) -> dict[str, Float[Tensor, "batch components"]]:
    """Return the gradient signals of components with one weight each (METHOD section 4)."""
    gradient = saturation(unerased.logits).unsqueeze(1) * margin_gradient
    return {
        MARGIN_GRADIENT: margin_gradient,
        MARGIN_PRODUCT: weights * LIFT * margin_gradient,
        GRADIENT: gradient,
        PRODUCT: weights * gradient,
    }
