"""Tests 1 and 2 and the smallest flipping set for one batch of documents, at any site (METHOD sections 3 to 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from eraserhead.method.greedy import greedy_set, smallest_set
from eraserhead.method.names import BEST_FOUND, MINIMUM, RANDOM, Outcome, RandomOther
from eraserhead.method.random_draws import random_orders, random_others
from eraserhead.method.reading import Reading
from eraserhead.method.test_one import Singles, TopAgainstRandom, single_erasures, top_against_random
from eraserhead.method.test_two import FlippingSet, Flips


@dataclass(frozen=True)
class RankingFlips:
    """First flips along one order of the components.

    Attributes:
        ranking: Name of the ranking; ``minimum`` for the smallest flipping set of all, ``best_found`` for the smallest
            that was found where the minimum cannot be computed.
        draw: Number of the random order; None for every other ranking.
        order: Components in the order of erasure; for ``minimum`` and ``best_found`` the set comes first.
        flips: The first flips.
    """

    ranking: str
    draw: int | None
    order: Int[Tensor, "batch components"]
    flips: Flips

    @property
    def keep(self) -> Bool[Tensor, "batch components"]:
        """What is kept at the first flips; everything where nothing flips."""
        removed = self.flips.removed.masked_fill(self.flips.outcome == Outcome.NEVER.value, 0)
        return self.order.argsort(-1) >= removed.unsqueeze(1)


@dataclass(frozen=True)
class Analysis:
    """The results of tests 1 and 2 for one batch.

    Attributes:
        singles: Every component erased alone.
        tests: Test 1 for the top of each ranking.
        flips: Test 2 for each ranking and draw, and the minimum, or the best set found where there is no closed form.
        search_seconds: Seconds that the greedy search took; 0 without a search.
    """

    singles: Singles
    tests: dict[str, TopAgainstRandom]
    flips: list[RankingFlips]
    search_seconds: float = 0.0


@dataclass(frozen=True)
class Draws:
    """The random draws of tests 1 and 2.

    Attributes:
        documents: Ids of the documents, which seed their draws.
        seed: Seed of all draws.
        shuffles: Number of random orders drawn for each document.
        random_other: Whether test 1 draws from all components but the top (``uniform``), or from all but the first
            (``position``).
    """

    documents: Sequence[str]
    seed: int
    shuffles: int
    random_other: RandomOther = "uniform"


@torch.no_grad()
def analyse(
    reading: Reading, orders: Mapping[str, Int[Tensor, "batch components"]], draws: Draws, greedy: bool = False
) -> Analysis:
    """Run tests 1 and 2, and find the minimum where there is a closed form, else the smallest set found.

    Args:
        reading: The batch as read at a site.
        orders: The rankings by name, each document's components best first, padding last.
        draws: Seed and number of the random draws.
        greedy: Whether to look for smaller sets by a greedy search, where there is no closed form.
    """
    singles = single_erasures(reading.unerased, reading.singles())
    tests = _against_random(reading, singles, orders, draws)
    named = [*_shuffles(reading, draws), *((name, None, order) for name, order in orders.items())]
    flips = reading.first_flips(torch.stack([order for _, _, order in named], dim=1))
    found = [RankingFlips(*order, flips=flip) for order, flip in zip(named, flips, strict=True)]
    minimum = reading.minimum()
    if minimum is not None:
        return Analysis(singles, tests, [*found, RankingFlips(MINIMUM, None, minimum.order, minimum.flips)])
    started = perf_counter()
    best = smallest_set([FlippingSet(ranking.order, ranking.flips) for ranking in found])
    best = greedy_set(reading, best) if greedy else best
    seconds = greedy * (perf_counter() - started)
    return Analysis(singles, tests, [*found, RankingFlips(BEST_FOUND, None, best.order, best.flips)], seconds)


@torch.no_grad()
def further_shuffles(reading: Reading, draws: Draws, first: int) -> Analysis:
    """Run test 2 alone, along the random orders from number `first` on; those before are the same as with fewer."""
    named = _shuffles(reading, draws)[first:]
    flips = reading.first_flips(torch.stack([order for _, _, order in named], dim=1))
    found = [RankingFlips(*order, flips=flip) for order, flip in zip(named, flips, strict=True)]
    return Analysis(Singles(torch.zeros_like(reading.weights), torch.zeros_like(reading.positions)), {}, found)


def _shuffles(reading: Reading, draws: Draws) -> list[tuple[str, int | None, Tensor]]:
    mask = reading.mask
    shuffles = random_orders(draws.documents, reading.lengths.tolist(), mask.shape[1], draws.shuffles, draws.seed)
    return [(RANDOM, draw, shuffles[:, draw].to(mask.device)) for draw in range(draws.shuffles)]


def _against_random(
    reading: Reading, singles: Singles, orders: Mapping[str, Tensor], draws: Draws
) -> dict[str, TopAgainstRandom]:
    tops = torch.stack([order[:, 0] for order in orders.values()], dim=1)
    left_out = tops if draws.random_other == "uniform" else torch.zeros_like(tops)
    drawn = random_others(draws.documents, reading.lengths.tolist(), left_out, draws.seed)
    tests = {}
    for column, name in enumerate(orders):
        others = reading.mask.scatter(1, left_out[:, [column]], False)
        tests[name] = top_against_random(
            reading.weights, singles, others, reading.unerased.decision, tops[:, column], drawn[:, column]
        )
    return tests
