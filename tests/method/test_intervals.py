"""Intervals of means and shares: closed forms, slow references, and what no sample may show."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binomtest, skew, t

from eraserhead.method.intervals import (
    FEWEST,
    FEWEST_DIFFERENT,
    difference_of,
    difference_of_shares,
    mean_of,
    share_of,
    shares_of_sums,
)


def ends(estimate):
    return [estimate.low, estimate.high]


def test_a_symmetric_mean_has_the_interval_of_students_t():
    """Values -9, -8, ..., 9, without skewness: half of it is t times the standard error."""
    values = np.arange(-9.0, 10.0)
    half = t(18).ppf(0.975) * values.std(ddof=1) / math.sqrt(19)
    assert ends(mean_of(values)) == pytest.approx([-half, half])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_transform_of_the_ends_of_a_skewed_mean_are_quantiles_of_students_t(sign):
    """Hall's transform of ``(mean - end) / error`` is solved here by bisection."""
    values = sign * np.random.default_rng(5).exponential(size=23) ** 2
    a = skew(values, bias=False) / math.sqrt(23)
    error = values.std(ddof=1) / math.sqrt(23)

    def transform(ratio):
        return ratio + a * ratio**2 / 3 + a**2 * ratio**3 / 27 + a / 6

    solved = [brentq(lambda x, q=q: transform(x) - t(22).ppf(q), -1000, 1000) for q in (0.975, 0.025)]
    assert ends(mean_of(values)) == pytest.approx([values.mean() - error * ratio for ratio in solved])


def test_means_leave_out_what_does_not_exist_and_count_it():
    values = np.array([1.0, 2.0, 4.0, np.nan] * 5)
    found, alone = mean_of(values), mean_of(values[~np.isnan(values)])
    assert found == alone
    assert found.value == pytest.approx(7 / 3)
    assert found.count == 15
    nothing = mean_of(np.full(3, np.nan))
    assert (nothing.value, nothing.low, nothing.high, nothing.count) == (None, None, None, 0)


def test_a_mean_of_few_or_of_values_that_hardly_differ_has_no_interval():
    few, enough = np.arange(FEWEST - 1.0), np.arange(float(FEWEST))
    alike, other = (np.array([1.0] * 40 + [2.0] * count) for count in (FEWEST_DIFFERENT - 1, FEWEST_DIFFERENT))
    assert [mean_of(values).has_interval for values in (few, enough, alike, other)] == [False, True, False, True]
    assert mean_of(alike).value == alike.mean()


def test_what_rounding_alone_tells_apart_is_alike():
    """The sum of .1, .2 and .3 depends on their order; an interval as wide as that would be none."""
    values = np.repeat([(0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3)], 20) / 3
    assert len(np.unique(values)) == 2
    assert (mean_of(values).value, mean_of(values).has_interval) == (pytest.approx(0.2), False)
    assert ends(share_of(values)) == pytest.approx(ends(share_of(np.full(40, 0.2))), abs=1e-9)
    assert ends(difference_of(values)) == pytest.approx(ends(difference_of(np.full(40, 0.2))), abs=1e-9)


def test_a_mean_stays_where_values_can_be():
    """14 values below .015 and one of 1: the interval would begin below 0."""
    values = np.array([*np.arange(1, 15) / 1000, 1.0])
    free, bound = mean_of(values), mean_of(values, 0.0, 0.3)
    assert free.low < 0
    assert free.high > 0.3
    assert ends(bound) == [0.0, 0.3]


@pytest.mark.parametrize(("hits", "count"), [(0, 20), (1, 7), (9, 20), (50, 50), (3, 2000)])
def test_a_share_of_documents_has_wilsons_interval(hits, count):
    values = np.random.default_rng(0).permutation((np.arange(count) < hits).astype(float))
    known = binomtest(hits, count).proportion_ci(method="wilson")
    assert ends(share_of(values)) == pytest.approx([known.low, known.high], abs=1e-9)
    assert share_of(np.append(values, np.nan)).count == count


def test_a_share_of_draws_is_as_sure_as_so_many_documents():
    """Values 0, 1/2 and 1 of 10, 20 and 10 documents: variance 1/8, half of a coin's, so Wilson's for 80 tosses.

    With the quantile of t for the 20 documents that differ from the median instead of 1.96. Where the interval of the
    mean is wider, as for values as skewed as one of 1 beside many near 0, it is that.
    """
    values = np.repeat([0.0, 0.5, 1.0], [10, 20, 10])
    skewed = np.random.default_rng(0).beta(0.3, 3, 40)
    assert share_of(skewed).high == mean_of(skewed).high > mean_of(skewed).value
    quantile = t(19).ppf(0.975)
    half = quantile * math.sqrt(0.25 / 80 + quantile**2 / (4 * 80**2)) / (1 + quantile**2 / 80)
    wider = max(half, 0.5 - mean_of(values).low)
    assert ends(share_of(values)) == pytest.approx([0.5 - wider, 0.5 + wider])
    assert wider < 0.8 * (0.5 - binomtest(20, 40).proportion_ci(method="wilson").low)


def test_a_share_of_draws_is_never_less_sure_than_one_of_documents():
    """One document of a half beside 19 of 0 tells nothing of how they vary: Wilson's interval of .025 of 20."""
    values = np.array([0.5] + [0.0] * 19)
    z = t(10**9).ppf(0.975)
    high = (0.025 + z**2 / 40 + z * math.sqrt(0.025 * 0.975 / 20 + z**2 / 1600)) / (1 + z**2 / 20)
    assert share_of(values).high == pytest.approx(high)
    alike = share_of(np.full(20, 0.5))
    assert ends(alike) == pytest.approx(list(binomtest(10, 20).proportion_ci(method="wilson")))


def test_a_paired_difference_follows_newcombe():
    """Of 20 pairs 12 are +1, 3 are -1 and 5 are 0: Newcombe's formula with both Wilson intervals, by hand."""
    values = np.repeat([1.0, -1.0, 0.0], [12, 3, 5])
    first, second = (binomtest(hits, 20).proportion_ci(method="wilson") for hits in (12, 3))
    correlation = -(0.6 * 0.15) / math.sqrt(0.6 * 0.4 * 0.15 * 0.85)

    def distance(one, two):
        return math.sqrt(one**2 + two**2 - 2 * correlation * one * two)

    low = 0.45 - distance(0.6 - first.low, second.high - 0.15)
    high = 0.45 + distance(first.high - 0.6, 0.15 - second.low)
    found = difference_of(values)
    assert (found.value, found.count) == (pytest.approx(0.45), 20)
    assert ends(found) == pytest.approx([low, high])
    reverse = difference_of(-values)
    assert ends(reverse) == pytest.approx([-high, -low])
    twice = difference_of(2 * values, largest=2.0)
    assert [twice.value, *ends(twice)] == pytest.approx([0.9, 2 * low, 2 * high])


def test_shares_of_the_same_documents_differ_as_much_as_pairs_do():
    """Both shares over all of 20 pairs, of which none is 1 and 1: as `difference_of` gives."""
    first, second = np.repeat([1.0, 0.0, 0.0], [12, 3, 5]), np.repeat([0.0, 1.0, 0.0], [12, 3, 5])
    found, paired = difference_of_shares(first, second), difference_of(first - second)
    assert [found.value, *ends(found), found.count] == pytest.approx([paired.value, *ends(paired), 20])


def test_shares_of_other_documents_are_independent():
    """15 of 20 and all of 8 others: Newcombe's rule without a correlation, by hand. One share alone has no interval."""
    first = np.repeat([1.0, 0.0, np.nan], [15, 5, 8])
    second = np.repeat([np.nan, 1.0], [20, 8])
    one, other = (binomtest(hits, count).proportion_ci(method="wilson") for hits, count in ((15, 20), (8, 8)))
    low = -0.25 - math.hypot(0.75 - one.low, other.high - 1)
    high = -0.25 + math.hypot(one.high - 0.75, 1 - other.low)
    found = difference_of_shares(first, second)
    assert [found.value, *ends(found), found.count] == pytest.approx([-0.25, low, high, 28])
    alone = difference_of_shares(first, np.full(28, np.nan))
    assert (alone.value, alone.has_interval, alone.count) == (None, False, 0)


def test_all_against_none_differ():
    """20 of 20 against none: no document differs from another, and the interval is far from 0."""
    found = difference_of_shares(np.ones(20), np.zeros(20))
    edge = binomtest(20, 20).proportion_ci(method="wilson").low
    assert [found.value, *ends(found)] == pytest.approx([1.0, 1 - math.hypot(1 - edge, 1 - edge), 1.0])


def test_pairs_that_all_tie_may_still_differ_elsewhere():
    """Neither share is more than Wilson's end for 0 of 20."""
    high = binomtest(0, 20).proportion_ci(method="wilson").high
    assert ends(difference_of(np.zeros(20))) == pytest.approx([-high, high])
    assert difference_of(np.full(3, np.nan)).count == 0


def test_a_statistic_of_sums_is_as_sure_as_leaving_out_documents_says():
    """The sum of a column over that of another; Wilson's for the variance of the jackknife, from a plain loop."""
    generator = np.random.default_rng(3)
    columns = generator.integers(0, 4, (37, 2))
    columns[:, 1] += columns[:, 0]

    def ratio(sums):
        return sums[:, :1] / sums[:, 1:]

    (found,) = shares_of_sums(columns, ratio)
    whole = columns[:, 0].sum() / columns[:, 1].sum()
    left = [np.delete(columns, row, axis=0).sum(0) for row in range(37)]
    without = np.array([one / other for one, other in left])
    variance = 36 / 37 * ((without - without.mean()) ** 2).sum()
    alike, quantile = whole * (1 - whole) / variance, t(36).ppf(0.975)
    roots = np.roots([1 + quantile**2 / alike, -2 * whole - quantile**2 / alike, whole**2])  # (w - p)^2 = q^2 p(1-p)/n
    assert (found.value, found.count) == (pytest.approx(whole), 37)
    assert ends(found) == pytest.approx(sorted(roots))
    assert not shares_of_sums(columns[:9], ratio)[0].has_interval
    assert shares_of_sums(columns[:0], lambda sums: sums[:, :1])[0].count == 0
