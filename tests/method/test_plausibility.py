"""Agreement of orders with marks, against scikit-learn, one annotator after the other."""

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


def test_annotators_against_each_other_are_that_of_scikit_learn():
    marks = np.array([[1, 1, 0, 0, 0, 1, 0], [0, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0, 1, 0]], dtype=bool)
    pairs = [(one, other) for one in range(3) for other in range(3) if one != other]
    for found, measure in zip(ceiling(marks), (average_precision_score, roc_auc_score, f1_score), strict=True):
        assert found == pytest.approx(np.mean([measure(marks[other], marks[one]) for one, other in pairs]), rel=1e-12)


def test_an_annotator_without_marks_agrees_by_chance_and_cannot_be_agreed_with():
    """The first marks two of five: scored by the second, it has a precision of 2/5, an AUC of 1/2, an F1 of 0."""
    marks = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
    assert ceiling(marks) == pytest.approx((2 / 5, 1 / 2, 0))
    assert np.isnan(ceiling(marks[1:])).all()
    assert np.isnan(ceiling(marks[[1, 1]])).all()
