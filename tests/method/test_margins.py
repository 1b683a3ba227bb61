import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.erasure import evaluate_unerased
from eraserhead.method.margins import margins, rival_weights, saturation, soft_margin
from heads import random_head


def decided_probability(weights, component_logits, bias, decision):
    """p_c with every weight a free variable: no renormalisation."""
    logits = torch.einsum("bn,bnk->bk", weights, component_logits) + bias
    return logits.softmax(-1).gather(1, decision.unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_gradient_equals_autograd_and_central_differences(classes):
    head = random_head(0, [11, 5, 2], classes=classes)
    logits = evaluate_unerased(head.weights, head.component_logits, head.bias).logits
    decision = logits.argmax(-1)
    margin = soft_margin(head.component_logits, decision, rival_weights(logits))
    closed = saturation(logits).unsqueeze(1) * margin
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


def test_a_soft_margin_weighs_the_rivals_by_their_softmax():
    """Logits (2, ln 3, 0), decision 0: the rivals' softmax is (3/4, 1/4), so z_0 - 3/4 ln 3 - 1/4 * 0."""
    log_3 = torch.tensor(3.0, dtype=torch.float64).log().item()
    logits = torch.tensor([[2.0, log_3, 0.0]], dtype=torch.float64)
    rivals = rival_weights(logits)
    assert_close(rivals, torch.tensor([[0.0, 0.75, 0.25]], dtype=torch.float64))
    decision = torch.tensor([0])
    assert_close(soft_margin(logits, decision, rivals), torch.tensor([2 - 0.75 * log_3], dtype=torch.float64))
    components = torch.tensor([[[1.0, 4.0, 8.0], [0.0, 0.0, -4.0]]], dtype=torch.float64)  # 1 - 3 - 2 and 0 - 0 + 1
    assert_close(soft_margin(components, decision, rivals), torch.tensor([[-4.0, 1.0]], dtype=torch.float64))


def test_margins_are_zero_at_the_decision_and_negative_where_a_class_is_above_it():
    logits = torch.tensor([[[1.0, 4.0, -2.0], [3.0, 0.5, 7.0]]], dtype=torch.float64)
    found = margins(logits, torch.tensor([[1, 0]]))
    assert found.tolist() == [[[3.0, 0.0, 6.0], [0.0, 2.5, -4.0]]]


def test_a_soft_margin_keeps_its_order_where_the_softmax_saturates():
    """At a gap of 800 p_c (1 - p_c) is 0 in float64, and so would be every gradient; the order must still be u's."""
    component_logits = torch.tensor([[[801.0, 1.0], [799.0, 0.0], [800.0, -1.0]]], dtype=torch.float64)
    uniform = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    logits = evaluate_unerased(uniform, component_logits, torch.zeros(2, dtype=torch.float64)).logits
    found = soft_margin(component_logits, logits.argmax(-1), rival_weights(logits))
    assert_close(found, torch.tensor([[800.0, 799.0, 801.0]], dtype=torch.float64))
    assert saturation(logits).item() == 0


def test_saturation_survives_where_one_minus_p_rounds_to_zero():
    """At a gap of 50, p_c rounds to 1 and 1 - p_c to 0, but p_c (1 - p_c) is e^-50."""
    logits = torch.tensor([[50.0, 0.0]], dtype=torch.float64)
    assert_close(saturation(logits), torch.exp(torch.tensor([-50.0], dtype=torch.float64)), rtol=1e-12, atol=0)
