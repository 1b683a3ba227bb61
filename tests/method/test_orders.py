import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.erasure import evaluate_whole
from eraserhead.method.margins import margin_gradient, saturation
from eraserhead.method.orders import KEYS, order_by
from eraserhead.method.random_draws import random_orders, random_others
from heads import random_head


def decided_probability(weights, component_logits, bias, decision):
    """p_c with every weight a free variable: no renormalisation."""
    logits = torch.einsum("bn,bnk->bk", weights, component_logits) + bias
    return logits.softmax(-1).gather(1, decision.unsqueeze(1)).squeeze(1)


def gradient(head):
    logits = evaluate_whole(head.weights, head.component_logits, head.bias).logits
    return saturation(logits).unsqueeze(1) * margin_gradient(head.component_logits, logits), logits


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_gradient_equals_autograd_and_central_differences(classes):
    head = random_head(0, [11, 5, 2], classes=classes)
    closed, logits = gradient(head)
    decision = logits.argmax(-1)
    weights = head.weights.clone().requires_grad_()
    (automatic,) = torch.autograd.grad(
        decided_probability(weights, head.component_logits, head.bias, decision).sum(), weights
    )
    assert_close(closed, automatic, rtol=1e-9, atol=1e-13)
    step = 1e-6
    for i in range(3):
        shift = step * torch.nn.functional.one_hot(torch.tensor(i), head.weights.shape[1])
        up = decided_probability(head.weights + shift, head.component_logits, head.bias, decision)
        down = decided_probability(head.weights - shift, head.component_logits, head.bias, decision)
        assert_close(closed[:, i], (up - down) / (2 * step), rtol=1e-6, atol=1e-9)


def test_margin_gradient_keeps_its_order_where_the_softmax_saturates():
    """At a gap of 800 p_c (1 - p_c) is 0 in float64, and so would be every gradient; the order must still be u's."""
    component_logits = torch.tensor([[[801.0, 1.0], [799.0, 0.0], [800.0, -1.0]]], dtype=torch.float64)
    uniform = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    logits = evaluate_whole(uniform, component_logits, torch.zeros(2, dtype=torch.float64)).logits
    key = margin_gradient(component_logits, logits)
    assert_close(key, torch.tensor([[800.0, 799.0, 801.0]], dtype=torch.float64))
    assert order_by(key, torch.ones(1, 3, dtype=torch.bool)).tolist() == [[2, 0, 1]]
    assert saturation(logits).item() == 0


def test_saturation_survives_where_one_minus_p_rounds_to_zero():
    """At a gap of 50, p_c rounds to 1 and 1 - p_c to 0, but p_c (1 - p_c) is e^-50."""
    logits = torch.tensor([[50.0, 0.0]], dtype=torch.float64)
    assert_close(saturation(logits), torch.exp(torch.tensor([-50.0], dtype=torch.float64)), rtol=1e-12, atol=0)


def test_keys_are_signed_and_descending_with_ties_in_reading_order_and_padding_last():
    weights = torch.tensor([[0.2, 0.4, 0.2, 0.2, 0.0]], dtype=torch.float64)
    slopes = torch.tensor([[3.0, -1.0, -5.0, 3.0, 9.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, True, True, False]])
    orders = {name: order_by(key(weights, slopes, weights * slopes), mask)[0].tolist() for name, key in KEYS.items()}
    assert orders == {"attention": [1, 0, 2, 3, 4], "gradient": [0, 3, 1, 2, 4], "product": [0, 3, 1, 2, 4]}


def test_random_orders_depend_on_seed_and_document_alone():
    documents, lengths = ["test/0", "test/1", "test/2"], [5, 3, 0]
    orders = random_orders(documents, lengths, 7, 4, seed=11)
    for row, length in enumerate(lengths):
        assert all(sorted(draw[:length]) == list(range(length)) for draw in orders[row].tolist())
        assert orders[row, :, length:].tolist() == [list(range(length, 7))] * 4
    alone = random_orders(documents[:1], lengths[:1], 5, 4, seed=11)
    assert torch.equal(alone[0], orders[0, :, :5])
    assert not torch.equal(random_orders(documents, lengths, 7, 4, seed=12)[0], orders[0])
    assert torch.equal(random_orders(documents[:1], [5], 5, 2, seed=11)[0], orders[0, :2, :5])


def test_random_others_are_uniform_over_the_others_and_never_the_top():
    documents = [f"test/{i}" for i in range(4000)]
    tops = torch.tensor([[2, 0]]).expand(4000, 2)
    others = random_others(documents, [5] * 4000, tops, seed=0)
    for column, top in enumerate([2, 0]):
        counts = others[:, column].bincount(minlength=5)
        assert counts[top] == 0
        assert all(abs(count - 1000) < 120 for i, count in enumerate(counts.tolist()) if i != top)  # 4 sigma
    assert not torch.equal(others[:, 0], others[:, 1])


def test_random_others_with_the_first_left_out_are_uniform_over_the_later_positions():
    """Lengths 2 to 5: position 1 alone, then 1..2, 1..3, 1..4; below two components there is no other."""
    for length in range(2, 6):
        documents = [f"test/{i}" for i in range(2000)]
        drawn = random_others(documents, [length] * 2000, torch.zeros(2000, 1, dtype=torch.long), seed=0)
        counts = drawn[:, 0].bincount(minlength=length).tolist()
        assert counts[0] == 0
        assert all(abs(count - 2000 / (length - 1)) < 95 for count in counts[1:])  # 4 sigma
    assert random_others(["a", "b"], [1, 0], torch.zeros(2, 1, dtype=torch.long), seed=0).tolist() == [[0], [0]]


def test_random_others_stay_those_of_earlier_results():
    """Saved draws: results that are in a folder must stay comparable with those of today."""
    tops = torch.tensor([[0, 2, 4], [1, 1, 0], [6, 0, 3]])
    drawn = random_others(["test/0", "test/1", "mine"], [5, 2, 7], tops, seed=11)
    assert drawn.tolist() == [[3, 0, 0], [0, 0, 1], [4, 1, 0]]
