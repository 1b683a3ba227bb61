"""The rankings of Serrano & Smith 2019, sec. 5: by attention, by gradient, by their product (METHOD section 4)."""

from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT
from eraserhead.method.reading import MARGIN_GRADIENT, MARGIN_PRODUCT
from eraserhead.rankings.ranking import Ranking, Score


def signal(name: str) -> Score:
    """Return the score function that reads one of a reading's signals."""
    return lambda reading: reading.signals[name]


BASIC = (
    Ranking(ATTENTION, lambda reading: reading.weights),
    Ranking(GRADIENT, signal(MARGIN_GRADIENT), frozenset({MARGIN_GRADIENT, GRADIENT}), signal(GRADIENT)),
    Ranking(PRODUCT, signal(MARGIN_PRODUCT), frozenset({MARGIN_PRODUCT, PRODUCT}), signal(PRODUCT)),
)
