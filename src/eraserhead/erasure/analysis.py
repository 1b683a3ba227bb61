"""Tests 1 and 2 and the minimum for one batch of documents, at any site (METHOD sections 3 to 5)."""

from dataclasses import dataclass, fields
from functools import partial
from time import perf_counter

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from eraserhead.erasure.config import RandomOther
from eraserhead.method.erasure import Evaluation, evaluate_prefixes, evaluate_singles
from eraserhead.method.greedy import FlippingSet, greedy_set, smallest_set
from eraserhead.method.minimum import minimal_order
from eraserhead.method.orders import KEYS, order_by
from eraserhead.method.random_draws import random_orders, random_others
from eraserhead.method.test_one import Singles, TopAgainstRandom, single_erasures, single_keeps, top_against_random
from eraserhead.method.test_two import MASKS, Flips, first_flips, first_flips_by_replay
from eraserhead.rankings.names import BEST_FOUND, MINIMUM, RANDOM
from eraserhead.sites.site import Attention, Site


@dataclass(frozen=True)
class RankingFlips:
    """First flips along one order of the components.

    Attributes:
        ranking: Name of the ranking; ``minimum`` for the smallest flipping set of all, ``best_found`` for the smallest
            that was found where the minimum cannot be computed.
        draw: Number of the shuffle; null for every other ranking.
        order: Components, first to be erased first; for ``minimum`` and ``best_found`` the set comes first.
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
        flips: Test 2 for each ranking and draw, and the minimum where the head is affine, else the best set found.
        search_seconds: What the greedy search took; 0 without.
    """

    singles: Singles
    tests: dict[str, TopAgainstRandom]
    flips: list[RankingFlips]
    search_seconds: float = 0.0


@torch.no_grad()
def analyse(
    site: Site,
    attention: Attention,
    documents: list[str],
    draws: int,
    seed: int,
    greedy: bool = False,
    random_other: RandomOther = "uniform",
) -> Analysis:
    """Run tests 1 and 2, and find the minimum where there is a closed form, else the smallest set of any ranking.

    Args:
        site: Where the weights come from; replayed only where its head is not affine.
        attention: What the site read.
        documents: Ids of the documents, which seed their random draws.
        draws: Shuffles of the random ranking a document.
        seed: Seed of the draws.
        greedy: Whether to look for smaller sets by a greedy search, where there is no closed form.
        random_other: Whether test 1 draws from all components but the top, or from all but the first.
    """
    keys = (attention.weights, attention.margin_gradient, attention.product_key)
    orders = {name: order_by(key(*keys), attention.mask) for name, key in KEYS.items()}
    shuffles = random_orders(documents, attention.lengths.tolist(), attention.mask.shape[1], draws, seed)
    named = [(RANDOM, draw, shuffles[:, draw].to(attention.mask.device)) for draw in range(draws)]
    named += [(name, None, order) for name, order in orders.items()]
    singles = single_erasures(attention.whole, _evaluate_singles(site, attention))
    tests = _against_random(attention, singles, orders, documents, seed, random_other)
    if attention.head is not None:
        found = [RankingFlips(name, draw, order, _flips_along(attention, order)) for name, draw, order in named]
        return Analysis(singles, tests, [*found, _minimum(attention)])
    flips = first_flips_by_replay(
        partial(_replay, site, attention),
        attention.weights,
        torch.stack([order for _, _, order in named], dim=1),
        attention.mask,
        attention.whole.decision,
    )
    found = [RankingFlips(*order, flips=flip) for order, flip in zip(named, flips, strict=True)]
    best, seconds = _best_found(site, attention, found, greedy)
    return Analysis(singles, tests, [*found, best], seconds)


def _minimum(attention: Attention) -> RankingFlips:
    head, decision = attention.head, attention.whole.decision
    assert head is not None
    order = minimal_order(attention.weights, head.component_logits, head.bias, attention.mask, decision)
    return RankingFlips(MINIMUM, None, order, _flips_along(attention, order))


def _best_found(
    site: Site, attention: Attention, rankings: list[RankingFlips], greedy: bool
) -> tuple[RankingFlips, float]:
    best = smallest_set([FlippingSet(ranking.order, ranking.flips) for ranking in rankings])
    started = perf_counter()
    if greedy:
        replay = partial(_replay, site, attention)
        best = greedy_set(replay, attention.weights, attention.mask, attention.whole.decision, best)
    return RankingFlips(BEST_FOUND, None, best.order, best.flips), greedy * (perf_counter() - started)


def _against_random(
    attention: Attention,
    singles: Singles,
    orders: dict[str, Tensor],
    documents: list[str],
    seed: int,
    random_other: RandomOther,
) -> dict[str, TopAgainstRandom]:
    tops = torch.stack([order[:, 0] for order in orders.values()], dim=1)
    left_out = tops if random_other == "uniform" else torch.zeros_like(tops)
    drawn = random_others(documents, attention.lengths.tolist(), left_out, seed)
    tests = {}
    for column, name in enumerate(orders):
        others = attention.mask.scatter(1, left_out[:, [column]], False)
        tests[name] = top_against_random(
            attention.weights, singles, others, attention.whole.decision, tops[:, column], drawn[:, column]
        )
    return tests


def _evaluate_singles(site: Site, attention: Attention) -> Evaluation:
    if attention.head is not None:
        return evaluate_singles(attention.weights, attention.head.component_logits, attention.head.bias)
    documents = torch.arange(len(attention.mask), device=attention.mask.device)
    at_once = max(1, MASKS // attention.mask.numel())
    parts = torch.arange(attention.mask.shape[1], device=attention.mask.device).split(at_once)
    found = [_replay(site, attention, documents, single_keeps(attention.mask, erased)) for erased in parts]
    return Evaluation(*(torch.cat([getattr(each, part.name) for each in found], 1) for part in fields(Evaluation)))


def _flips_along(attention: Attention, order: Int[Tensor, "batch components"]) -> Flips:
    head = attention.head
    assert head is not None
    prefixes = evaluate_prefixes(attention.weights, head.component_logits, head.bias, order)
    return first_flips(prefixes, attention.weights, order, attention.mask, attention.whole.decision)


def _replay(
    site: Site, attention: Attention, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
) -> Evaluation:
    rows = attention.select(documents)
    logits = site.replay(rows, keep).double()
    return Evaluation(logits, torch.ones_like(logits[..., 0]), rows.keeps_mass(keep))
