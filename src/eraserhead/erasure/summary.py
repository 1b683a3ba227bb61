"""The summary of erasure results: aggregates over documents, each with its interval; light imports alone."""

from dataclasses import dataclass
from typing import ClassVar

from eraserhead.data.provenance import Truncation
from eraserhead.erasure.advantages import RandomOrders, ShuffledWeights
from eraserhead.erasure.setup import ErasureRun, Setup
from eraserhead.method.names import Outcome
from eraserhead.method.statistics import Estimate

FEWEST_ORDINARY = 100  # documents; among fewer, none can lie beyond the 99th percentile of the others
BEYOND_ORDINARY = 99.0  # the percentile from which on what the head sees is out of the ordinary


@dataclass(frozen=True)
class Counts:
    """How many documents there are.

    Attributes:
        total: All documents.
        analysed: Those of two components or more; every aggregate is over these.
        without_components: Those without components, such as empty texts.
        with_one_component: Those with one component, so that there is nothing to compare.
        unlabelled: Those without a gold class.
        decided_otherwise_by_model: Those whose decision in the model's own precision differs from the one analysed.
        trained_on: Those analysed that the model was trained on; null where it is not known which it saw in training.
        validated_on: Those analysed that its best epoch was chosen with; null likewise.
    """

    total: int
    analysed: int
    without_components: int
    with_one_component: int
    unlabelled: int
    decided_otherwise_by_model: int
    trained_on: int | None = None
    validated_on: int | None = None

    @property
    def left_out(self) -> int:
        """Documents of fewer than two components."""
        return self.total - self.analysed

    @property
    def unseen(self) -> int:
        """Documents analysed that training did not see, as far as it is known."""
        return self.analysed - (self.trained_on or 0) - (self.validated_on or 0)


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
class HalfPrecision:
    """What half precision does to the model's decisions.

    Attributes:
        documents: How many were decided in float32 too: a random sample of those that the model reads any token of.
        otherwise: How many of them are decided otherwise there; of a model that decides label by label, those on which
            the state of any label differs.
    """

    documents: int
    otherwise: int


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


@dataclass(frozen=True)
class LabelScores:
    """How well a model decides that decides label by label, over the analysed documents whose labels are known.

    Attributes:
        cases: Number of documents and labels that the aggregates are made of; a document's are averaged first.
        accuracy: Share of the documents on which a label's state is right, by label.
        micro_f1: F1 of all labels' counts together.
        macro_f1: Mean of the labels' F1; 0 for a label that is neither there nor decided for.
    """

    cases: int
    accuracy: dict[str, Estimate]
    micro_f1: Estimate
    macro_f1: Estimate


@dataclass(frozen=True)
class Agreement:
    """How well an order of the components agrees with what people marked as evidence, over the documents with marks.

    Components without text of their own, such as [CLS], are left out. With several annotators, means over them.

    Attributes:
        average_precision: Mean, over the marked components, of the precision among those that come no later.
        auc: How often a marked component precedes another one.
        f1: F1 of the first components, as many as annotators mark on average, against the marked ones.
    """

    average_precision: Estimate
    auc: Estimate
    f1: Estimate


@dataclass(frozen=True)
class People:
    """Rankings against what people marked: whether they are plausible, which does not say whether they are faithful.

    Attributes:
        documents: Documents that somebody looked at.
        annotators: Mean number of annotators of these documents.
        rankings: Agreement by the name of the ranking.
        ceiling: Agreement of each annotator with each other; null without documents of several annotators.
    """

    documents: int
    annotators: float
    rankings: dict[str, Agreement]
    ceiling: Agreement | None


@dataclass(frozen=True, kw_only=True)
class Aggregates:
    """Everything that is computed from the tables of a folder of results.

    Attributes:
        documents: How many there are.
        truncation: How much of them was cut off.
        accuracy: Share of the labelled documents whose class is right; of a model that decides label by label, share of
            its labels whose state is.
        accuracy_unseen: The same over documents that training did not see; null where it is not known which it saw.
        yardstick: The ranking that `excess` and `optimal` compare with: the minimum, or the smallest set found.
        rankings: Test 2 by the name of the ranking.
        beyond_rankings: How often the best set found is smaller than that of every ranking; null where there is a
            minimum.
        pairs: All ordered pairs of rankings.
        tests: Test 1 by the name of the ranking.
        labels: Scores by label, of a model that decides label by label; else null.
        random_orders: How many random orders each document has, and what so few of them do.
        ordinary_documents: Documents that flips were compared with to tell which are out of the ordinary; 0 where that
            was not measured.
        shuffled: How permuted weights compare with random orders; null at sites that cannot permute them.
        largest_class: Share of the labelled documents that belong to the largest class: the accuracy of always deciding
            for it. Of a model that decides label by label, the share of states that are right if each label always has
            its more frequent one. Null where no document is labelled.
        people: Rankings against what people marked as evidence; null where nobody marked anything.
    """

    documents: Counts
    truncation: Truncation
    accuracy: Estimate
    accuracy_unseen: Estimate | None = None
    yardstick: str | None
    rankings: dict[str, RankingSummary]
    beyond_rankings: Estimate | None
    pairs: list[Pair]
    tests: dict[str, TestSummary]
    labels: LabelScores | None = None
    random_orders: RandomOrders | None = None
    ordinary_documents: int = 0
    shuffled: ShuffledWeights | None = None
    largest_class: Estimate | None = None
    people: People | None = None

    @property
    def fair_accuracy(self) -> Estimate:
        """The accuracy over documents that training did not see, as far as it is known; only this is published."""
        return self.accuracy if self.accuracy_unseen is None else self.accuracy_unseen

    def pair(self, first: str, second: str) -> Pair | None:
        """Return the comparison of two rankings; null where one of them is missing."""
        return next((pair for pair in self.pairs if (pair.first, pair.second) == (first, second)), None)


@dataclass(frozen=True, kw_only=True)
class Summary(Aggregates):
    """The aggregates, with all that is needed to compute them again.

    Attributes:
        setup: What determines them.
        run: How the analysis went.
        half_precision: What half precision does to decisions; null where the model is not in half precision.
    """

    FORMAT: ClassVar[int] = 7

    setup: Setup
    run: ErasureRun
    half_precision: HalfPrecision | None = None
