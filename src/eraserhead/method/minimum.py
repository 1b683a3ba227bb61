"""The smallest set of weights whose erasure flips an affine head (METHOD section 5)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.decision import takes_over
from eraserhead.method.erasure import LIFT, sums_after
from eraserhead.method.margins import margins


def minimal_order(
    weights: Float[Tensor, "batch components"],
    component_logits: Float[Tensor, "batch components classes"],
    bias: Float[Tensor, "*#biases classes"],
    mask: Bool[Tensor, "batch components"],
    decision: Int[Tensor, " batch"],
) -> Int[Tensor, "batch components"]:
    """Return an order of the components whose first flipping prefix is a smallest flipping set.

    With kept set S the decision leaves class c for j when ``sum_{i in S} a_i m_ij > 0`` (or ``= 0`` where ``j < c``),
    ``m_ij = (u_ij + b_j) - (u_ic + b_c)``: a sum of independent terms, so that for each j the best k removals are the
    k most negative terms, among equals the lighter weight first. Among classes that need equally few, the set of the
    smaller mass is taken. Where no set that keeps a mass flips, components of positive weight come first, so that the
    prefix that leaves the bias alone is as short as possible.
    """
    by_weight = torch.where(mask, weights, torch.inf).argsort(dim=-1, stable=True)
    light_first = weights.gather(1, by_weight) * LIFT
    logits = (component_logits + bias.unsqueeze(-2)).gather(1, by_weight.unsqueeze(-1).expand_as(component_logits))
    ahead = -margins(logits, decision.unsqueeze(1).expand(-1, logits.shape[1])).transpose(1, 2)
    terms = light_first.unsqueeze(1) * ahead
    terms, position = terms.sort(dim=-1, stable=True)
    kept_weights = light_first.unsqueeze(1).expand_as(terms).gather(2, position)
    flips = takes_over(sums_after(terms, dim=2), decision) & (sums_after(kept_weights, dim=2) > 0)
    best, found = _best_class(flips, kept_weights)
    chosen = position.gather(1, best.view(-1, 1, 1).expand(-1, 1, position.shape[2])).squeeze(1)
    positive_first = ((weights > 0) & mask).logical_not().to(torch.int8).argsort(dim=-1, stable=True)
    order = torch.where(found.unsqueeze(1), by_weight.gather(1, chosen), positive_first)
    return _padding_last(order, mask)


def _best_class(
    flips: Bool[Tensor, "batch classes components"], ordered_weights: Float[Tensor, "batch classes components"]
) -> tuple[Int[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Return the class that needs the fewest removals, then the smallest mass, and whether any class is reached."""
    reached = flips.any(-1)
    first = flips.int().argmax(-1)
    removed = torch.where(reached, first, flips.shape[2])
    mass = ordered_weights.cumsum(-1).gather(2, first.unsqueeze(-1)).squeeze(-1)
    fewest = removed == removed.min(-1, keepdim=True).values
    return torch.where(fewest, mass, torch.inf).argmin(-1), reached.any(-1)


def _padding_last(
    order: Int[Tensor, "batch components"], mask: Bool[Tensor, "batch components"]
) -> Int[Tensor, "batch components"]:
    padding = mask.gather(1, order).logical_not()
    return order.gather(1, padding.to(torch.int8).argsort(dim=-1, stable=True))
