"""Tests by random signs, against all signs there are."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from eraserhead.method import paired
from eraserhead.method.paired import bounded_sign_flip_p_values, exact_sign_flip_p_values, sign_flip_p_values


def test_p_values_are_those_of_all_signs():
    """Eleven documents have 2,048 signs; 10,000 random ones come within three standard errors of their share."""
    differences = np.random.default_rng(0).normal(0.4, 1.0, (11, 3))
    signs = np.array(list(product([-1, 1], repeat=11)))
    exact = (np.abs(signs @ differences) >= np.abs(differences.sum(0)) - 1e-9).mean(0)
    found = sign_flip_p_values(differences)
    assert (np.abs(found - exact) < 3 * np.sqrt(exact * (1 - exact) / paired.DRAWS) + 2e-4).all()


def test_differences_of_one_sign_have_the_smallest_p_value():
    """Of 2 ** 5 signs two bring the sum of five equal differences as far."""
    assert sign_flip_p_values(np.ones((5, 1)))[0] == pytest.approx(1 / 16, abs=0.008)


def test_documents_without_a_number_are_left_out_and_no_difference_has_no_p_value():
    column = np.array([0.3, np.nan, -0.1, 0.2, 0.4, np.nan])
    found = sign_flip_p_values(np.stack([column, np.where(np.isnan(column), 0, column), 0 * column], axis=1))
    assert found[0] == found[1] > 0
    assert np.isnan(found[2])


@pytest.mark.parametrize("elsewhere", [0.0, np.nan])
def test_few_differences_among_many_documents_are_not_taken_for_normal(elsewhere):
    """Six of one sign: two of 2 ** 6 signs bring the sum as far, .031. The normal distribution would say .014."""
    values = np.full((paired.MANY + 6, 2), elsewhere)
    values[-6:, 0] = 0.3
    values[:, 1] = np.resize([1.0, -1.0], len(values))
    found = sign_flip_p_values(values)
    assert found[0] == pytest.approx(1 / 32, abs=0.006)
    assert found[1] == 1.0


def test_what_float32_alone_tells_apart_does_not_differ():
    """Differences of 1e-8 of one sign alone have no p-value; beside others they change nothing."""
    values = np.full((20, 2), 1e-8)
    values[:6, 1] = -0.3
    found = sign_flip_p_values(values)
    assert np.isnan(found[0])
    assert found[1] == sign_flip_p_values(np.where(values < 0, values, 0.0))[1]


def test_many_documents_come_to_the_same_by_the_normal_distribution(monkeypatch):
    values = np.random.default_rng(1).normal(0.05, 1.0, (1500, 1))
    drawn = sign_flip_p_values(values)[0]
    monkeypatch.setattr(paired, "MANY", 1)
    normal = sign_flip_p_values(values)[0]
    assert normal == pytest.approx(2 * norm.sf(abs(values.sum()) / np.sqrt((values**2).sum())))
    assert drawn == pytest.approx(normal, abs=0.015)


def test_exact_p_values_are_those_of_all_signs():
    """Thirds and halves of eleven documents, one of which has no number: 1,024 signs each."""
    differences = np.random.default_rng(3).integers(-6, 7, (11, 5)) / 6
    differences[4] = np.nan
    signs = np.array(list(product([-1, 1], repeat=10)))
    numbers = np.delete(differences, 4, axis=0)
    exact = (np.abs(signs @ numbers) >= np.abs(numbers.sum(0)) - 1e-9).mean(0)
    np.testing.assert_allclose(exact_sign_flip_p_values(differences, 1 / 6), exact, rtol=1e-12)


def test_exact_p_values_are_far_below_what_random_signs_can_tell():
    """Of 2 ** 40 signs two bring forty equal differences as far; documents that do not differ change nothing."""
    column = np.r_[np.full(40, -0.5), np.zeros(13)]
    assert exact_sign_flip_p_values(column[:, None], 0.5)[0] == pytest.approx(2 / 2**40, rel=1e-12)
    assert np.isnan(exact_sign_flip_p_values(np.zeros((7, 1)), 0.5)[0])
    with pytest.raises(ValueError, match=r"not multiples of 0\.5"):
        exact_sign_flip_p_values(np.array([[0.25]]), 0.5)


def test_where_counting_takes_too_long_the_bound_is_never_too_small(monkeypatch):
    """Of 20 equal differences all signs alike: exactly 2 / 2^20; the bound 2 exp(-10) is above it, and below 1e-4."""
    column = np.ones((20, 1))
    exact = exact_sign_flip_p_values(column, 1.0)[0]
    assert exact == pytest.approx(2 / 2**20)
    monkeypatch.setattr(paired, "MOST_PRODUCTS", 1)
    bounded = exact_sign_flip_p_values(column, 1.0)[0]
    assert bounded == pytest.approx(min(2 * np.exp(-10), 1 / 10_001))
    assert exact < bounded
    many = bounded_sign_flip_p_values(np.ones((60, 1)))[0]
    assert many == pytest.approx(2 * np.exp(-30))
    mixed = np.array([[1.0], [1.0], [-1.0], [1.0], [0.5]])
    assert bounded_sign_flip_p_values(mixed)[0] == pytest.approx(sign_flip_p_values(mixed)[0])


def test_products_of_the_count_over_all_signs():
    """Three steps of 1 and one of 2: lengths 1, 7 and then 5: 1 x 7 + 7 x 5 products."""
    assert paired._products(np.array([1, -1, 1, 2])) == 42
