"""Quantiles and their intervals, against slow definitions and exact probabilities."""

import numpy as np
import pytest
from scipy.stats import binom

from eraserhead.method.quantiles import quantiles_of
from references import weighted_quantile


def test_quantiles_count_never_as_larger_than_everything():
    """Of (1, 2, 3, never, never): the quartiles by the smallest value that q of the documents do not exceed."""
    values = np.array([3.0, np.inf, 1.0, np.inf, 2.0])
    low, median, high = quantiles_of(values, (0.25, 0.5, 0.75))
    assert (low.value, median.value, high.value) == (2.0, 3.0, None)
    assert low.count == 5


def test_a_share_that_floats_round_up_is_still_reached():
    """0.28 of 25 documents are seven, though 0.28 * 25 is 7.000000000000001."""
    (found,) = quantiles_of(np.arange(1.0, 26.0), (0.28,))
    assert found.value == 7.0


def test_one_draw_that_never_flips_is_one_tenth_of_its_document():
    """Nine draws of .1 and one never beside ten of .3: .45 of the weight is at .1, .5 at .3 and .05 at never."""
    values = np.array([[0.1] * 9 + [np.inf], [0.3] * 10])
    found = quantiles_of(values, (0.44, 0.5, 0.94, 0.96))
    assert [each.value for each in found] == [0.1, 0.3, 0.3, None]
    assert {each.count for each in found} == {2}


@pytest.mark.parametrize("draws", [1, 3])
def test_every_document_weighs_the_same_whatever_its_decisions_and_draws(draws):
    """Documents of one to four rows, some values missing, one document without any; against the slow definition."""
    generator = np.random.default_rng(draws)
    documents = np.repeat(np.arange(11), generator.integers(1, 5, 11))
    values = generator.integers(0, 7, (len(documents), draws)).astype(float)
    values[generator.random(values.shape) < 0.2] = np.nan
    values[documents == 4] = np.nan
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    own = [values[documents == number].ravel().tolist() for number in range(11)]
    found = quantiles_of(values, levels, documents)
    assert [each.value for each in found] == [weighted_quantile(own, level) for level in levels]
    assert {each.count for each in found} == {sum(not np.isnan(each).all() for each in own)}


@pytest.mark.parametrize(("count", "quantile"), [(20, 0.25), (20, 0.5), (20, 0.75), (101, 0.5), (200, 0.75)])
def test_ends_are_the_innermost_ranks_whose_tails_are_small_enough(count, quantile):
    """Of 1..n the ends are their ranks: with `below` documents up to the quantile, those before and after miss it."""
    (found,) = quantiles_of(np.random.default_rng(0).permutation(np.arange(1.0, count + 1)), (quantile,))
    below = binom(count, quantile)
    low, high = int(found.low), int(found.high)
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)  # the low end is beyond the quantile with at most 2.5 %
    assert below.sf(high - 1) <= 0.025 < below.sf(high - 2)


def test_few_documents_have_no_interval():
    """.5 ** 5 is above .025 and .5 ** 6 below, .75 ** 12 above and .75 ** 13 below."""
    for fewest, quantile in ((6, 0.5), (13, 0.25), (13, 0.75)):
        (none,), (some,) = (quantiles_of(np.arange(float(count)), (quantile,)) for count in (fewest - 1, fewest))
        assert (none.has_interval, none.low, none.high) == (False, None, None)
        assert none.value is not None
        assert some.has_interval


@pytest.mark.parametrize(("fewest", "quantile"), [(6, 0.5), (13, 0.25), (13, 0.75)])
def test_ten_draws_of_few_documents_have_no_interval_either(fewest, quantile):
    """Documents that are alike as far as so few can show: an interval would be that of ten times as many."""
    few, enough = (np.tile(np.arange(10.0), (count, 1)) for count in (fewest - 1, fewest))
    (none,), (some,) = (quantiles_of(values, (quantile,)) for values in (few, enough))
    assert (none.has_interval, some.has_interval) == (False, True)


def test_draws_alike_in_all_documents_are_as_good_as_documents():
    """Draws that vary over documents as within them tell as much as ten times the documents; equal ones no more."""
    generator = np.random.default_rng(2)
    independent, equal = generator.random((200, 10)), np.repeat(generator.random((200, 1)), 10, axis=1)
    widths = [found.high - found.low for found in (quantiles_of(v, (0.5,))[0] for v in (independent, equal))]
    assert widths[0] < 0.5 * widths[1]
    alone = quantiles_of(equal[:, 0], (0.5,))
    assert quantiles_of(equal, (0.5,)) == alone


def test_no_document_has_no_quantile():
    (found,) = quantiles_of(np.empty((0, 3)), (0.5,))
    assert (found.value, found.count, found.has_interval) == (None, 0, False)
