"""Which signals the sites of each kind can give; a ranking is defined where all that it needs is given."""

from collections.abc import Mapping

from eraserhead.method.signals import GRADIENTS, VALUE_NORM
from eraserhead.sites.site import ALL_LAYERS, POOLING, WORDS

GIVEN: Mapping[str, frozenset[str]] = {
    POOLING: GRADIENTS | {VALUE_NORM},
    WORDS: GRADIENTS,
    "layer:L": GRADIENTS | {VALUE_NORM},
    "layer:L:all": GRADIENTS,
    ALL_LAYERS: GRADIENTS,
    "encoder:L": GRADIENTS,
    "decoder:L": GRADIENTS,
    "cross:L": GRADIENTS,
}


def given_at(signals: frozenset[str]) -> list[str]:
    """Return the kinds of site that give all of some signals."""
    return [kind for kind, given in GIVEN.items() if signals <= given]
