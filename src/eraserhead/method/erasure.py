"""Erasure of attention weights and re-evaluation of an affine head (Serrano & Smith 2019, sec. 3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.decision import decide

# Multiplying by a power of two is exact. It lifts weights that underflowed towards 5e-324 back into the range in which
# products with component logits keep their precision, so that a tiny kept mass still counts.
LIFT = 2.0**500


def erase(
    weights: Float[Tensor, "*batch components"], keep: Bool[Tensor, "*batch components"]
) -> Float[Tensor, "*batch components"]:
    """Zero the weights outside `keep` and renormalise the rest to sum to 1 (Serrano & Smith 2019, sec. 3).

    A row that keeps no weight above 0 is all zeros: the pooled vector is then zero and the decision is the bias's.

    The site `words` calls this. Affine heads have the closed forms below, which form the erased weights for the pooled
    vectors alone, and encoders' softmaxes are erased by their masks, in `patch.interface`.
    """
    kept = torch.where(keep, weights, torch.zeros_like(weights))
    mass = kept.sum(-1, keepdim=True)
    return torch.where(mass > 0, kept / torch.where(mass > 0, mass, torch.ones_like(mass)), torch.zeros_like(kept))


@dataclass(frozen=True)
class Evaluation:
    """Decisions evaluated with some components, or none, erased.

    Attributes:
        scaled_logits: Logits times `scale`. Decisions are taken from these, since dividing by the weights' sum could
            make or break a tie by rounding.
        scale: A positive factor, one for each evaluation.
        keeps_mass: Whether any weight above 0 is kept; otherwise the bias alone decides.
    """

    scaled_logits: Float[Tensor, "*batch classes"]
    scale: Float[Tensor, "*batch"]
    keeps_mass: Bool[Tensor, "*batch"]

    @property
    def logits(self) -> Float[Tensor, "*batch classes"]:
        """The logits themselves."""
        return self.scaled_logits / self.scale.unsqueeze(-1)

    @property
    def decision(self) -> Int[Tensor, "*batch"]:
        """The class decided for, by `decide`."""
        return decide(self.scaled_logits)


def evaluate_unerased(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
) -> Evaluation:
    """Evaluate an affine head with nothing erased: ``sum_i a_i u_i / sum_i a_i + b``, or ``b`` without any mass.

    Here and below, rows of a batch share one bias, or have one each.
    """
    return _evaluation(_weighted(weights, component_logits, bias).sum(1), bias)


def evaluate_singles(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
) -> Evaluation:
    """Evaluate an affine head with each component erased alone, ``[batch, components]`` evaluations.

    The sums over the others are prefix plus suffix sums: subtracting from the total would lose everything where one
    weight is close to 1 (METHOD section 3).
    """
    weighted = _weighted(weights, component_logits, bias)
    before = weighted.cumsum(1).roll(1, dims=1)
    before[:, :1] = 0
    return _evaluation(before + sums_after(weighted, dim=1), bias.unsqueeze(-2))


def evaluate_kept(
    weights: Float[Tensor, "rows components"],
    component_logits: Float[Tensor, "rows components classes"],
    bias: Float[Tensor, "*#biases classes"],
    keep: Bool[Tensor, "rows erasures components"],
) -> Evaluation:
    """Evaluate an affine head with everything outside each keep mask erased."""
    weighted = _weighted(weights, component_logits, bias)
    return _evaluation(keep.to(weighted.dtype) @ weighted, bias.unsqueeze(-2))


def evaluate_prefixes(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
    order: Int[Tensor, "batch components"],
) -> Evaluation:
    """Evaluate an affine head with the first 1, 2, ..., all components of `order` erased.

    Each kept sum is a suffix sum of non-negative masses, so a kept mass is 0 exactly where no positive weight is kept.
    """
    weighted = _weighted(weights, component_logits, bias)
    sums = sums_after(weighted.gather(1, order.unsqueeze(-1).expand_as(weighted)), dim=1)
    return _evaluation(sums, bias.unsqueeze(-2))


def evaluate_first_kept(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
    order: Int[Tensor, "batch components"],
) -> Evaluation:
    """Evaluate an affine head with the first 1, 2, ..., all components of `order` alone kept."""
    weighted = _weighted(weights, component_logits, bias)
    sums = weighted.gather(1, order.unsqueeze(-1).expand_as(weighted)).cumsum(1)
    return _evaluation(sums, bias.unsqueeze(-2))


def _weighted(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
) -> Float[Tensor, "batch components classes_and_mass"]:
    """Return ``a_i (u_i + b)`` with ``a_i`` itself as a last column, all lifted."""
    lifted = (weights * LIFT).unsqueeze(-1)
    return torch.cat([lifted * (component_logits + bias.unsqueeze(-2)), lifted], dim=-1)


def sums_after(values: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Return at each entry along `dim` the sum of the entries behind it; 0 at the last.

    Each is a sum of what is kept, never a total minus what is erased, which would lose a small rest (METHOD section 2).
    """
    sums = values.flip(dim).cumsum(dim).flip(dim).roll(-1, dims=dim)
    sums.select(dim, -1).zero_()
    return sums


def _evaluation(sums: Float[Tensor, "*batch classes_and_mass"], bias: Float[Tensor, "*#biases classes"]) -> Evaluation:
    mass = sums[..., -1]
    keeps_mass = mass > 0
    scaled_logits = torch.where(keeps_mass.unsqueeze(-1), sums[..., :-1], bias)
    return Evaluation(scaled_logits, torch.where(keeps_mass, mass, torch.ones_like(mass)), keeps_mass)
