"""What attention's advantage over random orders is held against (METHOD section 17); light imports alone."""

from dataclasses import dataclass

from eraserhead.method.statistics import Estimate


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
