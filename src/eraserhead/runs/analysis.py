"""Tests 1 and 2 and the minimum for one batch of documents, at any site (METHOD sections 3 to 5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from eraserhead.method.erasure import Evaluation, evaluate_prefixes, evaluate_singles
from eraserhead.method.flips import (
    Flips,
    Replay,
    Singles,
    TopAgainstRandom,
    first_flips,
    prefix_keeps,
    single_erasures,
    single_keeps,
    top_against_random,
)
from eraserhead.method.minimum import minimal_order
from eraserhead.method.rankings import KEYS, order_by, random_orders, random_others
from eraserhead.sites.site import Attention, Site

RANDOM, MINIMUM = "random", "minimum"
REPLAYED = 256  # erasures of a document replayed at a time, where there is no closed form


@dataclass(frozen=True)
class RankingFlips:
    """First flips along one order of the components.

    Attributes:
        ranking: Name of the ranking, or ``minimum``.
        draw: Number of the shuffle; null for every other ranking.
        order: Components, first to be erased first; for ``minimum`` the set that was found comes first.
        flips: The first flips.
    """

    ranking: str
    draw: int | None
    order: Int[Tensor, "batch components"]
    flips: Flips


@dataclass(frozen=True)
class Analysis:
    """All that is computed about a batch.

    Attributes:
        singles: Every component erased alone.
        tests: Test 1 for the top of each ranking.
        flips: Test 2 for each ranking and draw, and the minimum where the head is affine.
    """

    singles: Singles
    tests: dict[str, TopAgainstRandom]
    flips: list[RankingFlips]


@torch.no_grad()
def analyse(site: Site, attention: Attention, documents: list[str], draws: int, seed: int) -> Analysis:
    """Run tests 1 and 2, and find the minimum where there is a closed form.

    Args:
        site: Where the weights come from; replayed only where its head is not affine.
        attention: What the site read.
        documents: Ids of the documents, which seed their random draws.
        draws: Shuffles of the random ranking a document.
        seed: Seed of the draws.
    """
    orders = {
        name: order_by(key(attention.weights, attention.margin_gradient), attention.mask) for name, key in KEYS.items()
    }
    singles = single_erasures(attention.whole, _evaluate_singles(site, attention))
    return Analysis(
        singles,
        _against_random(attention, singles, orders, documents, seed),
        [
            RankingFlips(ranking, draw, order, _flips_along(site, attention, order))
            for ranking, draw, order in _all_orders(attention, orders, documents, draws, seed)
        ],
    )


def _all_orders(
    attention: Attention, orders: dict[str, Tensor], documents: list[str], draws: int, seed: int
) -> Iterator[tuple[str, int | None, Tensor]]:
    shuffles = random_orders(documents, attention.lengths.tolist(), attention.mask.shape[1], draws, seed)
    for draw in range(draws):
        yield RANDOM, draw, shuffles[:, draw].to(attention.mask.device)
    for name, order in orders.items():
        yield name, None, order
    if attention.head is not None:
        head, whole = attention.head, attention.whole
        minimal = minimal_order(attention.weights, head.component_logits, head.bias, attention.mask, whole.decision)
        yield MINIMUM, None, minimal


def _against_random(
    attention: Attention, singles: Singles, orders: dict[str, Tensor], documents: list[str], seed: int
) -> dict[str, TopAgainstRandom]:
    tops = torch.stack([order[:, 0] for order in orders.values()], dim=1)
    others = random_others(documents, attention.lengths.tolist(), tops, seed)
    compare = partial(top_against_random, attention.weights, singles, attention.mask, attention.whole.decision)
    return {name: compare(tops[:, column], others[:, column]) for column, name in enumerate(orders)}


def _evaluate_singles(site: Site, attention: Attention) -> Evaluation:
    if attention.head is not None:
        return evaluate_singles(attention.weights, attention.head.component_logits, attention.head.bias)
    return _replayed(partial(site.replay, attention), attention, single_keeps(attention.mask))


def _flips_along(site: Site, attention: Attention, order: Int[Tensor, "batch components"]) -> Flips:
    if attention.head is not None:
        head = attention.head
        prefixes = evaluate_prefixes(attention.weights, head.component_logits, head.bias, order)
    else:
        prefixes = _replayed(partial(site.replay, attention), attention, prefix_keeps(order))
    return first_flips(prefixes, attention.weights, order, attention.mask, attention.whole.decision)


def _replayed(replay: Replay, attention: Attention, keeps: Bool[Tensor, "batch erasures components"]) -> Evaluation:
    logits = torch.cat([replay(keep) for keep in keeps.split(REPLAYED, dim=1)], dim=1).double()
    keeps_mass = (keeps & (attention.weights > 0).unsqueeze(1)).any(-1)
    return Evaluation(logits, torch.ones_like(logits[..., 0]), keeps_mass)
