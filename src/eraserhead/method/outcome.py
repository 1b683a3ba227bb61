"""How erasing along a ranking ends; standard library alone, so that views need no torch."""

from enum import IntEnum


class Outcome(IntEnum):
    """How erasing along a ranking ended."""

    FLIP = 0  # the first flipping prefix keeps a mass above 0
    BIAS_ONLY = 1  # the first flipping prefix keeps nothing: the bias alone decides
    NEVER = 2  # no prefix flips

    @property
    def label(self) -> str:
        """What it is called in results."""
        return self.name.lower()
