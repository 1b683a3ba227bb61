import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.names import Outcome
from eraserhead.method.orders import order_by
from eraserhead.method.test_two import prefix_keeps
from heads import flips_along, one, random_head
from readings import LONG, SMALL, Toy
from references import batched_first_flips, first_flip


@pytest.mark.parametrize("seed", range(20))
def test_first_flips_equal_the_slow_loop(seed):
    head = random_head(seed, [13, 7, 5, 3, 2, 1], classes=2 + seed % 4, bias=(seed % 3) / 2, sharpness=1 + seed % 3)
    head.weights[head.weights < 0.02] = 0
    order = order_by(head.scores, head.mask)
    flips = flips_along(head, order)
    for row in range(len(order)):
        document = one(head, row)
        n = len(document.weights)
        slow = first_flip(document.weights, document.vectors, document.weight, document.bias, order[row, :n].tolist())
        assert Outcome(flips.outcome[row].item()).name.lower() == slow.outcome
        if slow.removed is not None:
            assert flips.removed[row] == slow.removed
            assert_close(flips.mass[row].item(), slow.mass, rtol=0, atol=1e-12)


def test_the_batched_reference_agrees_with_the_slow_loop():
    head = random_head(5, [13, 7, 5, 3, 2, 1])
    order = order_by(head.scores, head.mask)
    removed = batched_first_flips(head.weights, head.vectors, head.weight, head.bias, order, head.mask)
    for row in range(len(order)):
        document = one(head, row)
        n = len(document.weights)
        slow = first_flip(document.weights, document.vectors, document.weight, document.bias, order[row, :n].tolist())
        assert removed[row] == (slow.removed or 0)


def test_flips_are_not_monotone_and_the_first_one_counts():
    """Equal weights, u = (+4, -3, -3, +1) for class 0 against class 1.

    Margins z_0 - z_1 over the kept: -1/4 at first; without 1: (4-3+1) > 0, a flip; without 1 and 0: (-3+1) < 0 again.
    """
    margins = torch.tensor([4.0, -3.0, -3.0, 1.0], dtype=torch.float64)
    head = random_head(0, [4], hidden=1, classes=2)._replace(
        weights=torch.full((1, 4), 0.25, dtype=torch.float64),
        vectors=margins.view(1, 4, 1),
        weight=torch.tensor([[1.0], [0.0]], dtype=torch.float64),
        bias=torch.zeros(2, dtype=torch.float64),
    )
    flips = flips_along(head, torch.tensor([[1, 0, 2, 3]]))
    assert flips.removed.tolist() == [1]
    assert flips.mass.tolist() == [0.25]
    assert flips.outcome.tolist() == [Outcome.FLIP]


def test_outcomes_bias_only_and_never():
    """One component decides for class 1; the bias alone for class 0 (bias only) or for class 1 (never)."""
    for bias, outcome in ((-1.0, Outcome.BIAS_ONLY), (1.0, Outcome.NEVER)):
        head = random_head(0, [2], hidden=1, classes=2)._replace(
            weights=torch.tensor([[0.75, 0.25]], dtype=torch.float64),
            vectors=torch.tensor([[[5.0], [3.0]]], dtype=torch.float64),
            weight=torch.tensor([[0.0], [1.0]], dtype=torch.float64),
            bias=torch.tensor([0.0, bias], dtype=torch.float64),
        )
        flips = flips_along(head, torch.tensor([[0, 1]]))
        assert flips.outcome.tolist() == [outcome]
        if outcome is Outcome.BIAS_ONLY:
            assert flips.removed.tolist() == [2]
            assert flips.mass.tolist() == [1.0]


def test_bias_only_where_the_prefix_keeps_nothing_but_zero_weights():
    head = random_head(0, [3], hidden=1, classes=2)._replace(
        weights=torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64),
        vectors=torch.tensor([[[5.0], [3.0], [-9.0]]], dtype=torch.float64),
        weight=torch.tensor([[0.0], [1.0]], dtype=torch.float64),
        bias=torch.tensor([0.0, -1.0], dtype=torch.float64),
    )
    flips = flips_along(head, torch.tensor([[0, 1, 2]]))
    assert (flips.removed.item(), flips.outcome.item()) == (1, Outcome.BIAS_ONLY)


@pytest.mark.parametrize("mask_entries", [1, 10**6])
@pytest.mark.parametrize("seed", range(4))
def test_first_flips_one_by_one_equal_a_loop_over_prefixes(seed, mask_entries):
    """Long enough for several chunks: beyond a flip come at most eight prefixes more, or a quarter of those before."""
    toy = Toy.draw(seed, LONG, lean=0.5 * seed)
    orders, decision = toy.orders(seed, rankings=2), toy.reading().unerased.decision
    found = toy.reading(mask_entries).first_flips(orders)
    evaluated = sum(toy.evaluated)
    assert len(found) == 2
    most = 0
    for ranking, flips in enumerate(found):
        for row, n in enumerate(LONG):
            order = orders[row, ranking, :n].tolist()
            outcome, removed, becomes = toy.flips_at(row, order)
            assert flips.outcome[row] == outcome
            most += (removed or n) + max(8, (removed or n) // 4)
            if removed is None:
                assert flips.becomes[row] == decision[row]
            else:
                assert (flips.removed[row], flips.becomes[row]) == (removed, becomes)
                mass = toy.weights[row, order[:removed]].sum().item()
                assert flips.mass[row].item() == pytest.approx(mass, abs=1e-12)
    assert evaluated <= most


def test_toy_documents_flip_early_late_and_never():
    """Or the loop above compared nothing of interest."""
    found = []
    for seed in range(4):
        toy = Toy.draw(seed, LONG, lean=0.5 * seed)
        orders = toy.orders(seed, rankings=2)
        found += [
            toy.flips_at(row, orders[row, ranking, :n].tolist()) for ranking in range(2) for row, n in enumerate(LONG)
        ]
    assert {outcome for outcome, _, _ in found} == set(Outcome)
    sizes = [removed for outcome, removed, _ in found if outcome is Outcome.FLIP]
    assert min(sizes) == 1
    assert any(8 < size <= 16 for size in sizes)
    assert max(sizes) > 24


def test_prefixes_that_are_all_flipped_are_not_evaluated_further():
    """Erasing anything flips: one chunk of eight prefixes each, and no more."""
    toy = Toy.draw(0, SMALL, lean=0.0)
    toy.pairs.zero_()
    toy.own.zero_()
    toy.own[:, 0] = torch.tensor([0.0, 9.0, 0.0], dtype=torch.float64)  # decides alone, and is erased first
    toy.own[:, 1:] = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    order = torch.arange(max(SMALL)).expand(len(SMALL), 1, -1)
    (flips,) = toy.reading().first_flips(order)
    assert flips.removed.tolist() == [1] * len(SMALL)
    assert toy.evaluated == [8 * len(SMALL)]


def test_prefix_keeps_erase_the_first_so_many_of_an_order():
    """The order 2, 0, 1: without the first, 0 and 1 are left; without two, 1; without all, nothing."""
    keeps = prefix_keeps(torch.tensor([[2, 0, 1]]), torch.tensor([1, 2, 3]))
    assert keeps.int().tolist() == [[[1, 1, 0], [0, 1, 0], [0, 0, 0]]]
