"""Tables of the model card, in Markdown; views of a `Summary`, never a computation."""

from collections.abc import Sequence

from eraserhead.erasure.ranking_summaries import CurveSummary, Distribution
from eraserhead.erasure.summary import Agreement, Summary
from eraserhead.erasure.view import CEILING, CURVE_HEADINGS, called
from eraserhead.method.names import Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.publishing.data_names import source
from eraserhead.publishing.label_scores import label_rows
from eraserhead.showing.markdown_tables import markdown_table
from eraserhead.showing.terminal import NEVER, NONE, interval, percent

ORDER = "order of erasure"
FRACTIONS = (ORDER, "1st quartile", "median", "3rd quartile", "mean", "mean of flips", "n")
AGREEMENT = ("average precision", "AUC", "F1")
NOTHING_LEFT = {Outcome.BIAS_ONLY: "only when no attention is left"}


def fractions(summary: Summary) -> str:
    """Return the fraction of the components erased at the first flip, for each ranking."""
    rows = [[called(name), *_fractions(found.fraction)] for name, found in summary.rankings.items()]
    return markdown_table(FRACTIONS, rows)


def medians(summaries: Sequence[Summary]) -> str:
    """Return the medians of that fraction in several results beside each other, a row for each."""
    rankings = list(dict.fromkeys(name for summary in summaries for name in summary.rankings))
    rows = [
        [
            f"{summary.setup.site.site}, {source(summary.setup.data)}",
            summary.setup.site.components,
            f"{summary.documents.analysed:,}",
            *(_median(summary, name) for name in rankings),
        ]
        for summary in summaries
    ]
    return markdown_table(["site, data", "components", "documents", *map(called, rankings)], rows)


def outcomes(summary: Summary) -> str:
    """Return how often decisions flip, for each ranking."""
    headings = ["% of documents", *(NOTHING_LEFT.get(outcome, outcome.label) for outcome in Outcome)]
    rows = [
        [called(name), *(percent(found.share(outcome)) for outcome in Outcome)]
        for name, found in summary.rankings.items()
    ]
    return markdown_table(headings, rows)


def curves(summary: Summary) -> str | None:
    """Return what is read off the probabilities along each ranking; None where none were looked at.

    What no ranking has, such as NAOPC inside an encoder, has no column.
    """
    found = {name: ranking.curves for name, ranking in summary.rankings.items() if ranking.curves is not None}
    columns = [name for name in CURVE_HEADINGS if any(_measure(each, name).count for each in found.values())]
    rows = [[called(name), *(interval(_measure(each, column)) for column in columns)] for name, each in found.items()]
    return markdown_table([ORDER, *(CURVE_HEADINGS[name] for name in columns)], rows) if rows else None


def people(summary: Summary) -> str | None:
    """Return how well each ranking agrees with what people marked; None where nobody marked anything."""
    if summary.people is None:
        return None
    found = summary.people.rankings | ({} if summary.people.ceiling is None else {CEILING: summary.people.ceiling})
    return markdown_table(["", *AGREEMENT], [[called(name), *_agreement(each)] for name, each in found.items()])


def marked(summary: Summary) -> str | None:
    """Return how many documents people looked at, and how many people; None where nobody did."""
    if summary.people is None:
        return None
    return f"{summary.people.documents:,} documents, {summary.people.annotators:.3g} annotators of each on average"


def label_table(summary: Summary) -> str | None:
    """Return how often each label's state is right; None where the model does not decide label by label."""
    rows = label_rows(summary)
    return markdown_table(["label", "accuracy of its state"], rows) if rows else None


def _median(summary: Summary, ranking: str) -> str:
    found = summary.rankings.get(ranking)
    return NONE if found is None else interval(found.fraction.median, NEVER)


def _measure(found: CurveSummary, name: str) -> Estimate:
    return getattr(found, name)


def _agreement(found: Agreement) -> list[str]:
    return [interval(each) for each in (found.average_precision, found.auc, found.f1)]


def _fractions(found: Distribution) -> list[str]:
    quartiles = [interval(quartile, NEVER) for quartile in (found.q25, found.median, found.q75)]
    return [*quartiles, interval(found.mean), interval(found.mean_of_flips), str(found.mean_of_flips.count)]
