"""A comparison for the terminal; a view, never a computation."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from eraserhead.comparison.compared import Comparison
from eraserhead.comparison.table import MEASURES, NOTES, difference_cells, result_lines, says_something
from eraserhead.erasure.view import called
from eraserhead.showing.terminal import Grid, interval, literal

OTHER_UNITS = "The components are not of one kind ({units}): fractions compare, counts of components do not."
TAU = "Agreement of scores on documents with the same components, mean of Kendall's tau"


def comparison_view(comparison: Comparison) -> RenderableType:
    """Return everything that `eraserhead compare` prints."""
    lines = list(result_lines(comparison))
    if not comparison.same_units:
        units = ", ".join(f"{each.name}: {each.site.components}" for each in comparison.results)
        lines.append(OTHER_UNITS.format(units=units))
    tables = [*_differences(comparison), *_agreements(comparison)]
    return Group(*map(literal, lines), *(Padding(table, (1, 0, 0, 0)) for table in tables), Text(NOTES, style="dim"))


def _differences(comparison: Comparison) -> list[Grid]:
    tables = []
    for (first, second), found in groupby(comparison.differences, lambda each: (each.first, each.second)):
        table = Grid(f"{second} against {first}", "ranking", "measure", first, second, "difference")
        for ranking, own in groupby(found, lambda each: each.ranking):
            for row, each in enumerate(filter(says_something, own)):
                table.add_row("" if row else called(ranking), MEASURES[each.measure], *difference_cells(each))
            table.add_section()
        tables.append(table)
    return tables


def _agreements(comparison: Comparison) -> list[Grid]:
    table = Grid(TAU, "ranking", "results", "tau", "documents")
    for each in comparison.agreements:
        if each.tau.count:
            table.add_row(each.ranking, f"{each.first}, {each.second}", interval(each.tau), str(each.tau.count))
    return [table] if table.row_count else []
