"""The numbers of one decision from which a page shows what erasing does to it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int32

from eraserhead.method.names import RANDOM, YARDSTICKS

Key = tuple[str, str | None]  # a document, and the label that is decided on; null where a model decides among classes
CLOSED_FORM_ELSEWHERE = (
    "This is not an attention-pooling layer, so erasures have no closed form: the page shows those that were computed, "
    "and words cannot be erased by hand."
)


@dataclass(frozen=True, eq=False)
class AffineNumbers:
    """What an affine head decides one document from: with any components erased, it can be decided again.

    With the components of S kept, the logits are ``sum_S a_i u_i / sum_S a_i + b``, or ``b`` where S weighs nothing.

    Attributes:
        weights: ``a_i``.
        logits: ``u_i``, without the bias.
        bias: ``b``.
    """

    weights: Float[np.ndarray, " components"]
    logits: Float[np.ndarray, "components classes"]
    bias: Float[np.ndarray, " classes"]


@dataclass(frozen=True, eq=False)
class LimitNumbers:
    """Between which probabilities of the decision all sets of a size lie, entry k with k components erased.

    With two classes some sets reach them.

    Attributes:
        lower: None is smaller.
        upper: None is larger.
    """

    lower: Float[np.ndarray, " sizes"]
    upper: Float[np.ndarray, " sizes"]


@dataclass(frozen=True, eq=False)
class CurveNumbers:
    """Probability of the decision along a ranking, a mean over draws where there are several.

    Attributes:
        k: How many components are erased at each step.
        probability: The probability at each.
    """

    k: Int[np.ndarray, " steps"]
    probability: Float[np.ndarray, " steps"]


@dataclass(frozen=True)
class FlipNumbers:
    """The first flip along one order.

    Attributes:
        removed: Components erased; null where nothing flips.
        mass: Their attention; null likewise.
        outcome: Name of the outcome.
        percentile: See the column of that name in ``flips``.
    """

    removed: int | None
    mass: float | None
    outcome: str
    percentile: float | None = None


@dataclass(frozen=True, eq=False)
class RankingNumbers:
    """Erasing along one ranking.

    Attributes:
        name: Its name.
        order: Components in the order of erasure; of `random` the first draw's.
        flips: The first flip of each draw; one where nothing is drawn.
        scores: Score of each component; null for orders that come from no scores.
        curve: The probability along it; null where it was not looked at.
    """

    name: str
    order: Int[np.ndarray, " components"]
    flips: tuple[FlipNumbers, ...]
    scores: Float[np.ndarray, " components"] | None = None
    curve: CurveNumbers | None = None

    @property
    def removed(self) -> float | None:
        """Components erased at the first flip, mean over the draws that flip; null where none does."""
        found = [flip.removed for flip in self.flips if flip.removed is not None]
        return sum(found) / len(found) if found else None

    @property
    def percentile(self) -> float | None:
        """Largest percentile of its flips; null where none has one."""
        return max((flip.percentile for flip in self.flips if flip.percentile is not None), default=None)

    @property
    def is_ranking(self) -> bool:
        """Whether it orders components by scores: no shuffle, and no smallest set."""
        return self.name not in (RANDOM, *YARDSTICKS)


@dataclass(frozen=True, eq=False)
class SingleNumbers:
    """What erasing each component alone does.

    Attributes:
        decision: The class decided for.
        js: Jensen-Shannon divergence from the original distribution, in nats.
    """

    decision: Int32[np.ndarray, " components"]
    js: Float[np.ndarray, " components"]


@dataclass(frozen=True, eq=False)
class DecisionNumbers:
    """One decision: a document, or a label of a document, and what erasing does to it.

    Classes are numbered as the head numbers them; of a label's state 0 is off and 1 is on.

    Attributes:
        id: Id of the document.
        target: The label whose state is decided; null for a model that decides among its classes.
        text: The cleaned text.
        label: The gold class, where it is known.
        decision: The class decided for.
        probabilities: Probability of each class.
        names: Each component as the tokenizer or the text writes it.
        starts: Offset of each component's first character; null where the tokenizer gives none.
        ends: Offset behind its last character; null likewise.
        truncated: Tokens that the model did not see.
        percentile: See the column of that name in ``documents``.
        rankings: Erasing along each ranking; the yardstick is the last one.
        singles: Erasing each component alone.
        affine: What an affine head decides from; null where there is none, or its model is not there.
        limits: The exact limits of all sets; null likewise.
    """

    id: str
    target: str | None
    text: str
    label: int | None
    decision: int
    probabilities: tuple[float, ...]
    names: list[str]
    starts: Int[np.ndarray, " components"] | None
    ends: Int[np.ndarray, " components"] | None
    truncated: int
    percentile: float | None
    rankings: tuple[RankingNumbers, ...]
    singles: SingleNumbers
    affine: AffineNumbers | None = None
    limits: LimitNumbers | None = None

    @property
    def key(self) -> Key:
        """Its document and label."""
        return self.id, self.target
