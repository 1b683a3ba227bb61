import math

import pytest
import torch
from scipy.spatial.distance import jensenshannon
from torch.testing import assert_close

from eraserhead.method.divergence import js_divergence


def test_equals_scipy():
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(50, 5, generator=generator, dtype=torch.float64).softmax(-1)
    q = (9 * torch.rand(50, 5, generator=generator, dtype=torch.float64)).softmax(-1)
    expected = torch.tensor([jensenshannon(a, b) ** 2 for a, b in zip(p.numpy(), q.numpy(), strict=True)])
    assert_close(js_divergence(p, q), expected, rtol=1e-10, atol=1e-14)


def test_disjoint_distributions_are_ln_2_apart_and_equal_ones_0():
    p = torch.tensor([[1.0, 0.0], [0.3, 0.7]], dtype=torch.float64)
    q = torch.tensor([[0.0, 1.0], [0.3, 0.7]], dtype=torch.float64)
    assert_close(js_divergence(p, q), torch.tensor([math.log(2), 0.0], dtype=torch.float64))


@pytest.mark.parametrize("tiny", [5e-324, 1e-310])
def test_subnormal_probabilities_give_numbers(tiny):
    p = torch.tensor([1.0, tiny], dtype=torch.float64)
    q = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert 0 <= js_divergence(p, q).item() < 1e-300
