import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.erasure import erase, evaluate_prefixes, evaluate_singles, evaluate_whole
from eraserhead.method.orders import order_by
from eraserhead.method.test_one import Singles, single_erasures, single_keeps, top_against_random
from eraserhead.method.test_two import (prefix_keeps)
from eraserhead.method.names import (Outcome)
from heads import flips_along, one, random_head
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


def test_keep_masks_replay_to_the_closed_forms():
    """erase() over prefix_keeps and single_keeps is the other way to the same logits."""
    head = random_head(6, [7, 4])
    order = order_by(head.scores, head.mask)

    def replay(keep):
        erased = erase(head.weights.unsqueeze(1).expand(keep.shape), keep)
        return torch.einsum("ben,bnk->bek", erased, head.component_logits) + head.bias

    prefixes = evaluate_prefixes(head.weights, head.component_logits, head.bias, order)
    assert_close(replay(prefix_keeps(order, torch.arange(1, order.shape[1] + 1))), prefixes.logits)
    singles = evaluate_singles(head.weights, head.component_logits, head.bias).logits
    assert_close(replay(single_keeps(head.mask))[head.mask], singles[head.mask])


def all_but(component, mask):
    return mask.scatter(1, component.unsqueeze(1), False)


def test_expectations_over_the_other_components_are_exact():
    head = random_head(7, [9, 4, 2], classes=5, bias=0.0, sharpness=0.5)
    whole = evaluate_whole(head.weights, head.component_logits, head.bias)
    decision = whole.decision
    singles = single_erasures(whole, evaluate_singles(head.weights, head.component_logits, head.bias))
    top = head.weights.argmax(-1)
    random = torch.tensor([3, 1, 0])
    random = torch.where(random == top, random + 1, random)
    result = top_against_random(head.weights, singles, all_but(top, head.mask), decision, top, random)
    for row, n in enumerate([9, 4, 2]):
        others = [r for r in range(n) if r != top[row]]
        deltas = [(singles.js[row, top[row]] - singles.js[row, r]).item() for r in others]
        assert result.expected_delta_js[row].item() == pytest.approx(sum(deltas) / len(deltas), abs=1e-14)
        assert result.share_negative[row] == sum(d <= -1e-9 for d in deltas) / len(deltas)
        assert result.share_zero[row] == sum(abs(d) < 1e-9 for d in deltas) / len(deltas)
        flipping = sum(int(singles.decision[row, r] != decision[row]) for r in others)
        assert result.share_random_flips[row] == flipping / len(others)
        assert result.js_random[row] == singles.js[row, random[row]]
        assert_close(result.delta_attention[row], head.weights[row, top[row]] - head.weights[row, random[row]])
    assert result.share_random_flips.sum() > 0  # or the comparison above compared zeros


def test_differences_below_a_billionth_count_as_zero():
    """Two equal components: whichever is erased, the same is left, so dJS is 0 up to rounding."""
    head = random_head(8, [3])
    head.vectors[:, 1] = head.vectors[:, 0]
    weights = torch.tensor([[0.4, 0.4, 0.2]], dtype=torch.float64)
    whole = evaluate_whole(weights, head.component_logits, head.bias)
    singles = single_erasures(whole, evaluate_singles(weights, head.component_logits, head.bias))
    top = torch.tensor([0])
    others = all_but(top, head.mask)
    result = top_against_random(weights, singles, others, whole.decision, top, torch.tensor([1]))
    assert result.share_zero.tolist() == [0.5]


def test_others_by_position_may_hold_the_top_and_not_the_first():
    """JS .1, .4, .6 of three components, of which the second is on top and alone flips.

    All but the top: dJS = .4 - .1 and .4 - .6, so E[dJS] = .05, P(dJS < 0) = 1/2, and no other flips. All but the
    first: dJS = 0 and .4 - .6, so E[dJS] = -.1, P(dJS < 0) = P(dJS = 0) = 1/2, and half of the others flip.
    """
    weights = torch.tensor([[0.3, 0.5, 0.2]], dtype=torch.float64)
    singles = Singles(torch.tensor([[0.1, 0.4, 0.6]], dtype=torch.float64), torch.tensor([[2, 1, 2]]))
    mask, top, decision = torch.ones(1, 3, dtype=torch.bool), torch.tensor([1]), torch.tensor([2])
    expected = {"uniform": (0.05, 0.5, 0.0, 0.0), "position": (-0.1, 0.5, 0.5, 0.5)}
    for left_out, numbers in zip((top, torch.tensor([0])), expected.values(), strict=True):
        result = top_against_random(weights, singles, all_but(left_out, mask), decision, top, random=top)
        shares = (result.share_negative, result.share_zero, result.share_random_flips)
        assert_close(torch.stack([result.expected_delta_js, *shares], 1), torch.tensor([numbers], dtype=torch.float64))
        assert (result.delta_attention.item(), result.random_flips.item()) == (0.0, True)  # the top drawn as the other
