"""The summary of erasure results: aggregates over documents, each with its interval; light imports alone."""

from dataclasses import dataclass
from typing import ClassVar

from eraserhead.data.provenance import Truncation
from eraserhead.erasure.advantages import FewestRemovals, RandomOrders, ShuffledWeights
from eraserhead.erasure.ranking_summaries import Pair, RankingSummary, TestSummary
from eraserhead.erasure.setup import ErasureRun, Setup
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
        fewest: Which ranking needs the fewest removals, and which others cannot be told from it; null with one alone.
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
    fewest: FewestRemovals | None = None

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
