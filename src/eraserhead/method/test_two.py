"""Test 2: sets of weights erased along a ranking; the first that flips the decision (Serrano & Smith 2019, sec. 5)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import Evaluation
from eraserhead.method.names import Outcome

# Decides the documents `rows` again: rows, keep[rows, erasures, components] -> evaluations [rows, erasures].
Evaluate = Callable[[Int[Tensor, " rows"], Bool[Tensor, "rows erasures components"]], Evaluation]

FIRST_PREFIXES = 8  # prefixes in an order's first chunk; later chunks hold up to a quarter of those before


@dataclass(frozen=True)
class Flips:
    """First flips along one ranking, one row for each document.

    Attributes:
        removed: Components erased at the first flip; meaningless where the outcome is NEVER.
        mass: Sum of the original weights over them; meaningless where the outcome is NEVER.
        outcome: An `Outcome` for each document.
        becomes: The decision after the first flip; the original one where the outcome is NEVER.
    """

    removed: Int[Tensor, " batch"]
    mass: Float[Tensor, " batch"]
    outcome: Int[Tensor, " batch"]
    becomes: Int[Tensor, " batch"]


@dataclass(frozen=True)
class FlippingSet:
    """A set whose erasure flips the decision, as the first components of an order.

    Attributes:
        order: All components, the set first.
        flips: Its size, its mass, its outcome and the decision without it.
    """

    order: Int[Tensor, "batch components"]
    flips: Flips


def first_flips(
    prefixes: Evaluation,
    weights: Float[Tensor, "batch components"],
    order: Int[Tensor, "batch components"],
    mask: Bool[Tensor, "batch components"],
    decision: Int[Tensor, " batch"],
) -> Flips:
    """Return the first prefix of `order` whose erasure changes the decision; every prefix is looked at.

    Args:
        prefixes: The first 1, 2, ..., n components of `order` erased, ``[batch, components]`` evaluations.
        weights: The original attention weights.
        order: The ranking, best first, padding last.
        mask: Which components exist.
        decision: The decision with nothing erased.
    """
    decisions = prefixes.decision
    flipped = (decisions != decision.unsqueeze(-1)) & mask  # the k-th prefix exists where k <= n
    first = flipped.int().argmax(-1, keepdim=True)
    erased_mass = weights.gather(1, order).cumsum(-1).gather(1, first).squeeze(1)
    keeps_mass = prefixes.keeps_mass.gather(1, first).squeeze(1)
    outcome = torch.where(keeps_mass, Outcome.FLIP.value, Outcome.BIAS_ONLY.value)
    outcome = torch.where(flipped.any(-1), outcome, Outcome.NEVER.value)
    becomes = torch.where(flipped.any(-1), _at(decisions, first.squeeze(1)), decision)
    return Flips(first.squeeze(1) + 1, erased_mass.clamp(max=1.0), outcome, becomes)


def first_flips_one_by_one(
    evaluate: Evaluate,
    weights: Float[Tensor, "batch components"],
    orders: Int[Tensor, "batch rankings components"],
    mask: Bool[Tensor, "batch components"],
    decision: Int[Tensor, " batch"],
    mask_entries: int,
) -> list[Flips]:
    """Return each ranking's first flips, as `first_flips` does, where every prefix must be evaluated by itself.

    Prefixes are evaluated in order and in growing chunks, until the decision flips.

    Args:
        evaluate: Decides documents again with everything outside the keep masks erased.
        weights: The original attention weights.
        orders: The rankings of each document, best first, padding last.
        mask: Which components exist.
        decision: The decision with nothing erased.
        mask_entries: Approximate number of keep-mask entries held at a time.
    """
    rankings, lengths = orders.shape[1], mask.sum(-1).repeat_interleave(orders.shape[1])
    documents = torch.arange(len(orders), device=orders.device).repeat_interleave(rankings)
    pairs, original = orders.flatten(0, 1), decision[documents]
    removed, becomes = torch.ones_like(documents), original.clone()
    outcome = torch.full_like(documents, Outcome.NEVER.value)
    pending, done = (lengths > 0).nonzero().squeeze(1), 0
    while len(pending):
        room = mask_entries // (len(pending) * orders.shape[2])
        until = min(done + max(FIRST_PREFIXES, min(done // 4, room)), orders.shape[2])
        erased = torch.arange(done + 1, until + 1, device=orders.device)
        prefixes = evaluate(documents[pending], prefix_keeps(pairs[pending], erased))
        decisions = prefixes.decision
        flipped = (decisions != original[pending].unsqueeze(1)) & (erased <= lengths[pending].unsqueeze(1))
        first = flipped.int().argmax(-1)
        some = flipped.any(-1)
        kind = torch.where(_at(prefixes.keeps_mass, first), Outcome.FLIP.value, Outcome.BIAS_ONLY.value)
        removed[pending] = torch.where(some, done + 1 + first, removed[pending])
        becomes[pending] = torch.where(some, _at(decisions, first), becomes[pending])
        outcome[pending] = torch.where(some, kind, outcome[pending])
        done = until
        pending = pending[~some & (lengths[pending] > done)]  # the one place at which the host waits for a device
    mass = weights[documents].gather(1, pairs).cumsum(-1).gather(1, removed.unsqueeze(1) - 1).squeeze(1)
    columns = [values.unflatten(0, (-1, rankings)) for values in (removed, mass.clamp(max=1.0), outcome, becomes)]
    return [Flips(*(column[:, ranking] for column in columns)) for ranking in range(rankings)]


def prefix_keeps(
    order: Int[Tensor, "batch components"], sizes: Int[Tensor, " erasures"]
) -> Bool[Tensor, "batch erasures components"]:
    """Return the keep masks of prefixes of `order`: erasure e erases the first ``sizes[e]`` components."""
    rank = order.argsort(-1)
    return rank.unsqueeze(1) >= sizes.view(1, -1, 1)


def _at(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(1, index.unsqueeze(1)).squeeze(1)
