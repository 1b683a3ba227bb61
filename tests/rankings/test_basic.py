from dataclasses import replace

import torch
from torch.testing import assert_close

from eraserhead.method.affine import AffineReading
from eraserhead.rankings.basic import BASIC
from eraserhead.rankings.registry import registered
from readings import numbers

ATTENTION, GRADIENT, PRODUCT = BASIC


def reading(weights: list[float], component_logits: list[list[float]]) -> AffineReading:
    """One document without padding, whose head has no bias."""
    logits = torch.tensor([component_logits], dtype=torch.float64)
    mask = torch.ones(1, len(weights), dtype=torch.bool)
    return AffineReading.of(torch.tensor([weights], dtype=torch.float64), logits, torch.zeros(2).double(), mask)


def test_the_paper_rankings_come_first_in_its_order():
    assert registered()[:3] == BASIC
    assert [ranking.name for ranking in BASIC] == ["attention", "gradient", "product"]


def test_rankings_descend_by_weight_by_signed_gradient_and_by_their_product():
    """Weights (.2, .4, .2, .2), margins (3, 1, -5, 3) of class 0 over class 1: products .6, .4, -1 and .6, a sum of .6.

    A class of two alone is the whole rival, so that the margin gradient is the margin; ties in reading order.
    """
    read = reading([0.2, 0.4, 0.2, 0.2], [[3, 0], [1, 0], [-5, 0], [3, 0]])
    orders = {ranking.name: ranking.order(read)[0].tolist() for ranking in BASIC}
    assert orders == {"attention": [1, 0, 2, 3], "gradient": [0, 3, 1, 2], "product": [0, 3, 1, 2]}


def test_gradient_keeps_its_order_where_the_softmax_saturates():
    """At a gap of 800 p_c (1 - p_c) is 0 in float64, and so is what results show; the order is still the margins'."""
    read = reading([0.5, 0.25, 0.25], [[801, 1], [799, 0], [800, -1]])
    assert GRADIENT.values(read).tolist() == [[0.0, 0.0, 0.0]]
    assert GRADIENT.order(read).tolist() == [[2, 0, 1]]
    assert PRODUCT.order(read).tolist() == [[0, 2, 1]]  # 400, 199.75 and 200.25


def test_product_ranks_weights_that_underflow():
    """1e-311 * 5e-20 and 1e-310 * 1e-20 are both 0 in float64, and the second is the larger."""
    weights, slopes = [1.0, 1e-311, 1e-310], [-1.0, 5e-20, 1e-20]
    mask = torch.ones(1, 3, dtype=torch.bool)
    logits = torch.tensor([[[slope, 0.0] for slope in slopes]], dtype=torch.float64)
    # The bias decides for class 0, so that slopes have the sign of its logits.
    bias = torch.tensor([2.0, 0.0], dtype=torch.float64)
    read = AffineReading.of(torch.tensor([weights], dtype=torch.float64), logits, bias, mask)
    assert read.unerased.decision.tolist() == [0]
    assert_close(read.signals["margin_gradient"], torch.tensor([slopes], dtype=torch.float64))
    assert (read.weights * read.signals["margin_gradient"])[0, 1:].tolist() == [0.0, 0.0]
    assert PRODUCT.order(read).tolist() == [[2, 1, 0]]


def test_results_show_gradient_and_product_of_the_probability():
    """Margins (2, 0) at weights (.5, .5): a margin of 1, so p_c (1 - p_c) times (2, 0), and half of that."""
    read = reading([0.5, 0.5], [[2, 0], [0, 0]])
    p = torch.tensor(1.0, dtype=torch.float64).sigmoid().item()
    expected = torch.tensor([[2 * p * (1 - p), 0.0]], dtype=torch.float64)
    assert_close(ATTENTION.values(read), read.weights)
    assert_close(GRADIENT.values(read), expected)
    assert_close(PRODUCT.values(read), expected / 2)
    found = numbers(read)
    assert torch.equal(found["gradient"], GRADIENT.values(read))
    assert torch.equal(found["product"], PRODUCT.values(read))


def test_padding_is_last_whatever_stands_there():
    read = reading([0.25, 0.75, 0.0], [[1, 0], [2, 0], [9, 0]])
    padded = replace(read, mask=torch.tensor([[True, True, False]]))
    for ranking in BASIC:
        assert ranking.order(padded)[0].tolist() == [1, 0, 2]
