"""Small flipping sets where the minimum has no closed form: upper bounds of it (METHOD section 5)."""

from collections.abc import Sequence
from dataclasses import fields

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.method.margins import margins
from eraserhead.method.names import Outcome
from eraserhead.method.reading import Reading
from eraserhead.method.smallest import smallest
from eraserhead.method.test_two import FlippingSet, Flips

FLIPS = [field.name for field in fields(Flips)]


def smallest_set(found: Sequence[FlippingSet]) -> FlippingSet:
    """Return each document's smallest set, as `smallest` chooses."""
    stacked = {name: torch.stack([getattr(each.flips, name) for each in found]) for name in FLIPS}
    best = smallest(stacked["removed"], stacked["mass"], stacked["outcome"])
    rows = torch.arange(len(best), device=best.device)
    order = torch.stack([each.order for each in found])[best, rows]
    return FlippingSet(order, Flips(**{name: values[best, rows] for name, values in stacked.items()}))


def at_most(minimum: FlippingSet, found: Sequence[FlippingSet]) -> FlippingSet:
    """Return the minimum, or a smaller set that was found: rounding may decide exact ties otherwise in other sums."""
    smallest = smallest_set([minimum, *found])
    never = [each.flips.outcome == Outcome.NEVER for each in (smallest, minimum)]
    smaller = ~never[0] & (never[1] | (smallest.flips.removed < minimum.flips.removed))
    flips = [
        torch.where(smaller, getattr(smallest.flips, field.name), getattr(minimum.flips, field.name))
        for field in fields(Flips)
    ]
    return FlippingSet(torch.where(smaller.unsqueeze(1), smallest.order, minimum.order), Flips(*flips))


def greedy_set(reading: Reading, best: FlippingSet) -> FlippingSet:
    """Search a smaller set than `best`: erase, step by step, the component that lowers the decision's margin most.

    Where no smaller set flips the decision, `best` itself is returned.
    """
    mask, decision = reading.mask, reading.unerased.decision
    known = best.flips.outcome != Outcome.NEVER
    limit = torch.where(known, best.flips.removed, mask.sum(-1)) - 1
    keep, order = mask.clone(), best.order.clone()
    removed, becomes, outcome = best.flips.removed.clone(), best.flips.becomes.clone(), best.flips.outcome.clone()
    chosen = torch.zeros_like(order)
    pending, step = (limit > 0).nonzero().squeeze(1), 0
    while len(pending):
        candidates = keep[pending].unsqueeze(1) & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        found = reading.evaluate(pending, candidates)
        margin = _least_margin(found.logits, decision[pending])
        margin = margin.masked_fill(~(keep[pending] & found.keeps_mass), torch.inf)
        least = margin.argmin(-1, keepdim=True)
        chosen[pending, step] = least.squeeze(1)
        keep[pending] = keep[pending].scatter(1, least, False)
        step += 1
        decided = found.decision.gather(1, least).squeeze(1)
        flipped = (decided != decision[pending]) & margin.gather(1, least).squeeze(1).isfinite()
        at = pending[flipped]
        removed[at], becomes[at], outcome[at] = step, decided[flipped], Outcome.FLIP.value
        order[at] = _set_first(chosen[at, :step], mask.shape[1])
        pending = pending[~flipped & (limit[pending] > step)]
    erased = torch.arange(mask.shape[1], device=mask.device) < removed.unsqueeze(1)
    mass = (reading.weights.gather(1, order) * erased).sum(-1).clamp(max=1.0)
    return FlippingSet(order, Flips(removed, mass, outcome, becomes))


def _least_margin(
    logits: Float[Tensor, "rows erasures classes"], decision: Int[Tensor, " rows"]
) -> Float[Tensor, "rows erasures"]:
    """Return how far the decided logit is above its strongest rival."""
    decided = decision.unsqueeze(1).expand(logits.shape[:2])
    return margins(logits, decided).scatter(2, decided.unsqueeze(2), torch.inf).amin(-1)


def _set_first(chosen: Int[Tensor, "rows set"], width: int) -> Int[Tensor, "rows components"]:
    """Return an order of all components that begins with the chosen ones; the others in reading order."""
    rank = torch.full((len(chosen), width), chosen.shape[1], device=chosen.device)
    rank.scatter_(1, chosen, torch.arange(chosen.shape[1], device=chosen.device).expand_as(chosen))
    return rank.argsort(dim=-1, stable=True)
