"""The answer of erasure results: the verdict, and one table; a view of a `Summary`, never a computation."""

from rich.console import Group, RenderableType
from rich.padding import Padding

from eraserhead.erasure.header import header
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.table import note, shown_measures, title
from eraserhead.erasure.verdict import fewest_sentence, verdict
from eraserhead.erasure.view import called
from eraserhead.showing.terminal import Grid, answer, literal, prose


def answer_view(summary: Summary) -> RenderableType:
    """Return what `eraserhead show` prints first: what was asked, the verdict, and a row for each ranking."""
    sentences = filter(None, (verdict(summary).sentence, fewest_sentence(summary)))
    return Group(
        *map(literal, header(summary)),
        *(answer(sentence) for sentence in sentences),
        *([Padding(_table(summary), (1, 0, 0, 0)), prose(note(summary), "dim")] if summary.rankings else []),
    )


def _table(summary: Summary) -> Grid:
    """Return a row for each ranking, in the order of the results."""
    measures = shown_measures(summary)
    table = Grid(title(summary), "ranking", *(measure.title(summary) for measure in measures))
    for name, ranking in summary.rankings.items():
        table.add_row(called(name), *(measure.text(ranking) for measure in measures))
    return table
