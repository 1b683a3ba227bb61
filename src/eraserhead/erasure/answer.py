"""The answer of erasure results: the verdict, and one table; a view of a `Summary`, never a computation."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eraserhead.erasure.header import header
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.table import note, shown_measures, title
from eraserhead.erasure.verdict import fewest_sentence, verdict
from eraserhead.erasure.view import called
from eraserhead.showing.terminal import add_row, literal, new_table


def answer_view(summary: Summary) -> RenderableType:
    """Return what `eraserhead show` prints first: what was asked, the verdict, and a row for each ranking."""
    sentences = filter(None, (verdict(summary).sentence, fewest_sentence(summary)))
    return Group(
        *map(literal, header(summary)),
        *(Text(f"\n{sentence}", style="bold") for sentence in sentences),
        *([Padding(_table(summary), (1, 0, 0, 0)), Text(note(summary), style="dim")] if summary.rankings else []),
    )


def _table(summary: Summary) -> Table:
    """Return a row for each ranking, in the order of the results."""
    measures = shown_measures(summary)
    headings = [measure.title(summary) for measure in measures]
    table = new_table(title(summary), "ranking", *headings)
    for name, ranking in summary.rankings.items():
        add_row(table, called(name), *(measure.text(ranking) for measure in measures))
    return table
