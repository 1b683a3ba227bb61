import numpy as np

from eraserhead.method.statistics import compare, rankings_auc


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
