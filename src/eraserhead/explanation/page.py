"""The page on which one erases with one's own hands, made of decisions; nothing is computed here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eraserhead.erasure.header import header, site_line
from eraserhead.erasure.verdict import caveats, fewest_sentence, verdict
from eraserhead.erasure.view import called
from eraserhead.errors import Job, UserError
from eraserhead.explanation.decision_numbers import CLOSED_FORM_ELSEWHERE, DecisionNumbers
from eraserhead.explanation.packing import packed
from eraserhead.method.cases import STATES
from eraserhead.method.names import RANDOM, YARDSTICKS
from eraserhead.showing.html import data, page

if TYPE_CHECKING:  # needed for annotations only
    from eraserhead.erasure.summary import Summary
    from eraserhead.explanation.explained import Explanation

PACKAGE, TEMPLATE = "eraserhead.explanation", "template.html"
NAMES = ("A", "B")  # of results side by side
KEYWORD = 11  # characters of the keyword in front of a line of a header


@dataclass(frozen=True, eq=False)
class PageResults:
    """Results on a page.

    Attributes:
        facts: What was analysed: a keyword and what is said under it, each.
        sentences: The verdict, and what else may be said, first.
        notes: What has to be known to read the numbers.
        classes: Names of the classes that the decisions are numbered by.
        unit: What components are: ``tokens``, ``words`` or ``sentences``.
        decisions: The decisions.
        total: Documents of the results, of which the page may have fewer.
        by_hand: Why components cannot be erased by hand on this page; empty where they can.
    """

    facts: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    classes: tuple[str, ...]
    unit: str
    decisions: Sequence[DecisionNumbers]
    total: int
    by_hand: str = ""


def of_summary(summary: "Summary", decisions: Sequence[DecisionNumbers], by_hand: str) -> PageResults:
    """Return results on a page, with the sentences in which `eraserhead show` tells of them."""
    setup = summary.setup
    return PageResults(
        facts=tuple((line[:KEYWORD].strip(), line[KEYWORD:]) for line in header(summary)),
        sentences=tuple(filter(None, (verdict(summary).sentence, fewest_sentence(summary)))),
        notes=caveats(summary),
        classes=setup.model.classes if setup.site.targets is None else STATES,
        unit=setup.site.components,
        decisions=decisions,
        total=summary.documents.total,
        by_hand=by_hand,
    )


def explanation_page(explanation: "Explanation") -> str:
    """Return the page of one explained decision, as HTML.

    Raises:
        UserError: It has no numbers, as an explanation has that `explain` did not make.
    """
    numbers, site = explanation.numbers, explanation.site
    if numbers is None:
        raise UserError("this explanation has no numbers for a page; take one that ", Job("explain"), " returns")
    facts = {"model": explanation.model, "site": site_line(site).removeprefix("site: ")}
    results = PageResults(
        facts=tuple((keyword, said) for keyword, said in facts.items() if said is not None),
        sentences=(),
        notes=(),
        classes=tuple(explanation.probabilities),
        unit=site.components,
        decisions=(numbers,),
        total=1,
        by_hand=CLOSED_FORM_ELSEWHERE if numbers.affine is None else "",
    )
    return "".join(results_page([results], "eraserhead: one decision"))


def results_page(results: Sequence[PageResults], title: str) -> Iterator[str]:
    """Yield the parts of the page of results; of two, a document's decisions stand side by side."""
    blocks: dict[str, str] = {}
    for name, each in zip(NAMES, results, strict=False):
        blocks |= packed(each.decisions, f"{name}-")
    about = [_about(name, each) for name, each in zip(NAMES, results, strict=False)]
    return page(PACKAGE, TEMPLATE, title, {"about": data(about), "blocks": blocks})


def _about(name: str, results: PageResults) -> Mapping[str, Any]:
    rankings = results.decisions[0].rankings if results.decisions else ()
    return {
        "name": name,
        "facts": results.facts,
        "sentences": results.sentences,
        "notes": results.notes,
        "classes": results.classes,
        "unit": results.unit,
        "total": results.total,
        "byHand": results.by_hand,
        "rankings": [
            {
                "name": ranking.name,
                "called": called(ranking.name),
                "kind": _kind(ranking.name),
            }
            for ranking in rankings
        ],
    }


def _kind(ranking: str) -> str:
    """Return whether a ranking is drawn at random, the smallest set, or one of those that scores order."""
    return "random" if ranking == RANDOM else "smallest" if ranking in YARDSTICKS else "scored"
