import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.erasure import erase, evaluate_prefixes, evaluate_singles, evaluate_unerased
from heads import one, random_head
from references import erased_logits, softmax_over_survivors


def test_erase_divides_the_survivors_by_their_sum():
    """Keeping .1 and .3 of (.1, .6, .3) leaves .1/.4 and .3/.4."""
    weights = torch.tensor([0.1, 0.6, 0.3], dtype=torch.float64)
    assert_close(
        erase(weights, torch.tensor([True, False, True])), torch.tensor([0.25, 0.0, 0.75], dtype=torch.float64)
    )


def test_erase_equals_softmax_over_the_survivors():
    head = random_head(0, [11, 5, 2, 1], sharpness=3.0)
    keep = head.mask & (torch.rand(head.mask.shape, generator=torch.Generator().manual_seed(1)) < 0.6)
    assert_close(erase(head.weights, keep), softmax_over_survivors(head.scores, keep), rtol=0, atol=1e-15)


def test_erase_everything_gives_zeros():
    weights = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64)
    keep = torch.tensor([[False, False], [False, True]])
    assert_close(erase(weights, keep), torch.zeros(2, 2, dtype=torch.float64))


@pytest.mark.parametrize("tiny", [1e-13, 1e-300, 5e-324])
def test_a_tiny_kept_mass_is_still_a_mass(tiny):
    """One component keeps all of what is left, so the logits are its own: u_1 + b, however small its weight."""
    weights = torch.tensor([[1.0, tiny]], dtype=torch.float64)
    component_logits = torch.tensor([[[5.0, -2.0], [0.3, 0.7]]], dtype=torch.float64)
    bias = torch.tensor([0.25, -0.5], dtype=torch.float64)
    expected = torch.tensor([0.55, 0.2], dtype=torch.float64)
    assert_close(erase(weights, torch.tensor([[False, True]])), torch.tensor([[0.0, 1.0]], dtype=torch.float64))
    assert_close(evaluate_singles(weights, component_logits, bias).logits[0, 0], expected)
    prefixes = evaluate_prefixes(weights, component_logits, bias, torch.tensor([[0, 1]]))
    assert_close(prefixes.logits[0], torch.stack([expected, bias]))
    assert prefixes.keeps_mass.tolist() == [[True, False]]


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_every_prefix_equals_the_slow_loop(classes):
    head = random_head(2, [11, 5, 2, 1], classes=classes, sharpness=4.0)
    order = head.scores.masked_fill(~head.mask, -1e300).argsort(-1, descending=True)
    prefixes = evaluate_prefixes(head.weights, head.component_logits, head.bias, order)
    logits = prefixes.logits
    for row in range(len(order)):
        document = one(head, row)
        for k in range(1, len(document.weights) + 1):
            erased = set(order[row, :k].tolist())
            slow = erased_logits(document.weights, document.vectors, document.weight, document.bias, erased)
            assert_close(logits[row, k - 1], slow, rtol=0, atol=1e-12)
        assert_close(logits[row, len(document.weights) - 1], head.bias)
        assert prefixes.keeps_mass[row].tolist() == (head.mask[row].cumsum(0) < head.mask[row].sum()).tolist()


def test_single_erasures_equal_one_by_one():
    head = random_head(3, [11, 5, 2, 1], sharpness=4.0)
    logits = evaluate_singles(head.weights, head.component_logits, head.bias).logits
    for row in range(4):
        document = one(head, row)
        for i in range(len(document.weights)):
            slow = erased_logits(document.weights, document.vectors, document.weight, document.bias, {i})
            assert_close(logits[row, i], slow, rtol=0, atol=1e-12)


def test_single_erasure_beside_a_weight_within_a_billionth_of_one():
    """a = (1 - 1e-9, .6e-9, .4e-9): erasing the first leaves .6 u_2 + .4 u_3, to full precision."""
    weights = torch.tensor([[1 - 1e-9, 0.6e-9, 0.4e-9]], dtype=torch.float64)
    component_logits = torch.tensor([[[9.0, -9.0], [1.0, 2.0], [-3.0, 5.0]]], dtype=torch.float64)
    bias = torch.zeros(2, dtype=torch.float64)
    expected = torch.tensor([0.6 * 1.0 - 0.4 * 3.0, 0.6 * 2.0 + 0.4 * 5.0], dtype=torch.float64)
    assert_close(evaluate_singles(weights, component_logits, bias).logits[0, 0], expected, rtol=1e-14, atol=1e-14)


def test_padding_and_empty_documents_change_nothing():
    long = random_head(4, [7, 3])
    short = one(long, 1)
    alone = evaluate_unerased(short.weights.unsqueeze(0), short.component_logits.unsqueeze(0), short.bias).logits
    assert_close(evaluate_unerased(long.weights, long.component_logits, long.bias).logits[1:], alone)
    empty = evaluate_unerased(
        torch.zeros(1, 4, dtype=torch.float64), torch.ones(1, 4, 3, dtype=torch.float64), long.bias
    ).logits
    assert_close(empty[0], long.bias)
