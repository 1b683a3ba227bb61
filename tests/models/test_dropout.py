"""Dropout with few random bits: its shares, its mean, its gradient, and that a seed fixes it."""

import pytest
import torch
from torch.testing import assert_close

from eraserhead.models.dropout import Dropout
from eraserhead.training.batches import quicken_dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.99])
def test_shares_and_scale_are_those_of_the_probability(p):
    """Of n entries p n are dropped, up to five standard deviations; the others are 1 / (1 - p) times as large.

    Neighbours are independent: both are dropped in p^2 of all pairs.
    """
    torch.manual_seed(0)
    found, n = Dropout(p)(torch.ones(401, 499, dtype=torch.float64)).flatten(), 401 * 499
    dropped = (found == 0).double()
    assert dropped.mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / n) ** 0.5)
    assert found[found > 0].unique().tolist() == [pytest.approx(1 / (1 - p), rel=1e-3)]
    both = (dropped[1:] * dropped[:-1]).mean().item()
    assert both == pytest.approx(p * p, abs=10 * (p * p * (1 - p * p) / n) ** 0.5)


def test_the_gradient_passes_where_entries_are_kept():
    torch.manual_seed(0)
    vectors = torch.randn(7, 11, dtype=torch.float64, requires_grad=True)
    found = Dropout(0.5)(vectors)
    (gradient,) = torch.autograd.grad(found.sum(), vectors)
    assert set(gradient.unique().tolist()) == {0.0, 2.0}
    assert_close(gradient * vectors, found)


def test_a_seed_fixes_it_and_eval_mode_leaves_it_out():
    dropout, vectors = Dropout(0.5), torch.randn(3, 5)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        found.append(dropout(vectors))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert dropout.eval()(vectors) is vectors
    assert Dropout(0.0)(vectors) is vectors or torch.equal(Dropout(0.0)(vectors), vectors)


def test_every_dropout_of_an_encoder_is_replaced_with_its_probability():
    encoder = torch.nn.Sequential(
        torch.nn.Dropout(0.3), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.7))
    )
    quicken_dropout(encoder.eval())
    found = [module for module in encoder.modules() if isinstance(module, torch.nn.Dropout)]
    assert [(type(each), each.p, each.training) for each in found] == [(Dropout, 0.3, False), (Dropout, 0.7, False)]
    assert {*encoder.state_dict()} == {"1.0.weight", "1.0.bias"}
