"""Which signals the sites of each kind can give; a ranking is defined where all that it needs is given."""

from collections.abc import Mapping

from eraserhead.method.signals import GRADIENTS, OF_ALL_LAYERS, OF_EMBEDDINGS, VALUE_NORM
from eraserhead.sites.site import ALL_LAYERS, POOLING, WORDS

GIVEN: Mapping[str, frozenset[str]] = {
    POOLING: GRADIENTS | OF_EMBEDDINGS | {VALUE_NORM},
    WORDS: GRADIENTS | OF_EMBEDDINGS,
    "layer:L": GRADIENTS | OF_EMBEDDINGS | OF_ALL_LAYERS | {VALUE_NORM},
    "layer:L:all": GRADIENTS | OF_EMBEDDINGS | OF_ALL_LAYERS,
    ALL_LAYERS: GRADIENTS | OF_EMBEDDINGS | OF_ALL_LAYERS,
    "encoder:L": GRADIENTS,
    "decoder:L": GRADIENTS,
    "cross:L": GRADIENTS,
}


def given_inside(kind: str, encoder_and_decoder: bool) -> frozenset[str]:
    """Return the signals of a site inside a model.

    A decoder that attends to an encoder reads each token twice, and has attention of two kinds: neither its word
    embeddings nor its layers have one score for a token.
    """
    return GIVEN[kind] - (OF_EMBEDDINGS | OF_ALL_LAYERS) if encoder_and_decoder else GIVEN[kind]


def given_at(signals: frozenset[str]) -> list[str]:
    """Return the kinds of site that give all of some signals."""
    return [kind for kind, given in GIVEN.items() if signals <= given]
