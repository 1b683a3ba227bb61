"""What erasing weights does at one place among many: a layer, or one head of a layer (METHOD section 13)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import Evaluation
from eraserhead.method.greedy import smallest_set
from eraserhead.method.names import ATTENTION, BEST_FOUND, Outcome
from eraserhead.method.random_draws import random_orders
from eraserhead.method.reading import Reading
from eraserhead.method.test_one import single_erasures
from eraserhead.method.test_two import FlippingSet, Flips, prefix_keeps


@dataclass(frozen=True)
class Effect:
    """What one erasure of each row does.

    Attributes:
        js: Jensen-Shannon divergence from the original distribution, in nats.
        flips: Whether the decision flips.
    """

    js: Float[Tensor, " batch"]
    flips: Bool[Tensor, " batch"]


@dataclass(frozen=True)
class PlaceFlips:
    """What erasing does at one place.

    Attributes:
        top: Its component of most attention erased.
        whole: All components erased.
        flips: First flips along each ranking, and along the smallest set found.
        random: First flips along each random order.
    """

    top: Effect
    whole: Effect
    flips: Mapping[str, Flips]
    random: Sequence[Flips]


def shuffled_orders(
    reading: Reading, documents: Sequence[str], draws: int, seed: int
) -> Int[Tensor, "batch draws components"]:
    """Return the random orders that `analyse` takes: they depend on seed and document alone, not on the place."""
    orders = random_orders(documents, reading.lengths.tolist(), reading.mask.shape[1], draws, seed)
    return orders.to(reading.mask.device)


@torch.no_grad()
def analyse_place(
    reading: Reading,
    orders: Mapping[str, Int[Tensor, "batch components"]],
    shuffles: Int[Tensor, "batch draws components"],
    every_prefix: bool,
) -> PlaceFlips:
    """Erase along rankings and random orders at one place.

    Args:
        reading: A batch as read at the place.
        orders: The rankings by name, attention among them; each row's components best first, padding last.
        shuffles: The random orders.
        every_prefix: Whether first flips are those among all prefixes; else among those of `first_flips_on_grid`.
    """
    rows = torch.arange(len(reading.mask), device=reading.mask.device)
    nothing = torch.zeros_like(reading.mask)
    top = reading.mask.scatter(1, orders[ATTENTION][:, :1], False)
    single = reading.evaluate(rows, torch.stack([top, nothing], dim=1))
    found = single_erasures(reading.unerased, single)
    flipped = found.decision != reading.unerased.decision.unsqueeze(1)
    stacked = torch.cat([torch.stack(list(orders.values()), dim=1), shuffles], dim=1)
    whole = _at(single, 1)
    flips = reading.first_flips(stacked) if every_prefix else first_flips_on_grid(reading, stacked, whole)
    sets = [FlippingSet(stacked[:, number], each) for number, each in enumerate(flips)]
    along = dict(zip(orders, flips, strict=False))
    return PlaceFlips(
        top=Effect(found.js[:, 0], flipped[:, 0]),
        whole=Effect(found.js[:, 1], flipped[:, 1]),
        flips=along | {BEST_FOUND: smallest_set(sets).flips},
        random=flips[len(orders) :],
    )


def removed_at(flips: Flips, never: int) -> Int[Tensor, " batch"]:
    """Return how many components are erased at the first flips, and `never` where nothing flips."""
    return flips.removed.masked_fill(flips.outcome == Outcome.NEVER.value, never)


def grid_sizes(components: int) -> list[int]:
    """Return the sizes of the prefixes that are looked at, but for the whole: 1, 2, 4, ... below `components`."""
    return [1 << power for power in range(max(components - 1, 0).bit_length())]


def first_flips_on_grid(
    reading: Reading, orders: Int[Tensor, "batch rankings components"], whole: Evaluation
) -> list[Flips]:
    """Return for each ranking the first prefix of 1, 2, 4, ... and all components whose erasure changes the decision.

    Prefixes of other sizes are not looked at, so a first flip is at most this one, and a decision that flips with some
    of those alone counts as never flipping. All prefixes are evaluated at once.

    Args:
        reading: A batch as read at a site.
        orders: The rankings, best first, padding last.
        whole: The decisions with all components erased, one for each row.
    """
    lengths, decision, rankings = reading.lengths, reading.unerased.decision, orders.shape[1]
    sizes = torch.tensor(grid_sizes(int(lengths.max())), dtype=torch.long, device=orders.device)
    rows = torch.arange(len(orders), device=orders.device)
    keep = [prefix_keeps(order, sizes) for order in orders.unbind(1)]
    found = reading.evaluate(rows, torch.cat(keep, dim=1)) if len(sizes) else None
    flips = []
    for number in range(rankings):
        own = slice(number * len(sizes), (number + 1) * len(sizes))
        decisions, keeps = ([], []) if found is None else ([found.decision[:, own]], [found.keeps_mass[:, own]])
        becomes = torch.cat([*decisions, whole.decision.unsqueeze(1)], dim=1)
        keeps_mass = torch.cat([*keeps, whole.keeps_mass.unsqueeze(1)], dim=1)
        removed = torch.cat([sizes.expand(len(rows), -1), lengths.unsqueeze(1)], dim=1)
        exists = torch.cat([sizes < lengths.unsqueeze(1), lengths.unsqueeze(1) > 0], dim=1)
        flips.append(_first(reading.weights, orders[:, number], removed, exists, becomes, keeps_mass, decision))
    return flips


def _first(
    weights: Float[Tensor, "batch components"],
    order: Int[Tensor, "batch components"],
    removed: Int[Tensor, "batch prefixes"],
    exists: Bool[Tensor, "batch prefixes"],
    becomes: Int[Tensor, "batch prefixes"],
    keeps_mass: Bool[Tensor, "batch prefixes"],
    decision: Int[Tensor, " batch"],
) -> Flips:
    flipped = (becomes != decision.unsqueeze(1)) & exists
    some, first = flipped.any(-1), flipped.int().argmax(-1, keepdim=True)
    size = removed.gather(1, first).squeeze(1).clamp(min=1)
    mass = weights.gather(1, order).cumsum(-1).gather(1, size.unsqueeze(1) - 1).squeeze(1)
    kind = torch.where(keeps_mass.gather(1, first).squeeze(1), Outcome.FLIP.value, Outcome.BIAS_ONLY.value)
    return Flips(
        removed=size,
        mass=mass.clamp(max=1.0),
        outcome=torch.where(some, kind, Outcome.NEVER.value),
        becomes=torch.where(some, becomes.gather(1, first).squeeze(1), decision),
    )


def _at(evaluation: Evaluation, number: int) -> Evaluation:
    """Return one of the erasures of each row."""
    return Evaluation(
        evaluation.scaled_logits[:, number], evaluation.scale[:, number], evaluation.keeps_mass[:, number]
    )
