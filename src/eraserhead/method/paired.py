"""Tests of paired differences (METHOD section 16)."""

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

DRAWS = 10_000  # random changes of sign
MANY = 2_000  # documents from which on the normal distribution stands for them
CHUNK = 4_000_000  # signs held at a time


def sign_flip_p_values(
    differences: Float[np.ndarray, "documents comparisons"], seed: int
) -> Float[np.ndarray, " comparisons"]:
    """Return two-sided p-values of the mean differences: how often random signs bring a mean as far from 0.

    Where two results do not differ, each document's difference is as likely to have the other sign. NaN is left out;
    with nothing but 0 and NaN, the p-value is NaN. From `MANY` documents on, the sums under random signs are taken for
    normal.

    Args:
        differences: A column for each comparison.
        seed: Seed of the signs, which all comparisons share.
    """
    values = np.nan_to_num(differences)
    squares = (values**2).sum(0)
    observed = np.abs(values.sum(0))
    if len(values) >= MANY:
        with np.errstate(invalid="ignore", divide="ignore"):
            found = 2 * ndtr(-observed / np.sqrt(squares))
        return np.where(squares > 0, found, np.nan)
    generator, as_far = np.random.default_rng(seed), np.zeros(values.shape[1])
    tolerance = 1e-12 * np.abs(values).sum(0)
    at_once = max(1, CHUNK // max(len(values), 1))
    for begun in range(0, DRAWS, at_once):
        rows = min(at_once, DRAWS - begun)
        signs = generator.integers(0, 2, size=(rows, len(values)), dtype=np.int8) * 2.0 - 1.0
        as_far += (np.abs(signs @ values) >= observed - tolerance).sum(0)
    return np.where(squares > 0, (1 + as_far) / (1 + DRAWS), np.nan)
