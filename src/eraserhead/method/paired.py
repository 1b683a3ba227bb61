"""Tests of paired differences (METHOD sections 13 and 16)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtr
from scipy.stats import binom

DRAWS = 10_000  # random changes of sign
MANY = 2_000  # documents that differ, from which on the normal distribution stands for them
SEED = 0  # of the signs
SAME = 1e-7  # no difference: in float32, the other documents of a batch move probabilities by up to 3e-8
MOST_PRODUCTS = 20_000_000  # that counting over all signs takes for one comparison; some 20 ms
CHUNK = 4_000_000  # signs held at a time
MULTIPLE = 1e-6  # of a unit, by which a multiple of it may be off through rounding


def sign_flip_p_values(
    differences: Float[np.ndarray, "documents comparisons"],
) -> Float[np.ndarray, " comparisons"]:
    """Return two-sided p-values of the mean differences: how often random signs bring a mean as far from 0.

    Where two results do not differ, each document's difference is as likely to have the other sign. NaN is left out,
    and what is at most `SAME` counts as 0; with nothing but these, the p-value is NaN. Where `MANY` documents or more
    differ, the sums under random signs are taken for normal.

    Args:
        differences: A column for each comparison.
    """
    found = np.full(differences.shape[1], np.nan)
    columns = [column[np.abs(column) > SAME] for column in differences.T]  # a sign changes nothing at 0
    for number, column in enumerate(columns):
        if len(column) >= MANY:
            found[number] = 2 * ndtr(-abs(column.sum()) / np.sqrt((column**2).sum()))
    few = [number for number, column in enumerate(columns) if 0 < len(column) < MANY]
    if few:
        found[few] = _by_random_signs([columns[number] for number in few])
    return found


def exact_sign_flip_p_values(
    differences: Float[np.ndarray, "documents comparisons"], unit: float
) -> Float[np.ndarray, " comparisons"]:
    """Return the p-values that `sign_flip_p_values` estimates by random signs, over all signs there are.

    Random signs give no p-value below 1 / 10,001, which a correction over a thousand comparisons lifts above .05. Where
    differences are multiples of a unit, as those of shares over a few draws are, the distribution of their sum over all
    signs can be counted. Where that would take too long, see `bounded_sign_flip_p_values`.

    Args:
        differences: A column for each comparison; NaN is left out.
        unit: Every difference is a multiple of it.

    Raises:
        ValueError: Some difference is none.
    """
    found = np.full(differences.shape[1], np.nan)
    for number, column in enumerate(differences.T):
        steps = column[~np.isnan(column)] / unit
        whole = np.rint(steps).astype(np.int64)
        if (np.abs(steps - whole) > MULTIPLE).any():
            raise ValueError(f"differences are not multiples of {unit}")
        if whole.any():
            counted = _products(whole) <= MOST_PRODUCTS
            found[number] = _over_all_signs(whole[whole != 0]) if counted else _bounded(column[~np.isnan(column)])
    return found


def bounded_sign_flip_p_values(
    differences: Float[np.ndarray, "documents comparisons"],
) -> Float[np.ndarray, " comparisons"]:
    """Return p-values by random signs; where none of them brings a sum as far, the bound of Hoeffding if it is smaller.

    The bound, ``2 exp(-s^2 / (2 sum d^2))`` for a sum s of differences d, holds for all signs: it is never too small.

    Args:
        differences: A column for each comparison; NaN is left out.
    """
    found = np.full(differences.shape[1], np.nan)
    for number, column in enumerate(differences.T):
        known = column[np.abs(column) > SAME]
        if len(known):
            found[number] = _bounded(known)
    return found


def _bounded(column: Float[np.ndarray, " documents"]) -> float:
    drawn = float(_by_random_signs([column])[0])
    if drawn > 1.5 / (1 + DRAWS):
        return drawn
    return min(drawn, float(2 * np.exp(-(column.sum() ** 2) / (2 * (column**2).sum()))))


def _products(steps: Int[np.ndarray, " documents"]) -> int:
    """Return how many products the count over all signs takes."""
    products, length = 0, 1
    for size, count in zip(*np.unique(np.abs(steps), return_counts=True), strict=True):
        own = 2 * int(size) * int(count) + 1
        products, length = products + length * own, length + own - 1
    return products


def _over_all_signs(steps: Int[np.ndarray, " documents"]) -> float:
    """Return how often random signs bring a sum as far from 0; each size of a step gives a binomial distribution."""
    distribution, sizes = np.ones(1), np.unique(np.abs(steps))
    for size in sizes:
        count = int((np.abs(steps) == size).sum())
        own = np.zeros(2 * size * count + 1)
        own[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        distribution = np.convolve(distribution, own)
    sums = np.arange(len(distribution)) - len(distribution) // 2
    return min(1.0, float(distribution[np.abs(sums) >= abs(int(steps.sum()))].sum()))


def _by_random_signs(columns: Sequence[np.ndarray]) -> Float[np.ndarray, " columns"]:
    """Return the p-values of columns, whose lengths may differ."""
    longest = max(map(len, columns))
    values = np.stack([np.pad(column, (0, longest - len(column))) for column in columns], axis=1)
    observed, tolerance = np.abs(values.sum(0)), 1e-12 * np.abs(values).sum(0)
    generator, as_far = np.random.default_rng(SEED), np.zeros(len(columns))
    at_once = max(1, CHUNK // longest)
    for begun in range(0, DRAWS, at_once):
        rows = min(at_once, DRAWS - begun)
        signs = generator.integers(0, 2, size=(rows, longest), dtype=np.int8) * 2.0 - 1.0
        as_far += (np.abs(signs @ values) >= observed - tolerance).sum(0)
    return (1 + as_far) / (1 + DRAWS)
