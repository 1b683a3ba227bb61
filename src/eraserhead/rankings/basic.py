"""Rankings that cost nothing beside a reading and test 1 (METHOD sections 4 and 9).

The first three are those of Serrano & Smith 2019, sec. 5: by attention, by gradient, by their product.
"""

from jaxtyping import Float
from torch import Tensor

from eraserhead.method.margins import margin
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT
from eraserhead.method.reading import Reading
from eraserhead.method.signals import MARGIN_GRADIENT, MARGIN_PRODUCT, VALUE_NORM
from eraserhead.rankings.ranking import Ranking, Score


def signal(name: str) -> Score:
    """Return the score function that reads one of a reading's signals."""
    return lambda reading: reading.signals[name]


def by_signal(name: str, package: str | None = None) -> Ranking:
    """Return the ranking by a signal, under the signal's name; sites compute some by a package that is an extra."""
    return Ranking(name, signal(name), frozenset({name}), package=package)


BASIC = (
    Ranking(ATTENTION, lambda reading: reading.weights),
    Ranking(GRADIENT, signal(MARGIN_GRADIENT), frozenset({MARGIN_GRADIENT, GRADIENT}), signal(GRADIENT)),
    Ranking(PRODUCT, signal(MARGIN_PRODUCT), frozenset({MARGIN_PRODUCT, PRODUCT}), signal(PRODUCT)),
)


def leave_one_out(reading: Reading) -> Float[Tensor, "batch components"]:
    """Return how far the margin falls when a component is erased alone (Li et al. 2016); `singles` are test 1's."""
    decision = reading.unerased.decision
    before = margin(reading.unerased.logits.unsqueeze(1), decision)
    return (before - margin(reading.singles().logits, decision)).masked_fill(~reading.mask, 0.0)


FURTHER = (
    Ranking("leave_one_out", leave_one_out),
    by_signal(VALUE_NORM),
)
