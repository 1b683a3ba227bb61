import numpy as np

from eraserhead.method.statistics import compare, ranking_auc


def test_comparison_averages_draws_within_a_document():
    first = np.array([[2.0], [np.inf], [np.inf]])
    second = np.array([[1.0, 2.0, 3.0, np.inf], [5.0, np.inf, 5.0, 5.0], [np.inf] * 4])
    assert compare(first, second).tolist() == [[0.5, 0.25, 0.25], [0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]


def test_auc_counts_pairs():
    """Order (2, 0, 3, 1), relevant {2, 3}: of the 4 pairs, 2 precedes 0 and 1, 3 precedes 1: 3/4."""
    order = np.array([2, 0, 3, 1])
    assert ranking_auc(order, np.array([False, False, True, True])) == 0.75
    assert ranking_auc(order, np.array([True] * 4)) is None
