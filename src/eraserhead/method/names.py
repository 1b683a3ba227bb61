"""Names in results and options; standard library only, so that configs and views load quickly."""

from enum import IntEnum
from typing import Literal

# The rankings of Serrano & Smith 2019, sec. 5; the signals that the last two order by are called the same.
ATTENTION, GRADIENT, PRODUCT = "attention", "gradient", "product"
# Orders that come from no registered ranking: shuffles, the exact minimum, the smallest set found.
RANDOM, MINIMUM, BEST_FOUND = "random", "minimum", "best_found"
YARDSTICKS = (MINIMUM, BEST_FOUND)

FEWEST_COMPONENTS = 2  # documents with fewer are not analysed: there is nothing to compare

# Which sizes curves along rankings look at: every one, some fractions of the components, or none.
CurveSizes = Literal["all", "fractions", "none"]

# What the top component is compared with in test 1: any component but the top, or any but the first.
RandomOther = Literal["uniform", "position"]


class Outcome(IntEnum):
    """How erasing along a ranking ended."""

    FLIP = 0  # the first flipping prefix keeps a mass above 0
    BIAS_ONLY = 1  # the first flipping prefix keeps nothing: the bias alone decides
    NEVER = 2  # no prefix flips

    @property
    def label(self) -> str:
        """Its name in results."""
        return self.name.lower()
