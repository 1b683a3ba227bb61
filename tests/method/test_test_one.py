import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.erasure import evaluate_singles, evaluate_unerased
from eraserhead.method.test_one import Singles, single_erasures, top_against_random
from heads import random_head


def all_but(component, mask):
    return mask.scatter(1, component.unsqueeze(1), False)


def test_expectations_over_the_other_components_are_exact():
    head = random_head(7, [9, 4, 2], classes=5, bias=0.0, sharpness=0.5)
    unerased = evaluate_unerased(head.weights, head.component_logits, head.bias)
    decision = unerased.decision
    singles = single_erasures(unerased, evaluate_singles(head.weights, head.component_logits, head.bias))
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
    unerased = evaluate_unerased(weights, head.component_logits, head.bias)
    singles = single_erasures(unerased, evaluate_singles(weights, head.component_logits, head.bias))
    top = torch.tensor([0])
    others = all_but(top, head.mask)
    result = top_against_random(weights, singles, others, unerased.decision, top, torch.tensor([1]))
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
