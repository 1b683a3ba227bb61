import numpy as np

from eraserhead.method.statistics import compare, holm, rankings_auc


def test_comparison_averages_draws_within_a_document():
    first = np.array([[2.0], [np.inf], [np.inf]])
    second = np.array([[1.0, 2.0, 3.0, np.inf], [5.0, np.inf, 5.0, 5.0], [np.inf] * 4])
    assert compare(first, second).tolist() == [[0.5, 0.25, 0.25], [0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]


def test_auc_counts_pairs():
    """Order (2, 0, 3, 1), relevant {2, 3}: of the 4 pairs, 2 precedes 0 and 1, 3 precedes 1: 3/4.

    The other way round a quarter. Documents of three all relevant components, of none, and of two irrelevant ones have
    no pairs.
    """
    order = np.array([2, 0, 3, 1])
    relevant = np.array([False, False, True, True])
    others = [True] * 3 + [False] * 2
    hits = np.array([[*relevant[order], *others], [*relevant[order[::-1]], *others]])
    found = rankings_auc(hits, np.array([4, 3, 0, 2]))
    np.testing.assert_array_equal(found, [[0.75, *[np.nan] * 3], [0.25, *[np.nan] * 3]])


def test_p_values_of_several_comparisons_are_corrected_step_by_step():
    """Holm's own way: p(k) is below the level as long as each p(i) up to it is below level / (m - i + 1)."""
    for p_values in ([0.01, 0.04, 0.03, 0.005], [0.02, 0.02, 0.5], [0.9, 0.8], [0.001]):
        corrected = holm(np.array(p_values))
        for level in (0.01, 0.02, 0.03, 0.05, 0.06, 0.1, 0.5):
            rejected, order = set(), np.argsort(p_values, kind="stable")
            for step, place in enumerate(order):
                if p_values[place] * (len(p_values) - step) > level + 1e-12:
                    break
                rejected.add(place)
            assert {place for place, value in enumerate(corrected) if value <= level + 1e-12} == rejected


def test_corrected_p_values_keep_their_order_and_end_at_1():
    """4 x .005, 3 x .01, 2 x .03, and .04 not below .06; two of .8 and more are 1."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
