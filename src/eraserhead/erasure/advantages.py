"""What attention is held against: random orders, and shuffled weights (METHOD section 17); light imports alone."""

from dataclasses import dataclass

from eraserhead.method.statistics import Estimate


@dataclass(frozen=True)
class RandomOrders:
    """The random orders of each document.

    Attributes:
        count: How many there are.
        widening: By what share so few of them widen an interval at most, against endlessly many: the interval of the
            mean fraction erased at random (never counts as all), or of the share of documents on which a ranking needs
            fewer removals than random, less that on which it needs more. Null with one order, or where the documents
            differ no more than their orders do.
    """

    count: int
    widening: float | None


@dataclass(frozen=True)
class ShuffledWeights:
    """What attention has to beat: a document's weights permuted over its components (METHOD section 17).

    Permuted weights make a decision of their own, which is erased along them, and in a random order. An advantage over
    random orders is the share of the documents with fewer removals, less that with more.

    Attributes:
        count: How many times each document's weights are permuted.
        fewer: Share of the documents on which erasing along permuted weights needs fewer removals than at random.
        equal: As many.
        more: More.
        advantage: The advantage of permuted weights.
        own_advantage: That of the model's own weights, for its own decision.
        difference: The latter minus the former, document by document.
    """

    count: int
    fewer: Estimate
    equal: Estimate
    more: Estimate
    advantage: Estimate
    own_advantage: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Rival:
    """How the ranking with the fewest removals compares with another one, document by document.

    Attributes:
        ranking: The other ranking.
        advantage: Share of the documents on which it needs more removals, less the share on which it needs fewer.
        p_value: Two-sided, by Holm's correction over all others; null where no document differs.
    """

    ranking: str
    advantage: Estimate
    p_value: float | None


@dataclass(frozen=True)
class FewestRemovals:
    """The ranking along which the smallest share of the components has to be erased, on average.

    Attributes:
        ranking: Its name.
        rivals: All other rankings.
    """

    ranking: str
    rivals: tuple[Rival, ...]
