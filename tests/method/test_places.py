"""One place among many: along every prefix or a grid of them, against loops over single prefixes."""

import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.divergence import js_divergence
from eraserhead.method.names import ATTENTION, BEST_FOUND, PRODUCT, RANDOM, Outcome
from eraserhead.method.orders import order_by
from eraserhead.method.places import PlaceFlips, analyse_place, grid_sizes, shuffled_orders
from readings import LONG, Toy

SEEDS = range(8)
IDS = [f"d{row}" for row in range(len(LONG))]


def place(toy: Toy, every_prefix: bool, draws: int = 2) -> tuple[PlaceFlips, dict, torch.Tensor]:
    reading = toy.reading()
    orders = {
        PRODUCT: order_by(reading.signals["margin_product"], reading.mask),
        ATTENTION: order_by(reading.weights, reading.mask),
    }
    shuffles = shuffled_orders(reading, IDS, draws, seed=3)
    return analyse_place(reading, orders, shuffles, every_prefix), orders, shuffles


@pytest.mark.parametrize("seed", SEEDS)
def test_every_prefix_gives_what_an_analysis_gives(seed):
    toy = Toy.draw(seed, LONG, lean=1.0)
    found, orders, _ = place(toy, every_prefix=True)
    analysis = analyse(toy.reading(), orders, Draws(IDS, 3, 2))
    random = [each.flips for each in analysis.flips if each.ranking == RANDOM]
    named = {each.ranking: each.flips for each in analysis.flips if each.ranking != RANDOM}
    pairs = [(found.flips[name], named[name]) for name in found.flips]
    for own, expected in [*pairs, *zip(found.random, random, strict=True)]:
        flips = expected.outcome != Outcome.NEVER
        assert torch.equal(own.outcome, expected.outcome)
        assert torch.equal(own.removed[flips], expected.removed[flips])
    assert set(found.flips) == {ATTENTION, PRODUCT, BEST_FOUND}
    assert_close(found.top.js, analysis.tests[ATTENTION].js_top)
    assert torch.equal(found.top.flips, analysis.tests[ATTENTION].top_flips)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_grid_finds_the_first_flip_among_its_own_prefixes(seed):
    toy = Toy.draw(seed, LONG, lean=1.0)
    found, orders, shuffles = place(toy, every_prefix=False)
    best = [torch.inf] * len(LONG)
    named = [(order, found.flips[name]) for name, order in orders.items()]
    for order, flips in [*named, *zip(shuffles.unbind(1), found.random, strict=True)]:
        for row, n in enumerate(LONG):
            original = toy.erase(row, ())[0].argmax()
            sizes = [size for size in (1, 2, 4, 8, 16, 32) if size < n] + [n]
            erased = [order[row, :size].tolist() for size in sizes]
            after = [toy.erase(row, each) for each in erased]
            first = next((at for at, (logits, _) in enumerate(after) if logits.argmax() != original), None)
            if first is None:
                assert flips.outcome[row] == Outcome.NEVER
                continue
            assert flips.removed[row] == sizes[first]
            assert flips.outcome[row] == (Outcome.FLIP if after[first][1] else Outcome.BIAS_ONLY)
            assert flips.becomes[row] == after[first][0].argmax()
            assert_close(flips.mass[row], toy.weights[row, erased[first]].sum().clamp(max=1.0))
            best[row] = min(best[row], sizes[first])
    flipped = found.flips[BEST_FOUND].outcome != Outcome.NEVER
    assert torch.where(flipped, found.flips[BEST_FOUND].removed.double(), torch.inf).tolist() == best


def test_the_whole_and_the_top_are_single_erasures():
    toy = Toy.draw(1, LONG, lean=0.0)
    found, _, _ = place(toy, every_prefix=False)
    for row, n in enumerate(LONG):
        before = toy.erase(row, ())[0]
        for effect, erased in ((found.whole, range(n)), (found.top, [int(toy.weights[row].argmax())])):
            after = toy.erase(row, erased)[0]
            assert_close(effect.js[row], js_divergence(before.softmax(-1), after.softmax(-1)))
            assert effect.flips[row] == (after.argmax() != before.argmax())
    assert 0 < found.whole.flips.sum() < len(LONG)


def test_the_grid_costs_few_evaluations():
    """Four orders of 41 components: six sizes below 41 each, and one whole and one top for all."""
    toy = Toy.draw(0, LONG, lean=100.0)  # nothing flips
    place(toy, every_prefix=False)
    assert sum(toy.evaluated) == len(LONG) * (4 * 6 + 2)


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (1, []), (2, [1]), (3, [1, 2]), (5, [1, 2, 4]), (8, [1, 2, 4])])
def test_the_sizes_of_the_grid(n, sizes):
    assert grid_sizes(n) == sizes
