"""Agreement of orders with marks, against scikit-learn, one annotator after the other."""

from itertools import combinations, permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from eraserhead.method.plausibility import agreement, ceiling

LENGTHS = np.array([7, 5, 11, 3, 2])


def test_agreement_is_that_of_scikit_learn():
    """Five annotators, three rankings; the score of a component is minus its rank."""
    rng = np.random.default_rng(0)
    hits = rng.random((3, LENGTHS.sum())) < 0.4
    hits[:, 23:26] = True  # everything of the fourth is marked, and nothing of the fifth
    hits[:, 26:] = False
    sizes = np.array([2, 3, 5, 3, 0])
    found = agreement(hits, LENGTHS, sizes)
    ends = LENGTHS.cumsum()
    for number, (end, length, size) in enumerate(zip(ends, LENGTHS, sizes, strict=True)):
        for ranking in range(3):
            own, scores = hits[ranking, end - length : end], -np.arange(length)
            measured = [getattr(found, name)[ranking, number] for name in ("average_precision", "auc", "f1")]
            if number > 2:
                assert np.isnan(measured).all()
                continue
            expected = [average_precision_score(own, scores), roc_auc_score(own, scores)]
            assert_allclose(measured, [*expected, f1_score(own, np.arange(length) < size)], rtol=1e-12)


def test_annotators_against_each_other_are_means_over_all_orders_of_what_is_tied():
    """Each annotator's marks in all 5! orders, marked ones first: precision and AUC by scikit-learn, and F1."""
    marks = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 0, 1], [1, 0, 0, 1, 0]], dtype=bool)
    expected = []
    for one, other in permutations(range(3), 2):
        orders = [order for order in permutations(range(5)) if all(np.diff(marks[one][list(order)].astype(int)) <= 0)]
        ranks = [-np.argsort(order) for order in orders]
        measures = (average_precision_score, roc_auc_score)
        means = [np.mean([measure(marks[other], rank) for rank in ranks]) for measure in measures]
        expected.append([*means, f1_score(marks[other], marks[one])])
    assert_allclose(ceiling(marks), np.mean(expected, axis=0), rtol=1e-12)


def test_an_annotator_without_marks_agrees_by_chance_and_cannot_be_agreed_with():
    """The first marks two of five: in an order by chance the mean precision is .5925, the AUC 1/2; the F1 is 0."""
    marks = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
    precisions = [(1 / a + 2 / b) / 2 for a, b in combinations(range(1, 6), 2)]
    assert ceiling(marks) == pytest.approx((np.mean(precisions), 1 / 2, 0))
    assert np.mean(precisions) == pytest.approx(0.5925, abs=1e-4)
    assert np.isnan(ceiling(marks[1:])).all()
    assert np.isnan(ceiling(marks[[1, 1]])).all()
