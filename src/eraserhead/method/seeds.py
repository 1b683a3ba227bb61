"""A number over several seeds of training: its mean with the interval of Student's t over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from eraserhead.method.intervals import TAIL


@dataclass(frozen=True)
class OverSeeds:
    """A number's mean over seeds with its 95 % interval.

    Attributes:
        value: The mean; infinity where the number of a seed is larger than everything.
        low: Lower end of the interval; null where there is none.
        high: Upper end; null likewise.
        seeds: Number of seeds.
    """

    value: float
    low: float | None
    high: float | None
    seeds: int


def over_seeds(values: Sequence[float], least: float = -np.inf, most: float = np.inf) -> OverSeeds:
    """Return the mean over seeds, one at least, with the interval of Student's t.

    There is none over one seed, over seeds that all have the same number, or where that of one is larger than
    everything.
    """
    numbers, count = np.array(values, dtype=np.float64), len(values)
    if count < 2 or np.isinf(numbers).any() or (numbers == numbers[0]).all():
        return OverSeeds(float(numbers.mean()), None, None, count)
    reach = float(stdtrit(count - 1, 1 - TAIL)) * float(numbers.std(ddof=1)) / np.sqrt(count)
    low, high = np.clip([numbers.mean() - reach, numbers.mean() + reach], least, most)
    return OverSeeds(float(numbers.mean()), float(low), float(high), count)
