import numpy as np
import pytest

from eraserhead.method.statistics import bootstrap_means, bootstrap_quantiles, compare, ranking_auc


def test_mean_interval_matches_the_normal_approximation():
    """For 400 draws of variance 1 the 95 % interval of the mean is about +-1.96 / 20."""
    values = np.random.default_rng(0).normal(size=(400, 1))
    (estimate,) = bootstrap_means(values, seed=1)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.count == 400
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_means_leave_out_what_does_not_exist_and_count_it():
    values = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    first, second = bootstrap_means(values, seed=0)
    assert (first.value, first.count) == (2.0, 2)
    assert (second.value, second.low, second.high, second.count) == (None, None, None, 0)


def test_quantiles_count_never_as_larger_than_everything():
    """Of (1, 2, 3, never, never): the quartiles by the smallest value that q of the documents do not exceed."""
    values = np.array([3.0, np.inf, 1.0, np.inf, 2.0])
    low, median, high = bootstrap_quantiles(values, (0.25, 0.5, 0.75), seed=0)
    assert (low.value, median.value, high.value) == (2.0, 3.0, None)
    assert low.count == 5
    assert median.high is None


def test_a_share_that_floats_round_up_is_still_reached():
    """0.28 of 25 documents are seven, though 0.28 * 25 is 7.000000000000001."""
    (found,) = bootstrap_quantiles(np.arange(1.0, 26.0), (0.28,), seed=0)
    assert found.value == 7.0


def test_quantile_interval_covers_the_truth():
    """Medians of uniform samples: the interval holds 1/2 in about 95 % of them."""
    generator = np.random.default_rng(3)
    hits = 0
    for seed in range(200):
        (median,) = bootstrap_quantiles(generator.random(101), (0.5,), seed=seed, resamples=200)
        hits += median.low <= 0.5 <= median.high
    assert 180 <= hits <= 199


def test_comparison_averages_draws_within_a_document():
    first = np.array([[2.0], [np.inf], [np.inf]])
    second = np.array([[1.0, 2.0, 3.0, np.inf], [5.0, np.inf, 5.0, 5.0], [np.inf] * 4])
    assert compare(first, second).tolist() == [[0.5, 0.25, 0.25], [0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]


def test_auc_counts_pairs():
    """Order (2, 0, 3, 1), relevant {2, 3}: of the 4 pairs, 2 precedes 0 and 1, 3 precedes 1: 3/4."""
    order = np.array([2, 0, 3, 1])
    assert ranking_auc(order, np.array([False, False, True, True])) == 0.75
    assert ranking_auc(order, np.array([True] * 4)) is None


def test_intervals_do_not_depend_on_the_chunks(monkeypatch):
    values = np.random.default_rng(0).normal(size=(50, 2))
    whole = bootstrap_means(values, seed=1)
    monkeypatch.setattr("eraserhead.method.statistics.CHUNK", 120)
    assert bootstrap_means(values, seed=1) == whole
