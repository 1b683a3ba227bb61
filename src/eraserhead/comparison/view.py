"""A comparison for the terminal; a view, never a computation."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from eraserhead.comparison.compared import Comparison, Difference
from eraserhead.erasure.header import site_line
from eraserhead.erasure.view import called
from eraserhead.showing.terminal import NONE, Grid, interval, literal, percent

MEASURES = {
    "fraction": "fraction erased until the decision flips",
    "flip": "share that flip with some left",
    "bias_only": "share that flip with nothing left",
    "never": "share that never flip",
    "aopc": "AOPC",
    "naopc": "NAOPC",
}
NOTES = (
    "Differences are second minus first, document by document, with 95 % intervals; * marks those that stand out among "
    "all of them (p < .05 after Holm's correction; signs of the documents' differences changed at random). A document "
    "that never flips counts as fraction 1."
)
OTHER_UNITS = "The components are not of one kind ({units}): fractions compare, counts of components do not."
TAU = "Agreement of scores on documents with the same components, mean of Kendall's tau"


def comparison_view(comparison: Comparison) -> RenderableType:
    """Return everything that `eraserhead compare` prints."""
    lines = [
        f"{each.name}  {each.results}: {each.model} ({site_line(each.site)}), accuracy {percent(each.accuracy)} %"
        for each in comparison.results
    ]
    lines.append(
        f"{comparison.documents:,} documents, {comparison.analysed:,} of two components or more in all results"
    )
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
            for row, each in enumerate(each for each in own if _says_something(each)):
                mark = " *" if each.significant else ""
                numbers = (_number(each.of_first), _number(each.of_second), interval(each.difference) + mark)
                table.add_row("" if row else called(ranking), MEASURES[each.measure], *numbers)
            table.add_section()
        tables.append(table)
    return tables


def _agreements(comparison: Comparison) -> list[Grid]:
    table = Grid(TAU, "ranking", "results", "tau", "documents")
    for each in comparison.agreements:
        if each.tau.count:
            table.add_row(each.ranking, f"{each.first}, {each.second}", interval(each.tau), str(each.tau.count))
    return [table] if table.row_count else []


def _says_something(difference: Difference) -> bool:
    """Tell whether there is a number, and not an outcome that no document has in either result."""
    return difference.of_first is not None and (
        difference.measure != "bias_only" or difference.of_first != 0 or difference.of_second != 0
    )


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
