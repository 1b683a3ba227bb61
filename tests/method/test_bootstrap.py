"""Intervals, against resampling by the book."""

import numpy as np
import pytest

from eraserhead.method import bootstrap
from eraserhead.method.bootstrap import bootstrap_means, quantiles_of


def mean_of(values, seed=0):
    return bootstrap_means([("values", np.asarray(values, dtype=float))], seed)["values"]


def resampled_means(values, resamples, seed):
    """Return the means of the numbers among documents that are drawn again, sorted."""
    generator = np.random.default_rng(seed)
    drawn = (values[generator.integers(0, len(values), len(values))] for _ in range(resamples))
    return np.sort([np.nanmean(each) for each in drawn])


def test_mean_interval_matches_the_normal_approximation():
    """For 400 draws of variance 1 the 95 % interval of the mean is about +-1.96 / 20."""
    values = np.random.default_rng(0).normal(size=400)
    estimate = mean_of(values, seed=1)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.count == 400
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_means_leave_out_what_does_not_exist_and_count_it():
    columns = {"some": np.array([1.0, np.nan, 3.0]), "none": np.full(3, np.nan)}
    found = bootstrap_means(columns.items(), seed=0)
    assert (found["some"].value, found["some"].count) == (2.0, 2)
    assert (found["none"].value, found["none"].low, found["none"].high, found["none"].count) == (None, None, None, 0)


@pytest.mark.parametrize("shape", ["rare", "skewed", "some missing"])
def test_the_expansion_is_where_many_resamples_come_to(shape, monkeypatch):
    """Ends of 4,000 resamples scatter by about .05 of the standard error; without the skewness they are .15 off."""
    generator = np.random.default_rng(5)
    values = {
        "rare": (np.arange(1009) < 11).astype(float),
        "skewed": generator.exponential(size=1009) ** 3,
        "some missing": np.where(generator.random(1009) < 0.7, np.nan, generator.exponential(size=1009)),
    }[shape]
    means = resampled_means(values, 4000, seed=2)
    low, high = means[[99, 3899]]
    estimate = mean_of(values)
    assert estimate.count == (~np.isnan(values)).sum()
    assert [estimate.low, estimate.high] == pytest.approx([low, high], abs=0.12 * means.std())
    monkeypatch.setattr(bootstrap, "MANY", 2000)
    drawn = mean_of(values)  # the same documents by resampling
    assert drawn.value == estimate.value
    assert [drawn.low, drawn.high] == pytest.approx([low, high], abs=0.3 * means.std())


def test_many_equal_values_have_no_width():
    estimate = mean_of(np.full(1500, 0.25))
    assert (estimate.value, estimate.low, estimate.high) == (0.25, 0.25, 0.25)


def test_quantiles_count_never_as_larger_than_everything():
    """Of (1, 2, 3, never, never): the quartiles by the smallest value that q of the documents do not exceed."""
    values = np.array([3.0, np.inf, 1.0, np.inf, 2.0])
    low, median, high = quantiles_of(values, (0.25, 0.5, 0.75))
    assert (low.value, median.value, high.value) == (2.0, 3.0, None)
    assert low.count == 5
    assert median.high is None


def test_a_share_that_floats_round_up_is_still_reached():
    """0.28 of 25 documents are seven, though 0.28 * 25 is 7.000000000000001."""
    (found,) = quantiles_of(np.arange(1.0, 26.0), (0.28,))
    assert found.value == 7.0


def test_the_interval_of_a_quantile_is_that_of_many_resamples():
    """For 23 documents with ties, where 200,000 resamples leave no doubt about the ends."""
    generator = np.random.default_rng(3)
    values = np.sort(generator.integers(0, 15, 23).astype(float))
    for quantile in (0.25, 0.5, 0.75):
        drawn = np.sort(values[generator.integers(0, 23, (200_000, 23))], axis=1)
        found = np.sort(drawn[:, int(np.ceil(quantile * 23)) - 1])
        (estimate,) = quantiles_of(values, (quantile,))
        assert (estimate.low, estimate.high) == (found[4999], found[194_999])


def test_quantile_interval_covers_the_truth():
    """Medians of uniform samples: the interval holds 1/2 in about 95 % of them."""
    generator = np.random.default_rng(3)
    medians = (quantiles_of(generator.random(101), (0.5,))[0] for _ in range(200))
    assert 180 <= sum(median.low <= 0.5 <= median.high for median in medians) <= 199


def test_intervals_do_not_depend_on_the_chunks(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = mean_of(values, seed=1)
    monkeypatch.setattr("eraserhead.method.bootstrap.CHUNK", 120)
    chunked = mean_of(values, seed=1)
    assert [chunked.low, chunked.high] == pytest.approx([whole.low, whole.high], rel=1e-12)
