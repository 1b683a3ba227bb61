"""The card's section on what the attention is worth, in Markdown: the same in cards of models and of data sets."""

from collections.abc import Sequence
from typing import Any

from eraserhead.erasure.conditions import seen_in_training
from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.header import LABELS_NOTE, site_line
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.verdict import caveats
from eraserhead.erasure.view import CURVE_NOTES, MEANS, SHUFFLED_NOTE, YARDSTICK_NOTES
from eraserhead.explanation.explained import Explanation
from eraserhead.method.names import TOKENS
from eraserhead.publishing.card_tables import curves, fractions, label_table, marked, medians, outcomes, people
from eraserhead.publishing.data_names import describe
from eraserhead.publishing.decision_section import told
from eraserhead.publishing.label_scores import accuracy_text
from eraserhead.publishing.layout import FIGURE, PAGE, PICTURE, places
from eraserhead.publishing.own_section import HEADING, between_markers
from eraserhead.publishing.told import answer, further_rankings, ordinary
from eraserhead.showing.templates import template
from eraserhead.showing.terminal import FEW_NOTE

PACKAGE, TEMPLATE = "eraserhead.publishing", "attention.md.j2"
NEVERS: dict[CountNeverAs, str] = {  # by the option that says how a document that never flips is counted
    "beyond_all": "`never`: the decision does not flip, however much is erased.",
    "all": "A decision that never flips counts here as one that flips when everything is erased.",
}


def attention_section(
    summaries: Sequence[Summary],
    texts: bool,
    page: bool,
    explained: Sequence[Explanation] = (),
    unmeasured: str = "",
    files: Sequence[str] = (),
) -> str:
    """Return the section between its markers.

    Args:
        summaries: The results; the first in full, the others in a table.
        texts: Whether the documents' texts are published.
        page: Whether the page is published on which one erases words by hand.
        explained: Decisions on texts of the publisher's, of which the first is shown.
        unmeasured: What is said where there are no results.
        files: The files that are pushed with it.
    """
    decision = told(explained[0]) if explained else None
    section = template(PACKAGE, TEMPLATE).render(
        heading=HEADING,
        summary=next(iter(summaries), None),
        unmeasured=unmeasured,
        texts=texts,
        figure=FIGURE if summaries and summaries[0].rankings else None,
        several=_several(summaries),
        decision=decision,
        picture=PICTURE if decision and decision.drawn else None,
        page=PAGE if page else None,
        page_of_examples=bool(explained),
        **({} if not summaries else _first(summaries[0])),
    )
    return between_markers(section.rstrip("\n"), files)


def _first(summary: Summary) -> dict[str, Any]:
    setup = summary.setup
    notes = (
        LABELS_NOTE if summary.labels else None,
        YARDSTICK_NOTES.get(summary.yardstick or ""),
        NEVERS[setup.count_never_as],
        MEANS[setup.count_never_as],
        FEW_NOTE,
        ordinary(summary),
        SHUFFLED_NOTE if summary.shuffled else None,
        CURVE_NOTES if any(ranking.curves for ranking in summary.rankings.values()) else None,
        *caveats(summary),
    )
    return {
        "answer": answer(summary),
        "further": further_rankings(summary),
        "site": site_line(setup.site),
        "documents": f"{summary.documents.analysed:,} documents",
        "evaluated": describe(setup.data),
        "fractions": fractions(summary),
        "outcomes": outcomes(summary),
        "curves": curves(summary),
        "people": people(summary),
        "marked": marked(summary),
        "notes": " ".join(filter(None, notes)),
        "components": "tokens (word pieces)" if setup.site.components == TOKENS else setup.site.components,
        "accuracy": accuracy_text(summary),
        "labels": label_table(summary),
        "seen": seen_in_training(summary.documents),
    }


def _several(summaries: Sequence[Summary]) -> dict[str, Any] | None:
    """Return the results beside each other; null where there are not several."""
    if len(summaries) < 2:
        return None
    return {
        "table": medians(summaries),
        "results": [
            {
                "place": place,
                "site": site_line(summary.setup.site).removeprefix("site: "),
                "answer": answer(summary),
                "figure": f"{place}{FIGURE}" if summary.rankings else None,
            }
            for summary, place in zip(summaries[1:], places(summaries)[1:], strict=True)
        ],
    }
