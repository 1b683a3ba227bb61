"""Erasure results for the terminal; a view of a `Summary`, never a computation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.padding import Padding

from eraserhead.erasure.conditions import ordinary_line
from eraserhead.erasure.config import CountNeverAs, RandomOther
from eraserhead.erasure.header import header
from eraserhead.erasure.ranking_summaries import Pair, RankingSummary
from eraserhead.erasure.summary import LabelScores, People, Summary
from eraserhead.erasure.verdict import caveats, verdict
from eraserhead.method.names import ATTENTION, BEST_FOUND, MINIMUM, RANDOM, Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import FEW_NOTE, NEVER, NONE, Grid, answer, interval, literal, percent, prose

MEANS: dict[CountNeverAs, str] = {
    "beyond_all": (
        "The mean counts a document that never flips as if everything had been erased; the mean of flips is over the n "
        "documents (for random, the draws) whose decision changes, whether or not attention is left."
    ),
    "all": "Means are over all documents, whether or not their decisions change.",
}
NOTES = (
    f"In brackets: 95 % intervals over documents. {FEW_NOTE} {{means}} JS: Jensen-Shannon divergence from the original "
    "distribution, in nats (0: nothing changes; 0.69: as much as can be); dJS: that of the top minus that of another "
    "component; spread: standard deviation over a document's random orders. As short: over the documents on which the "
    "smallest set flips. A document's random orders weigh together as one document. Untied: over the n documents on "
    "which the two differ."
)
NAMES = {BEST_FOUND: "upper bound"}  # of rankings in tables, where they differ from the results
LABELS = "Share of the documents on which a label's state is right"
OUTCOMES = "Outcome of erasing along a ranking, % of documents"
FRACTION = "Fraction of the {components} erased before the decision flips"
YARDSTICK_TITLES = {
    MINIMUM: "Against the exact minimum",
    BEST_FOUND: "Against the smallest set found, an upper bound of the minimum",
}
YARDSTICK_NOTES = {
    MINIMUM: "Minimum: no smaller set of weights flips the decision.",
    BEST_FOUND: "Upper bound: the smallest flipping set that was found, which may not be the smallest there is.",
}
SHUFFLED_TITLE = "Removals along the weights against those in random orders, % of documents"
SHUFFLED_NOTE = (
    "Shuffled: a document's weights permuted over its components; the decision that they make is erased along them."
)
PEOPLE = (
    "Apart from erasure: agreement with what is marked as evidence ({documents} documents, annotators of each: "
    "{annotators:.3g}); plausible is not faithful"
)
CEILING = "annotators with each other"
CURVES = "Probability of the decision along a ranking"
CURVE_HEADINGS = {
    "comprehensiveness": "lost by erasing",
    "sufficiency": "lost by keeping alone",
    "aopc": "AOPC",
    "naopc": "NAOPC",
}
CURVE_NOTES = (
    "Lost by erasing, by keeping alone: how much of its probability the decision loses when the first 1, 5, 10, 20 and "
    "50 % of the components are erased, or everything else, the mean of these (comprehensiveness, sufficiency); AOPC: "
    "the mean over every number of components erased; NAOPC: 0 where no sets of these sizes lose less, 1 where none "
    "lose more."
)
PAIRS = "Which ranking needs strictly fewer removals, % of documents"
TESTS: dict[RandomOther, str] = {
    "uniform": "Test 1: one weight erased, % of documents (exactly over all other components)",
    "position": "Test 1: one weight erased, % of documents (exactly over all positions but the first)",
}


def summary_view(summary: Summary) -> RenderableType:
    """Return everything that `eraserhead show` prints."""
    tables = (
        *([] if summary.labels is None else [_labels(summary.labels)]),
        _fractions(summary),
        _outcomes(summary.rankings),
        _yardstick(summary),
        _curves(summary.rankings),
        _pairs(summary.pairs),
        _shuffled(summary),
        _tests(summary),
        *([] if summary.people is None else [_people(summary.people)]),
    )
    return Group(
        *map(literal, header(summary)),
        *(Padding(table, (1, 0, 0, 0)) for table in tables if table.row_count),
        answer(verdict(summary).sentence),
        prose(_notes(summary), "dim"),
    )


def called(ranking: str) -> str:
    """Return the name of a ranking in tables."""
    return NAMES.get(ranking, ranking)


def _notes(summary: Summary) -> str:
    yardstick = [YARDSTICK_NOTES[BEST_FOUND]] if summary.yardstick == BEST_FOUND else []
    notes = NOTES.format(means=MEANS[summary.setup.count_never_as])
    curves = [CURVE_NOTES] if any(ranking.curves for ranking in summary.rankings.values()) else []
    shuffled = [] if summary.shuffled is None else [SHUFFLED_NOTE]
    said = [*yardstick, notes, ordinary_line(summary), *curves, *shuffled, *caveats(summary)]
    return " ".join(filter(None, said))


def _labels(labels: LabelScores) -> Grid:
    """Return the accuracy of each label's state; no rows where no labels are known."""
    table = Grid(LABELS, "label", "accuracy")
    for label, accuracy in labels.accuracy.items():
        if accuracy.value is not None:
            table.add_row(label, interval(accuracy))
    return table


def _fractions(summary: Summary) -> Grid:
    headings = ("lower quartile", "median", "upper quartile", "mean", "mean of flips", "attention erased, median")
    table = Grid(FRACTION.format(components=summary.setup.site.components), "ranking", *headings)
    for name, ranking in summary.rankings.items():
        fraction = ranking.fraction
        table.add_row(
            called(name),
            interval(_alone(fraction.q25), NEVER),
            interval(fraction.median, NEVER),
            interval(_alone(fraction.q75), NEVER),
            interval(fraction.mean),
            _counted(_alone(fraction.mean_of_flips)),
            interval(ranking.mass.median, NEVER),
        )
    return table


def _outcomes(rankings: Mapping[str, RankingSummary]) -> Grid:
    words = {Outcome.BIAS_ONLY: "no attention left" if BEST_FOUND in rankings else "bias only"}
    headings = [words.get(outcome, outcome.label) for outcome in Outcome]
    told = any(ranking.out_of_ordinary for ranking in rankings.values())
    table = Grid(
        OUTCOMES, "ranking", *headings, *["out of the ordinary, % of flips"] * told, "spread over random orders"
    )
    for name, ranking in rankings.items():
        shares = [percent(ranking.share(outcome)) for outcome in Outcome]
        beyond = [percent(ranking.out_of_ordinary) if ranking.out_of_ordinary else NONE] * told
        table.add_row(called(name), *shares, *beyond, interval(ranking.spread) if ranking.spread else "")
    return table


def _yardstick(summary: Summary) -> Grid:
    """Return how far each ranking is from the minimum, or from the best set found."""
    headings = ("ranking", "removals in excess, mean", "as short, % of documents")
    table = Grid(YARDSTICK_TITLES[summary.yardstick or MINIMUM], *headings)
    for name, ranking in summary.rankings.items():
        if ranking.excess is not None and ranking.optimal is not None:
            table.add_row(called(name), _counted(ranking.excess, 1), percent(ranking.optimal))
    return table


def _people(people: People) -> Grid:
    """Return how well each ranking agrees with what people marked, and how well people agree."""
    title = PEOPLE.format(documents=people.documents, annotators=people.annotators)
    table = Grid(title, "ranking", "average precision", "AUC", "F1")
    for name, found in people.rankings.items():
        table.add_row(called(name), *map(interval, (found.average_precision, found.auc, found.f1)))
    if people.ceiling is not None:
        found = people.ceiling
        table.add_row(CEILING, *map(interval, (found.average_precision, found.auc, found.f1)))
    return table


def _curves(rankings: Mapping[str, RankingSummary]) -> Grid:
    """Return what is read off the curves; no column of what no ranking has, such as NAOPC inside an encoder."""
    found = {name: ranking.curves for name, ranking in rankings.items() if ranking.curves is not None}
    columns = [name for name in CURVE_HEADINGS if any(getattr(each, name).count for each in found.values())]
    table = Grid(CURVES, "ranking", *(CURVE_HEADINGS[name] for name in columns))
    for ranking, each in found.items():
        width = each.naopc_width.value or 0.0
        cells = [interval(getattr(each, name)) for name in columns]
        cells[-1] += f" (certain within {width:.3f})" if width else ""
        table.add_row(called(ranking), *cells)
    return table


def _pairs(pairs: Sequence[Pair]) -> Grid:
    table = Grid(PAIRS, "first", "second", "first fewer", "equal", "second fewer", "first fewer, untied", "n")
    seen: set[frozenset[str]] = set()
    for pair in pairs:
        names = frozenset((pair.first, pair.second))
        if names not in seen:
            seen.add(names)
            shares = [percent(share) for share in (pair.fewer, pair.equal, pair.more)]
            untied = (percent(pair.fewer_untied), str(pair.fewer_untied.count))
            table.add_row(called(pair.first), called(pair.second), *shares, *untied)
    return table


def _shuffled(summary: Summary) -> Grid:
    """Return how attention, and shuffled weights, compare with random orders; no rows where none were shuffled."""
    table = Grid(SHUFFLED_TITLE, "weights", "fewer", "equal", "more", "fewer minus more")
    pair, shuffled = summary.pair(ATTENTION, RANDOM), summary.shuffled
    if pair is not None and shuffled is not None:
        own = (pair.fewer, pair.equal, pair.more, shuffled.own_advantage)
        permuted = (shuffled.fewer, shuffled.equal, shuffled.more, shuffled.advantage)
        table.add_row("the model's own", *map(percent, own))
        table.add_row("shuffled", *map(percent, permuted))
        table.add_row("difference", "", "", "", percent(shuffled.difference))
    return table


def _tests(summary: Summary) -> Grid:
    headings = ("top of", "erasing", "other flips", "other does not", "E[dJS], nats", "P(dJS < 0), %")
    table = Grid(TESTS[summary.setup.random_other], *headings)
    for name, test in summary.tests.items():
        exact = test.exact
        divergence = (interval(test.expected_delta_js, digits=4), percent(test.share_negative))
        table.add_row(name, "top flips", percent(exact.both_flip), percent(exact.top_alone_flips), *divergence)
        table.add_row("", "top does not", percent(exact.other_alone_flips), percent(exact.none_flips))
        table.add_section()
    return table


def _alone(estimate: Estimate) -> Estimate:
    """Return the estimate without its interval."""
    return replace(estimate, low=estimate.value, high=estimate.value)


def _counted(estimate: Estimate, digits: int = 3) -> str:
    counted = f" n={estimate.count}" if estimate.has_interval else ""
    return f"{interval(estimate, digits=digits)}{counted}"
