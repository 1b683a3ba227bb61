"""What may be said about a model's attention: the one rule behind every sentence about it (METHOD section 17)."""

from dataclasses import dataclass
from enum import StrEnum

from eraserhead.erasure.advantages import ShuffledWeights
from eraserhead.erasure.ranking_summaries import Pair
from eraserhead.erasure.summary import Aggregates
from eraserhead.method.names import ATTENTION, BEST_FOUND, MINIMUM, PRODUCT, RANDOM, Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import interval, percent

SIGNIFICANT = 0.05
MOST = 0.5
FEWEST_DOCUMENTS = 10  # of fewer, the rule below would give too many false verdicts


class VerdictKind(StrEnum):
    """What is said about attention, or why nothing is."""

    MORE = "more"  # attention has more of an advantage over random orders than shuffled weights have
    LESS = "less"  # it has less of one
    SAME = "same"  # the two cannot be told apart
    NO_BASELINE = "no_baseline"  # weights cannot be shuffled at the site
    CHANCE_LEVEL = "chance_level"  # the model does not decide better than by its largest class
    TOO_FEW = "too_few"  # fewer than `FEWEST_DOCUMENTS`
    NOTHING = "nothing"  # no document has two components


NO_VERDICT = (VerdictKind.NO_BASELINE, VerdictKind.CHANCE_LEVEL, VerdictKind.TOO_FEW, VerdictKind.NOTHING)


@dataclass(frozen=True)
class Verdict:
    """What is said about a model's attention.

    Attributes:
        kind: The verdict.
        sentence: What was measured, the verdict first.
        documents: Number of documents that it rests on.
        difference: Attention's advantage over random orders minus that of shuffled weights; null where not measured.
    """

    kind: VerdictKind
    sentence: str
    documents: int
    difference: Estimate | None

    @property
    def given(self) -> bool:
        """Whether anything is said about attention beyond what was measured."""
        return self.kind not in NO_VERDICT


def why_none(summary: Aggregates) -> VerdictKind | None:
    """Return why nothing may be said about a model's attention, whatever was measured; None where something may.

    A model decides better than by its largest class if the whole interval of its accuracy is above that class's share.
    Where no document is labelled, that is not known, and not asked for.
    """
    if not summary.documents.analysed:
        return VerdictKind.NOTHING
    if summary.documents.analysed < FEWEST_DOCUMENTS:
        return VerdictKind.TOO_FEW
    low, largest = summary.accuracy.low, summary.largest_class
    if low is not None and largest is not None and largest.value is not None and low <= largest.value:
        return VerdictKind.CHANCE_LEVEL
    return None


def verdict(summary: Aggregates) -> Verdict:
    """Return the verdict on attention."""
    pair, shuffled, documents = summary.pair(ATTENTION, RANDOM), summary.shuffled, summary.documents.analysed
    difference = None if shuffled is None else shuffled.difference
    if pair is None or pair.fewer.value is None:
        nothing = "No document has two components or more: there is nothing to compare."
        return Verdict(VerdictKind.NOTHING, nothing, documents, None)
    kind = why_none(summary) or _compared(shuffled)
    parts = (_said(kind, summary), _measured(pair, shuffled), _as_short(summary), unmoved(summary))
    return Verdict(kind, " ".join(filter(None, parts)), documents, difference)


def fewest_sentence(summary: Aggregates) -> str:
    """Return which ranking needs the fewest removals, as far as it may be said; nothing where it may not."""
    fewest = summary.fewest
    if fewest is None or why_none(summary) is not None:
        return ""
    alike = [rival.ranking for rival in fewest.rivals if rival.p_value is None or rival.p_value >= SIGNIFICANT]
    beaten = [rival for rival in fewest.rivals if rival.ranking not in alike]
    said = f"Of the {len(fewest.rivals) + 1} rankings, {fewest.ranking} needs the fewest removals"
    if beaten:
        nearest = min(beaten, key=lambda rival: rival.advantage.value or 0.0)
        called = f"{nearest.ranking}{', the nearest,' if len(beaten) > 1 else ''}"
        said += f": fewer than {called} by {percent(nearest.advantage)} points"
        said += " (share of documents with fewer, less that with more)"
    if alike:
        said += f"{';' if beaten else ', but'} {' and '.join(alike)} cannot be told from it"
    return f"{said}."


def unmoved(summary: Aggregates) -> str:
    """Return on how many documents the decision does not depend on the attention; nothing where that is not for most.

    It is said where the whole interval of the share of documents on which nothing flips is above `MOST`: of those of
    the smallest set that exists, or that was found, else along attention.
    """
    along = summary.yardstick if summary.yardstick in summary.rankings else ATTENTION
    share = summary.rankings[along].share(Outcome.NEVER)
    if share.low is None or share.low <= MOST or why_none(summary) is not None:
        return ""
    tried = "" if along == MINIMUM else ", in any order tried,"
    return (
        f"On {percent(share)} % of documents, no amount of attention erased at this site{tried} changes the decision."
    )


def caveats(summary: Aggregates) -> tuple[str, ...]:
    """Return what has to be known to read the numbers, a sentence each."""
    said = [
        "Erasure tests reliance on weights, not on words: a token's neighbours carry it upwards.",
        "Counts of tokens, words and sentences do not compare.",
    ]
    if summary.yardstick == MINIMUM:
        said.append("Smallest sets are not unique: the mass of the one found is not the least.")
        said.append("Bias only is a property of the head's bias.")
        if PRODUCT in summary.rankings:
            said.append("Product needs fewer removals than attention almost by construction here.")
    return tuple(said)


def _compared(shuffled: ShuffledWeights | None) -> VerdictKind:
    if shuffled is None:
        return VerdictKind.NO_BASELINE
    low, high = shuffled.difference.low, shuffled.difference.high
    if low is not None and low > 0:
        return VerdictKind.MORE
    return VerdictKind.LESS if high is not None and high < 0 else VerdictKind.SAME


def _said(kind: VerdictKind, summary: Aggregates) -> str:
    if kind is VerdictKind.TOO_FEW:
        count = summary.documents.analysed
        few = "1 document is" if count == 1 else f"{count} documents are"
        return f"No verdict on attention: {few} too few, it takes {FEWEST_DOCUMENTS}."
    if kind is VerdictKind.CHANCE_LEVEL:
        largest = summary.largest_class
        assert largest is not None
        return (
            f"No verdict on attention: the model's accuracy, {interval(summary.accuracy)}, is not above what its "
            f"largest class alone gives, {largest.value:.3f}."
        )
    return {
        VerdictKind.MORE: "Attention has more of an advantage over random orders than shuffled weights have.",
        VerdictKind.LESS: "Attention has less of an advantage over random orders than shuffled weights have.",
        VerdictKind.SAME: "Attention's advantage over random orders is not distinguishable from shuffled weights' own.",
        VerdictKind.NO_BASELINE: "No verdict on attention: weights cannot be shuffled at this site, and those are what "
        "it has to beat.",
    }[kind]


def _measured(pair: Pair, shuffled: ShuffledWeights | None) -> str:
    own = (
        f"Along attention, decisions flip with fewer removals than in random orders on {percent(pair.fewer)} % of "
        f"documents, with as many on {percent(pair.equal)} %, with more on {percent(pair.more)} %"
    )
    if shuffled is None:
        return f"{own}."
    return (
        f"{own}; with a document's weights shuffled, on {percent(shuffled.fewer)}, {percent(shuffled.equal)} and "
        f"{percent(shuffled.more)} %. The difference between the two advantages, fewer minus more, is "
        f"{percent(shuffled.difference)} points."
    )


def _as_short(summary: Aggregates) -> str:
    optimal = summary.rankings[ATTENTION].optimal
    if optimal is None or optimal.value is None:
        return ""
    found = summary.yardstick == BEST_FOUND
    yardstick = "the smallest set found, an upper bound of the minimum," if found else "the exact minimum"
    return f"Along attention the set is as short as {yardstick} on {percent(optimal)} %."
