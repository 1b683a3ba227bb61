"""How permuted weights compare with random orders, beside the model's own weights (METHOD section 17)."""

from collections.abc import Iterator, Mapping

from eraserhead.erasure.advantages import ShuffledWeights
from eraserhead.erasure.flip_values import FlipValues, averager
from eraserhead.method.intervals import difference_of, share_of
from eraserhead.method.names import ATTENTION, RANDOM, SHUFFLED, SHUFFLED_RANDOM
from eraserhead.method.statistics import Estimate, compare

SHARES = ("fewer", "equal", "more")
NEEDED = frozenset({ATTENTION, RANDOM, SHUFFLED, SHUFFLED_RANDOM})


def shuffled_estimates(flips: Mapping[str, FlipValues]) -> Iterator[tuple[tuple[str, ...], Estimate]]:
    """Yield shares and advantages; nothing where weights were not permuted.

    Like is compared with like: the removals along permuted weights with those in a random order for the decision that
    the same permuted weights make, draw by draw; those along attention with each random order for the model's own.
    """
    if not flips.keys() >= NEEDED:
        return
    average = averager(flips[SHUFFLED].ids)
    permuted, own = (
        average(compare(flips[first].removed, flips[second].removed))
        for first, second in ((SHUFFLED, SHUFFLED_RANDOM), (ATTENTION, RANDOM))
    )
    for share, values in zip(SHARES, permuted.T, strict=True):
        yield (SHUFFLED, share), share_of(values)
    advantage, own_advantage = (shares[:, 0] - shares[:, 2] for shares in (permuted, own))
    yield (SHUFFLED, "advantage"), difference_of(advantage)
    yield (SHUFFLED, "own_advantage"), difference_of(own_advantage)
    yield (SHUFFLED, "difference"), difference_of(own_advantage - advantage, 2.0)


def shuffled_weights(
    flips: Mapping[str, FlipValues], means: Mapping[tuple[str, ...], Estimate]
) -> ShuffledWeights | None:
    """Return the comparison; None where weights were not permuted."""
    if not flips.keys() >= NEEDED:
        return None
    own = {key[1]: mean for key, mean in means.items() if key[0] == SHUFFLED}
    return ShuffledWeights(flips[SHUFFLED].removed.shape[1], **own)
