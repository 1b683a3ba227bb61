from itertools import combinations

import pytest
import torch

from eraserhead.method.greedy import greedy_set, smallest_set
from eraserhead.method.names import Outcome
from eraserhead.method.smallest import smallest
from readings import SMALL, Toy


def test_the_smallest_set_is_the_lightest_among_equals_and_a_flip_before_a_bare_bias():
    """Also where a bare bias takes fewer components than any flip, or the other way round."""
    chosen = set()
    for seed in range(8):
        toy = Toy.draw(seed, SMALL, lean=0.3)
        candidates = toy.sets_along(seed, rankings=3)
        best = smallest_set(candidates)
        for row in range(len(SMALL)):
            keys = [
                (int(each.flips.removed[row]), int(each.flips.outcome[row]), float(each.flips.mass[row]))
                for each in candidates
            ]
            flipping = [key for key in keys if key[1] != Outcome.NEVER]
            if not flipping:
                assert best.flips.outcome[row] == Outcome.NEVER
                continue
            expected = candidates[keys.index(min(flipping))]
            assert torch.equal(best.order[row], expected.order[row])
            for name in ("removed", "mass", "outcome", "becomes"):
                assert getattr(best.flips, name)[row] == getattr(expected.flips, name)[row]
            if len({outcome for _, outcome, _ in flipping}) == 2:
                chosen.add(Outcome(min(flipping)[1]))
    assert chosen == {Outcome.FLIP, Outcome.BIAS_ONLY}


def slow_greedy(toy: Toy, row: int, most: int) -> list[int] | None:
    """Erase what lowers the margin most, as long as a weight is left; a set of at most so many that flips, or none."""
    original, chosen = int(toy.erase(row, ())[0].argmax()), []
    while len(chosen) < most:
        margins = {}
        for candidate in range(int(toy.mask[row].sum())):
            logits, mass = toy.erase(row, [*chosen, candidate])
            if candidate not in chosen and mass:
                rivals = [logit for number, logit in enumerate(logits.tolist()) if number != original]
                margins[candidate] = logits[original].item() - max(rivals)
        if not margins:
            return None
        chosen.append(min(margins, key=margins.__getitem__))
        if toy.erase(row, chosen)[0].argmax() != original:
            return chosen
    return None


def exhaustive_minimum(toy: Toy, row: int) -> int:
    original, n = toy.erase(row, ())[0].argmax(), int(toy.mask[row].sum())
    for k in range(1, n):
        for erased in combinations(range(n), k):
            logits, mass = toy.erase(row, erased)
            if mass and logits.argmax() != original:
                return k
    raise AssertionError("no set flips")


def test_the_greedy_set_equals_a_plain_loop_and_is_never_larger_than_what_was_known():
    """Between the smallest set of all, by exhaustive search, and the best of three random orders."""
    smaller = larger_than_minimum = 0
    for seed in range(8):
        toy = Toy.draw(seed, SMALL, lean=1.2)
        reading, best = toy.reading(), smallest_set(toy.sets_along(seed, rankings=3))
        found = greedy_set(reading, best)
        for row, n in enumerate(SMALL):
            known = best.flips.outcome[row] != Outcome.NEVER
            expected = slow_greedy(toy, row, (int(best.flips.removed[row]) if known else n) - 1)
            if expected is None:
                assert torch.equal(found.order[row], best.order[row])
                assert found.flips.outcome[row] == best.flips.outcome[row]
                assert found.flips.becomes[row] == best.flips.becomes[row]
                assert not known or found.flips.removed[row] == best.flips.removed[row]
                continue
            smaller += 1
            size = int(found.flips.removed[row])
            assert found.order[row, :size].tolist() == expected
            assert sorted(found.order[row].tolist()) == list(range(len(found.order[row])))
            assert found.flips.outcome[row] == Outcome.FLIP
            logits, mass = toy.erase(row, expected)
            assert mass
            assert found.flips.becomes[row] == logits.argmax() != reading.unerased.decision[row]
            assert found.flips.mass[row].item() == pytest.approx(toy.weights[row, expected].sum().item(), abs=1e-12)
            minimum = exhaustive_minimum(toy, row)
            assert minimum <= size < (int(best.flips.removed[row]) if known else n)
            larger_than_minimum += size > minimum
    assert smaller > 7
    assert larger_than_minimum > 0  # so that "best found" is not called a minimum


def test_a_search_where_nothing_has_a_weight_finds_no_flip():
    """Every decision is then the bare bias's, also one that differs."""
    for seed in range(4):
        toy = Toy.draw(seed, SMALL, lean=0.3)
        toy.weights.zero_()
        best = smallest_set(toy.sets_along(seed, rankings=1))
        assert (best.flips.outcome == Outcome.BIAS_ONLY).any()
        assert (best.flips.removed > 1).any()
        found = greedy_set(toy.reading(), best)
        for name in ("removed", "mass", "outcome", "becomes"):
            assert torch.equal(getattr(found.flips, name), getattr(best.flips, name))


def test_which_set_is_the_smallest():
    """A column each: fewer removals; a flip before a bare bias of as many; the lighter of equals; the first of equals;
    any flip before none, whose numbers say nothing; none at all.
    """
    flip, bare, never = Outcome.FLIP, Outcome.BIAS_ONLY, Outcome.NEVER
    removed = torch.tensor([[3, 2, 2, 2, 0, 1], [2, 2, 2, 2, 5, 0]])
    mass = torch.tensor([[0.1, 0.2, 0.4, 0.3, 0.0, 0.5], [0.9, 0.7, 0.3, 0.3, 0.8, 0.2]], dtype=torch.float64)
    outcome = torch.tensor([[flip, bare, flip, flip, never, never], [bare, flip, flip, flip, bare, never]])
    assert smallest(removed, mass, outcome).tolist() == [1, 1, 1, 0, 1, 0]
