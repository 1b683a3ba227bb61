"""What the tests along rankings come to, each number with its interval; light imports alone."""

from dataclasses import dataclass
from typing import ClassVar

from eraserhead.method.names import Outcome
from eraserhead.method.statistics import Estimate


@dataclass(frozen=True)
class Distribution:
    """A quantity over documents: quartiles and means.

    Attributes:
        q25: First quartile; without a value where it falls among documents that never flip. All random draws of a
            document weigh together as one document.
        median: Likewise.
        q75: Likewise.
        mean: The mean over all documents, where one that never flips counts as if everything had been erased.
        mean_of_flips: The mean over the documents that flip, which are others for each ranking; its count tells how
            many they are.
    """

    q25: Estimate
    median: Estimate
    q75: Estimate
    mean: Estimate
    mean_of_flips: Estimate


@dataclass(frozen=True)
class CurveSummary:
    """The decision's probability along one ranking, with its first components erased, or alone kept.

    Attributes:
        comprehensiveness: Probability lost by erasing 1, 5, 10, 20 and 50 % of the components, their mean.
        sufficiency: Probability lost by keeping these alone, likewise.
        aopc: Mean probability lost over every number of components erased; no value where not every one was looked at.
        naopc: Where that lies between the smallest that sets of each size reach, 0, and the largest, 1; no value
            without a closed form.
        naopc_width: How far apart the values of `naopc` can be by what is certain; 0 with two classes.
        comprehensiveness_at: The five that `comprehensiveness` is the mean of, by their share.
        sufficiency_at: Likewise.
    """

    comprehensiveness: Estimate
    sufficiency: Estimate
    aopc: Estimate
    naopc: Estimate
    naopc_width: Estimate
    comprehensiveness_at: dict[str, Estimate]
    sufficiency_at: dict[str, Estimate]


@dataclass(frozen=True)
class RankingSummary:
    """Test 2 along one ranking.

    Attributes:
        outcomes: Share of the documents of each `Outcome`, by its label.
        fraction: Share of the components erased at the first flip.
        removed: Their number.
        mass: Their attention.
        excess: Removals in excess of the yardstick's, where both exist; null without a yardstick.
        optimal: Share of the documents on which there is no excess; null likewise.
        spread: For the random ranking, mean standard deviation of the fraction over a document's draws; else null.
        out_of_ordinary: Share of the flips at which the head sees what is further from the documents with nothing
            erased than 99 % of them are from each other (METHOD section 14); null where that was not measured.
        curves: Probabilities along the ranking; null for sets, and where nothing was looked at.
    """

    outcomes: dict[str, Estimate]
    fraction: Distribution
    removed: Distribution
    mass: Distribution
    excess: Estimate | None
    optimal: Estimate | None
    spread: Estimate | None
    out_of_ordinary: Estimate | None = None
    curves: CurveSummary | None = None

    def distribution(self, quantity: str) -> Distribution:
        """Return ``fraction``, ``removed`` or ``mass``."""
        return getattr(self, quantity)

    def share(self, outcome: Outcome) -> Estimate:
        """Return the share of the documents with this outcome."""
        return self.outcomes[outcome.label]


@dataclass(frozen=True)
class Pair:
    """Which of two rankings needs strictly fewer removals: shares of all documents.

    Attributes:
        first: Name of the first ranking.
        second: Name of the second.
        fewer: The first needs fewer.
        equal: Both need as many, or neither flips.
        more: The first needs more.
        fewer_untied: Share of the documents on which the two differ on which the first needs fewer; its count tells
            how many they are.
    """

    first: str
    second: str
    fewer: Estimate
    equal: Estimate
    more: Estimate
    fewer_untied: Estimate


@dataclass(frozen=True)
class SingleErasureTable:
    """Test 1's 2x2 table of a ranking's top and another component: shares of the documents.

    Attributes:
        both_flip: Erasing either flips the decision.
        top_alone_flips: Erasing the top does, erasing the other does not.
        other_alone_flips: The reverse.
        none_flips: Neither does.
    """

    both_flip: Estimate
    top_alone_flips: Estimate
    other_alone_flips: Estimate
    none_flips: Estimate


@dataclass(frozen=True)
class TestSummary:
    """Test 1 of one ranking.

    Attributes:
        exact: The 2x2 table as an expectation over all other components.
        drawn: The same for one drawn component.
        expected_delta_js: Divergence by erasing the top minus the exact mean by erasing another component, in nats.
        share_negative: Share of the other components that move the distribution further than the top.
        share_zero: Share of those that move it as far.
        delta_js: Divergence by erasing the top minus that by erasing the drawn component, in nats.
        delta_attention: Weight of the top minus that of the drawn component.
    """

    __test__: ClassVar[bool] = False  # pytest takes a class of this name for a test

    exact: SingleErasureTable
    drawn: SingleErasureTable
    expected_delta_js: Estimate
    share_negative: Estimate
    share_zero: Estimate
    delta_js: Estimate
    delta_attention: Estimate
