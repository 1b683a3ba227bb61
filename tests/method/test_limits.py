"""Limits of an affine head's log-odds over all sets of a size, against every subset."""

from itertools import combinations

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from eraserhead.method import limits as module
from eraserhead.method.erasure import LIFT
from eraserhead.method.limits import smallest_ratios
from heads import Head, one, random_head
from readings import affine
from references import exhaustive_limits, subset_odds

LENGTHS = [7, 5, 3, 2, 1]


def every_ratio(weights, margins):
    """The smallest ratio of each number of components of positive weight."""
    positive = np.flatnonzero(weights > 0)
    found = []
    for size in range(1, len(positive) + 1):
        sets = np.array(list(combinations(positive, size)))
        found.append(((weights * margins)[sets].sum(1) / weights[sets].sum(1)).min())
    return np.array(found)


def assert_smallest(weights, margins):
    found = smallest_ratios(weights * LIFT, margins).ratios
    for row, own in enumerate(weights):
        slow = every_ratio(own, margins[row])
        scale = 1 + np.abs(margins[row]).max()
        assert_allclose(found[row, : len(slow)] / scale, slow / scale, atol=1e-13)


def drawn(seed, rows, width, kind):
    """Weights and margins: spread over magnitudes with some weights 0, tied, or far from 0."""
    generator = np.random.default_rng(seed)
    weights = generator.random((rows, width)) ** generator.choice([1, 7], (rows, 1))
    weights[generator.random((rows, width)) < 0.2] = 0
    margins = generator.normal(size=(rows, width))
    if kind == "ties":
        return np.round(4 * weights) / 4, np.round(2 * margins) / 2
    return weights, margins + 300 * generator.normal(size=(rows, 1)) if kind == "large bias" else margins


@pytest.mark.parametrize("kind", ["spread", "ties", "large bias"])
def test_ratios_are_those_of_the_best_of_all_sets(kind):
    for width in (1, 2, 5, 8):
        assert_smallest(*drawn(width, 23, width, kind))


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["spread", "ties", "large bias"])
def test_ratios_are_those_of_the_best_of_all_sets_on_ten_thousand_heads(kind):
    for seed in range(334):
        assert_smallest(*drawn(100 + seed, 10, 2 + seed % 9, kind))


def test_long_rows_are_solved_in_several_chunks(monkeypatch):
    """The same to the last bit, whatever is sorted at a time; and no single exchange finds a smaller ratio."""
    weights, margins = drawn(3, 2, 61, "spread")
    found = smallest_ratios(weights, margins).ratios
    monkeypatch.setattr(module, "ENTRIES", 127)
    assert_array_equal(smallest_ratios(weights, margins).ratios, found)
    for row, own in enumerate(weights):
        for size in range(1, int((own > 0).sum())):
            keys = np.where(own > 0, own * (margins[row] - found[row, size - 1]), np.inf)
            assert abs(np.sort(keys)[:size].sum()) < 1e-13


def cleared(head: Head, seed: int) -> Head:
    """Set some weights to 0, in some documents all."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(len(head.weights), 1, generator=generator)
    weights = head.weights * (torch.rand(head.weights.shape, generator=generator) < 0.3 + share)
    return head._replace(weights=weights)


def odds_of(reading, head, row):
    document = one(head, row)
    decided = int(reading.unerased.decision[row])
    return subset_odds(document.weights, document.component_logits, document.bias, decided)


@pytest.mark.parametrize("seed", range(20))
def test_two_classes_have_exact_limits(seed):
    head = cleared(random_head(seed, LENGTHS, classes=2, bias=[0.3, 3.0, 30.0][seed % 3], sharpness=2.0), seed)
    reading = affine(head)
    found = reading.limits()
    assert found.lower is found.certain_lower
    assert found.upper is found.certain_upper
    for row, n in enumerate(LENGTHS):
        lower, upper = exhaustive_limits(odds_of(reading, head, row))
        assert_allclose(found.lower[row, : n + 1], lower, atol=1e-12)
        assert_allclose(found.upper[row, : n + 1], upper, atol=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_more_classes_have_reached_limits_within_certain_ones(seed):
    head = cleared(random_head(seed, LENGTHS, classes=3 + seed % 3, bias=[0.3, 3.0][seed % 2], sharpness=2.0), seed)
    reading = affine(head)
    found = reading.limits()
    for row, n in enumerate(LENGTHS):
        odds = odds_of(reading, head, row)
        lower, upper = exhaustive_limits(odds)
        assert (found.certain_lower[row, : n + 1] <= np.array(lower) + 1e-12).all()
        assert (found.certain_upper[row, : n + 1] >= np.array(upper) - 1e-12).all()
        for k in range(n + 1):
            reached = np.array([value for kept, value in odds.items() if len(kept) == n - k])
            for limit in (found.lower[row, k], found.upper[row, k]):
                assert np.abs(reached - limit).min() < 1e-12


def test_a_document_alone_has_the_limits_that_it_has_beside_longer_ones():
    head = cleared(random_head(2, [41, 13, 3], classes=3), 2)
    together = affine(head).limits()
    for row, n in enumerate([41, 13, 3]):
        rows = torch.tensor([row])
        alone = affine(
            head._replace(weights=head.weights[rows, :n], vectors=head.vectors[rows, :n], mask=head.mask[rows, :n])
        ).limits()
        for name in ("lower", "upper", "certain_lower", "certain_upper"):
            assert_allclose(getattr(together, name)[row, : n + 1], getattr(alone, name)[0], atol=1e-13)
