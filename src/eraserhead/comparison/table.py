"""The differences between results as a table: for pandas, notebooks and papers."""

from collections.abc import Iterator
from math import nan
from typing import TYPE_CHECKING, Any

from eraserhead.erasure.header import site_line
from eraserhead.erasure.view import called
from eraserhead.showing.escapes import latex
from eraserhead.showing.latex import latex_table
from eraserhead.showing.notebook import fragment, grid, paragraph
from eraserhead.showing.terminal import NONE, interval, percent

if TYPE_CHECKING:  # needed for annotations only
    from eraserhead.comparison.compared import Comparison, Difference

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
    "all of them (p < .05 after Holm's correction, signs of the documents' differences changed at random, and an "
    "interval without 0). A document that never flips counts as fraction 1."
)
TITLE = "Differences between results on the same documents"
HEADINGS = ("results", "ranking", "measure", "first", "second", "difference")
TEXTS = 3  # columns of them that name the rows


def difference_columns(comparison: "Comparison") -> dict[str, list[Any]]:
    """Return the columns of the differences: their fields, with the difference's interval and number of documents."""
    columns: dict[str, list[Any]] = {}
    for each in comparison.differences:
        row = {field: getattr(each, field) for field in ("first", "second", "ranking", "measure")}
        row |= {field: _number(getattr(each, field)) for field in ("of_first", "of_second")}
        estimate = each.difference
        ends = {"difference": estimate.value, "difference_low": estimate.low, "difference_high": estimate.high}
        row |= {name: _number(end) for name, end in ends.items()} | {"difference_documents": estimate.count}
        row |= {"p_value": _number(each.p_value), "corrected": _number(each.corrected)}
        for name, cell in row.items():
            columns.setdefault(name, []).append(cell)
    return columns


def says_something(difference: "Difference") -> bool:
    """Tell whether there is a number, and not an outcome that no document has in either result."""
    return difference.of_first is not None and (
        difference.measure != "bias_only" or difference.of_first != 0 or difference.of_second != 0
    )


def difference_cells(difference: "Difference") -> tuple[str, str, str]:
    """Return what people see of a difference: both means, and the difference with its interval and mark."""
    mark = " *" if difference.significant else ""
    return _mean(difference.of_first), _mean(difference.of_second), interval(difference.difference) + mark


def result_lines(comparison: "Comparison") -> Iterator[str]:
    """Yield a line on each of the results, and one on the documents that they share."""
    for each in comparison.results:
        yield f"{each.name}  {each.results}: {each.model} ({site_line(each.site)}), accuracy {percent(each.accuracy)} %"
    yield f"{comparison.documents:,} documents, {comparison.analysed:,} of two components or more in all results"


def comparison_html(comparison: "Comparison") -> str:
    """Return a comparison for a notebook."""
    return fragment(
        [
            *map(paragraph, result_lines(comparison)),
            grid(TITLE, HEADINGS, _rows(comparison), TEXTS),
            paragraph(NOTES, small=True),
        ]
    )


def comparison_latex(comparison: "Comparison", caption: str | None, label: str) -> str:
    """Return a comparison for a paper; the caption is LaTeX, by default what is compared."""
    lines = [f"{each.name}: {each.model}, site {each.site.site}, {each.data}" for each in comparison.results]
    said = f"{TITLE}. {'; '.join(lines)}; {comparison.analysed:,} documents. {NOTES}"
    return latex_table(HEADINGS, list(_rows(comparison)), latex(said) if caption is None else caption, label, TEXTS)


def _rows(comparison: "Comparison") -> Iterator[tuple[str, ...]]:
    for each in comparison.differences:
        if says_something(each):
            pair = f"{each.second} against {each.first}"
            yield pair, called(each.ranking), MEASURES[each.measure], *difference_cells(each)


def _number(value: float | None) -> float:
    return nan if value is None else value


def _mean(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"
