"""One explained decision in a card: its text, what flips it, and whether a picture of it can be drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

from eraserhead.explanation.explained import Explanation
from eraserhead.explanation.picture import is_drawable
from eraserhead.explanation.view import explained_headings, explained_rows
from eraserhead.method.names import BEST_FOUND, YARDSTICKS
from eraserhead.showing.escapes import markdown
from eraserhead.showing.markdown_tables import markdown_table

OPEN, CLOSE = "⟦", "⟧"  # around the smallest set, as `explain` prints it


@dataclass(frozen=True)
class Decision:
    """What a card says of one decision.

    Attributes:
        text: The text, escaped, with marks around the smallest set that flips the decision.
        said: What is decided, and what the marks mean.
        table: What each ranking erases until the decision flips.
        drawn: Whether a picture can show it.
    """

    text: str
    said: str
    table: str
    drawn: bool


def told(explanation: Explanation) -> Decision:
    """Return what a card says of a decision."""
    return Decision(
        text="".join(_marked(explanation)),
        said=_said(explanation),
        table=_table(explanation),
        drawn=is_drawable(explanation),
    )


def _marked(explanation: Explanation) -> Iterator[str]:
    text, position = explanation.text, 0
    for word in explanation.words:
        if word.end <= word.start:
            continue
        yield _escaped(text[position : word.start])
        written = _escaped(text[word.start : word.end])
        yield f"{OPEN}{written}{CLOSE}" if word.erased else written
        position = word.end
    yield _escaped(text[position:])


def _escaped(passage: str) -> str:
    """Return a passage on one line; white space at its ends becomes one space."""
    inner = markdown(" ".join(passage.split()))
    if not inner:
        return " " if passage else ""
    return f"{' ' * passage[0].isspace()}{inner}{' ' * passage[-1].isspace()}"


def _said(explanation: Explanation) -> str:
    probability = explanation.probabilities[explanation.decision]
    target = "" if explanation.target is None else f"on {markdown(explanation.target)}: "
    decided = f"It decides {target}**{markdown(explanation.decision)}** (probability {probability:.2f})."
    least = next((each for each in explanation.rankings if each.ranking in YARDSTICKS), None)
    if least is None or least.removed is None:
        return f"{decided} No set was found whose erasure flips this decision."
    what = "the smallest set found" if least.ranking == BEST_FOUND else "the smallest set"
    becomes = f" to {markdown(least.becomes)}" if least.becomes else ""
    of = f"{least.removed:g} of {explanation.components} {explanation.site.components}"
    return f"{decided} {OPEN}…{CLOSE}: {what} whose erasure flips the decision{becomes} ({of})."


def _table(explanation: Explanation) -> str:
    headings = ("order of erasure", *explained_headings(explanation)[1:])
    rows = [(name, *numbers, markdown(becomes)) for name, *numbers, becomes in explained_rows(explanation)]
    return markdown_table(headings, rows)
