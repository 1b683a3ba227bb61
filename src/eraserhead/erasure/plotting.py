"""The figures of erasure results: of one, or of several side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eraserhead.erasure.plotted import KEPT, REMOVED, Plotted, curve_lines, extra_lines, flipped_lines, read_points
from eraserhead.erasure.scatter import DELTA_ATTENTION, DELTA_JS, SCATTER, counted, draw_points, scale
from eraserhead.erasure.table import about, yardstick_name
from eraserhead.erasure.view import called
from eraserhead.errors import UserError, nearest
from eraserhead.method.names import YARDSTICKS
from eraserhead.showing.escapes import visible
from eraserhead.showing.figures import Drawing, numbers_table, styled
from eraserhead.showing.panels import (
    Line,
    Looks,
    draw_lines,
    extremes,
    framed,
    label,
    legend,
    looks,
    panel_title,
    percent_axis,
)

SIZE, COLUMNS = (2.6, 2.1), 3  # inches of a panel; most panels beside each other
BANDS = "Bands: 95 % intervals over documents."
FLIPPED = "documents whose decision has flipped"
WORDS = {REMOVED: "erased", KEPT: "kept alone"}
LINE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("results", "ranking", "quantity")]
    + [(name, pa.float64()) for name in ("x", "value", "low", "high")]
    + [("documents", pa.int64())]
)
POINT_SCHEMA = pa.schema(
    [("results", pa.string()), ("id", pa.string()), ("delta_attention", pa.float64()), ("delta_js", pa.float64())]
)


class NothingToDrawError(UserError):
    """The results have no numbers for a figure."""


@styled()
def draw_flips(results: Sequence[Plotted]) -> Drawing:
    """Draw the share of the documents whose decision has flipped, against the share of the components erased."""
    lines = {each.name: flipped_lines(each) for each in results}
    styles = _rankings(lines, "no document of two components or more")
    title = f"How soon decisions flip as {_units(results)} are erased along each ranking"
    figure, panels = _grid(title, results, _titled(results, lines), styles)
    _fit_shares(panels, results, lines.values())
    return Drawing("flips", figure, _numbers(lines, "flipped"))


@styled()
def draw_curves(results: Sequence[Plotted]) -> Drawing:
    """Draw the mean probability of the decision with a share of the components erased, and with them alone kept."""
    found = {each.name: curve_lines(each) for each in results}
    lines = {name: [*curves[REMOVED], *curves[KEPT]] for name, curves in found.items()}
    styles = _rankings(lines, "the results have no curves along rankings")
    figure, panels = framed(
        (len(WORDS) * len(results), len(WORDS)),
        SIZE,
        f"Probability of the decision with {_units(results)} erased along each ranking, and with them alone kept",
        [*_about(results), BANDS],
    )
    low, high = extremes(chain(*lines.values()))
    most = max(line.x[-1] for line in chain(*lines.values()))
    for each, row in zip(results, panels, strict=True):
        for which, panel in zip(WORDS, row, strict=True):
            draw_lines(panel, found[each.name][which], styles, points=each.summary.setup.curves == "fractions")
            panel_title(panel, _heading(each, results), SIZE[0])
            panel.set(xlim=(0, most), ylim=(max(low - 0.03, 0), min(high + 0.03, 1.02)))
            panel.xaxis.set_major_formatter(PercentFormatter(1.0))
    label(
        panels,
        [f"share of the {_units(results)} {words}" for words in WORDS.values()],
        "mean probability of the decision",
    )
    legend(figure, styles, _called(styles), "ranking")
    tables = [_numbers({name: own[which] for name, own in found.items()}, WORDS[which]) for which in WORDS]
    return Drawing("curves", figure, pa.concat_tables(tables))


@styled()
def draw_minimum(results: Sequence[Plotted]) -> Drawing:
    """Draw how many components each ranking erases beyond the smallest flipping set: the distribution of their number.

    At 0 the height is the share of the documents on which a ranking is as short.
    """
    lines = {each.name: extra_lines(each) for each in results}
    styles = _rankings(lines, "the results have no minimum, and no smallest set found")
    smallest = " or the ".join(dict.fromkeys(yardstick_name(each.summary) for each in results))
    title = f"How many more {_units(results)} than the {smallest} each ranking erases"
    figure, panels = _grid(title, results, _titled(results, lines), styles)
    most = max(*(line.x[-1] for line in chain(*lines.values())), 1)
    ticks = [0, *(10**power for power in range(7) if 10**power <= most)]
    for panel in chain(*panels):
        panel.set_xscale("symlog", linthresh=1, linscale=0.5)
        panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        panel.set_xticks([], minor=True)
        panel.set_xlim(0, most)
        percent_axis(panel, 1.0)
    label(panels, [f"{_units(results)} beyond the {smallest}, at most"], "documents, cumulative")
    return Drawing("minimum", figure, _numbers(lines, "extra"))


@styled()
def draw_scatter(results: Sequence[Plotted]) -> Drawing:
    """Draw test 1 of the top component by attention against another one, a point for each document."""
    points = {each.name: read_points(each.tables) for each in results}
    if all(why := [found.why_no_scatter for found in points.values()]):
        raise NothingToDrawError(f"scatter: {why[0]}")
    title = "Test 1: does erasing the component with the most attention change more than erasing another?"
    figure, panels = framed((len(results), COLUMNS), SIZE, title, [*_about(results), SCATTER], beside=0.0)
    used = list(chain(*panels))
    scale(used, points.values())
    for each, panel in zip(results, used, strict=True):
        draw_points(panel, points[each.name])
        panel_title(panel, "\n".join(filter(None, [_heading(each, results), counted(points[each.name])])), SIZE[0])
    label(panels, [DELTA_ATTENTION], DELTA_JS)
    tables = [
        pa.table([pa.array([name] * len(found.ids)), *vars(found).values()], POINT_SCHEMA.names).cast(POINT_SCHEMA)
        for name, found in points.items()
    ]
    return Drawing("scatter", figure, pa.concat_tables(tables))


@styled()
def draw_rankings(results: Sequence[Plotted]) -> Drawing:
    """Draw a panel for each ranking that all results have: how soon decisions flip along it in each of them."""
    found = {each.name: {line.name: line for line in flipped_lines(each)} for each in results}
    shared = [ranking for ranking in next(iter(found.values())) if all(ranking in own for own in found.values())]
    if len(results) < 2 or not shared:
        raise NothingToDrawError("rankings: this takes two results or more that have a ranking in common")
    lines = {ranking: [replace(own[ranking], name=name) for name, own in found.items()] for ranking in shared}
    title = "How soon decisions flip along the same ranking in each of the results"
    titled = [(called(ranking), own) for ranking, own in lines.items()]
    figure, panels = _grid(title, results, titled, looks(found), "results")
    _fit_shares(panels, results, lines.values())
    drawn = {name: [own[ranking] for ranking in shared] for name, own in found.items()}
    return Drawing("rankings", figure, _numbers(drawn, "flipped"))


FIGURES: dict[str, Callable[[Sequence[Plotted]], Drawing]] = {
    "flips": draw_flips,
    "curves": draw_curves,
    "minimum": draw_minimum,
    "scatter": draw_scatter,
    "rankings": draw_rankings,
}


def draw(name: str, results: Sequence[Plotted]) -> Drawing:
    """Draw one of `FIGURES`.

    Raises:
        UserError: There is none of this name.
        NothingToDrawError: The results have no numbers for it.
    """
    if name not in FIGURES:
        raise UserError(f"figure {name!r}: the figures are {', '.join(FIGURES)}{nearest(name, FIGURES)}")
    return FIGURES[name](results)


def _grid(
    title: str,
    results: Sequence[Plotted],
    titled: Sequence[tuple[str, Sequence[Line]]],
    styles: Looks,
    of: str = "ranking",
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with a titled panel for each list of lines."""
    figure, panels = framed((len(titled), COLUMNS), SIZE, title, [*_about(results), BANDS])
    used = list(chain(*panels))
    for panel, (words, lines) in zip(used, titled, strict=True):
        draw_lines(panel, lines, styles)
        panel_title(panel, words, SIZE[0])
    legend(figure, styles, _called(styles), of)
    return figure, panels


def _rankings(lines: Mapping[str, Sequence[Line]], why: str) -> Looks:
    """Return how each ranking of any results is drawn; the yardsticks come last in the legend.

    Raises:
        NothingToDrawError: There is no line.
    """
    names = dict.fromkeys(line.name for line in chain(*lines.values()))
    if not names:
        raise NothingToDrawError(why)
    return looks(sorted(names, key=YARDSTICKS.__contains__), YARDSTICKS)


def _called(names: Iterable[str]) -> dict[str, str]:
    return {name: called(name) for name in names}


def _titled(results: Sequence[Plotted], lines: Mapping[str, Sequence[Line]]) -> list[tuple[str, Sequence[Line]]]:
    return [(_heading(each, results), lines[each.name]) for each in results]


def _heading(each: Plotted, results: Sequence[Plotted]) -> str:
    """Return the title of the panel of some results; nothing where there are no others."""
    return f"{visible(each.name)} (n = {each.summary.documents.analysed:,})" if len(results) > 1 else ""


def _fit_shares(panels: Sequence[Sequence[Axes]], results: Sequence[Plotted], lines: Iterable[Sequence[Line]]) -> None:
    """Scale the axes for shares of documents against shares of components."""
    highest = extremes(chain(*lines))[1]
    for panel in chain(*panels):
        panel.set_xlim(0, 1)
        panel.xaxis.set_major_formatter(PercentFormatter(1.0))
        percent_axis(panel, highest)
    label(panels, [f"share of the {_units(results)} erased"], FLIPPED)


def _units(results: Sequence[Plotted]) -> str:
    """Return what components are in the results: tokens, words, or both."""
    return " or ".join(dict.fromkeys(each.summary.setup.site.components for each in results))


def _about(results: Sequence[Plotted]) -> Iterator[str]:
    """Yield what the results are of, a line each: the model, the site, the data and how many documents."""
    for each in results:
        named = f"{each.name}: " if len(results) > 1 and each.name != each.summary.setup.model.name else ""
        yield f"{named}{about(each.summary)}."


def _numbers(lines: Mapping[str, Sequence[Line]], quantity: str) -> pa.Table:
    """Return the points of each result's lines, one below the other."""
    rows = [
        (name, line.name, quantity, *point)
        for name, own in lines.items()
        for line in own
        for point in zip(line.x, line.value, line.low, line.high, line.documents, strict=True)
    ]
    return numbers_table(rows, LINE_SCHEMA)
