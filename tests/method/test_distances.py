"""Distances from the others, against fits in which the one left out is really left out."""

import numpy as np
import pytest
from sklearn.covariance import empirical_covariance, ledoit_wolf_shrinkage, shrunk_covariance

from eraserhead.method.distances import Reference


def drawn(count, hidden, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(count, hidden)) @ generator.normal(size=(hidden, hidden)) + 3.0


def left_out(vectors, number, vector, shrinkage):
    others = np.delete(vectors, number, axis=0)
    covariance = shrunk_covariance(empirical_covariance(others), shrinkage)
    difference = vector - others.mean(0)
    return difference @ np.linalg.solve(covariance, difference)


@pytest.mark.parametrize(("count", "hidden"), [(17, 5), (13, 29), (101, 3)])
def test_a_distance_is_that_from_a_fit_without_the_one_left_out(count, hidden):
    """For the vectors themselves and for others; more vectors than dimensions, and fewer."""
    vectors, own = drawn(count, hidden), np.arange(count)
    shrinkage = float(ledoit_wolf_shrinkage(vectors))
    reference = Reference.of(vectors, shrinkage)
    for given in (vectors, 4 * drawn(count, hidden, seed=1)):
        expected = [left_out(vectors, number, given[number], shrinkage) for number in own]
        np.testing.assert_allclose(reference.squared_distances(own, given), expected, rtol=1e-11)
    np.testing.assert_allclose(reference.own_distances, reference.squared_distances(own, vectors), rtol=1e-11)
    with_itself = shrunk_covariance(empirical_covariance(vectors), shrinkage)
    centred = vectors - vectors.mean(0)
    inside = (centred @ np.linalg.inv(with_itself) * centred).sum(1)
    assert (reference.own_distances > inside).all()


def test_a_percentile_counts_the_others_that_lie_nearer():
    """Among 5 on a line, -2 to 2, each other than its own; by hand, with no shrinkage.

    Without x the others have the mean -x / 4 and the variance (10 - x^2) / 4 - x^2 / 16: squared distances are
    6.25 / 1.25 = 5, 1.5625 / 2.1875 and 0. For 1.0 of number 0, mean .5 and variance 1.25: 0.2, beyond the middle alone
    of four others; for 9.0 all of them; for number 2, whose own is not counted, 0.9 lies at .81 / 2.5 nearer than all.
    """
    vectors = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])[:, None]
    reference = Reference.of(vectors, 0.0)
    expected = [5.0, 1.5625 / 2.1875, 0.0, 1.5625 / 2.1875, 5.0]
    np.testing.assert_allclose(reference.own_distances, expected, atol=1e-12)
    found = reference.percentiles(np.array([0, 0, 2]), np.array([[1.0], [9.0], [0.9]]))
    assert found.tolist() == [25.0, 100.0, 0.0]


def test_of_the_same_kind_one_in_a_hundred_is_beyond_the_99th_and_all_that_are_far_are():
    """More dimensions than half the vectors: by distances in which none is left out, most of the same kind would be."""
    both, own = drawn(600, 211), np.arange(300)
    vectors, fresh = both[:300], both[300:]
    reference = Reference.of(vectors, float(ledoit_wolf_shrinkage(vectors)))
    assert 0 < (reference.percentiles(own, vectors) > 99).mean() <= 0.01
    assert 0 < (reference.percentiles(own, fresh) > 99).mean() < 0.03
    assert (reference.percentiles(own, fresh + 20 * (both.std(0))) > 99).all()
    inverse = np.linalg.inv(shrunk_covariance(empirical_covariance(vectors), reference.shrinkage))
    without_care = [((each - vectors.mean(0)) @ inverse * (each - vectors.mean(0))).sum(1) for each in (vectors, fresh)]
    assert (without_care[1] > np.quantile(without_care[0], 0.99)).mean() > 0.5


def test_vectors_that_hardly_differ_have_finite_distances():
    vectors = np.zeros((5, 3))
    vectors[0, 1] = 1.0
    found = Reference.of(vectors, 0.0).squared_distances(np.arange(5), np.eye(5, 3))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
