"""Weights permuted over a document's components: what attention has to beat (METHOD section 17)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.method.cases import Replay


@dataclass(frozen=True)
class Shuffled:
    """What permuted weights are, and what is decided with them.

    Attributes:
        weights: The weight of each component.
        replay: Runs what follows the site, with these weights.
    """

    weights: Float[Tensor, "batch components"]
    replay: Replay


Shuffle = Callable[[Int[Tensor, "batch components"]], Shuffled]


def through(shuffle: Shuffle, wrap: Callable[[Replay], Replay]) -> Shuffle:
    """Return what permutes weights in the same way, with its replays wrapped."""

    def wrapped(permutation: Int[Tensor, "batch components"]) -> Shuffled:
        found = shuffle(permutation)
        return replace(found, replay=wrap(found.replay))

    return wrapped
