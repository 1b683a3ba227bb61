"""A batch read once at a site, which can be decided again with components erased (METHOD sections 1, 2 and 6)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.along import Along, Steps, along_one_by_one
from eraserhead.method.cases import Cases, Replay
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
from eraserhead.method.shuffled import Shuffle
from eraserhead.method.signals import MARGIN_GRADIENT, MARGIN_PRODUCT
from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import FlippingSet, Flips, first_flips, first_flips_one_by_one

ENTRIES = 2**22  # approximate number of logits of prefixes held at a time


@runtime_checkable
class Reading(Protocol):
    """A batch read at a site: its attention weights, and its decisions with components erased.

    A row is a decision: a document, or of a model that decides label by label a case (`method.cases`).
    Components come first in each row, padding behind them. All numbers are float64. Nothing here tells whether the
    weights come from a pooling layer or from inside a hub checkpoint.
    """

    @property
    def weights(self) -> Float[Tensor, "batch components"]:
        """Attention weights, 0 at padding; where a component has several (one for each head and query), their mean."""
        ...

    @property
    def mask(self) -> Bool[Tensor, "batch components"]:
        """Which components exist."""
        ...

    @property
    def positions(self) -> Int[Tensor, "batch components"]:
        """Position of each component among its document's tokens, or its sentences; of a group of tokens, its first."""
        ...

    @property
    def unerased(self) -> Evaluation:
        """The decision with nothing erased, evaluated in the same way as every erasure."""
        ...

    @property
    def model_decision(self) -> Int[Tensor, " batch"]:
        """The decision of the model's own forward pass."""
        ...

    @property
    def signals(self) -> Mapping[str, Float[Tensor, "batch components"]]:
        """Further values of each component by name, such as gradients: those requested when the batch was read."""
        ...

    @property
    def cases(self) -> Cases | None:
        """The cases that the rows are; None where each row is a document."""
        ...

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Number of components of each row."""
        ...

    def evaluate(self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]) -> Evaluation:
        """Decide documents again with everything outside each keep mask erased; `rows` may repeat a document."""
        ...

    def singles(self) -> Evaluation:
        """Decide with each component erased alone, ``[batch, components]``; computed once."""
        ...

    def first_flips(self, orders: Int[Tensor, "batch rankings components"]) -> list[Flips]:
        """Return for each ranking the first prefix whose erasure changes the decision."""
        ...

    def minimum(self) -> FlippingSet | None:
        """Return the smallest flipping set; None where there is no closed form."""
        ...

    def seen(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"] | None:
        """Return what the head sees with everything outside each keep mask erased; None where it is not known."""
        ...

    def shuffled(self, permutation: Int[Tensor, "batch components"]) -> "Reading | None":
        """Return the reading with permuted weights, whose decision is made anew; None where the site has none.

        Component i gets the weight of component ``permutation[i]``, and padding stays in place. Where weights sum to 1
        within sentences, those of a sentence are permuted in the order in which the permutation has them. Cases of one
        document are permuted alike. The result has no signals: it serves to erase along its weights, and at random.
        """
        ...

    def along(self, orders: Int[Tensor, "batch orders components"], steps: Steps) -> Along:
        """Return the log-odds of the decision with the first components of each order erased, and alone kept."""
        ...

    def limits(self) -> Limits | None:
        """Return the log-odds that sets of each size can reach; None where there is no closed form."""
        ...


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
