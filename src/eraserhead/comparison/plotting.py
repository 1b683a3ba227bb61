"""The figure of a comparison: each difference with its interval."""

from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
from matplotlib.axes import Axes

from eraserhead.comparison.table import MEASURES, difference_columns, says_something
from eraserhead.erasure.view import called
from eraserhead.errors import UserError
from eraserhead.showing.figures import BLACK, Drawing, styled
from eraserhead.showing.panels import LEGEND, framed, legend, looks, panel_title

if TYPE_CHECKING:  # needed for annotations only
    from eraserhead.comparison.compared import Comparison, Difference

SIZE, COLUMNS, ROW = 2.0, 3, 0.2  # inches: width of a panel; most beside each other; height of a ranking in one
SPREAD = 0.5  # of a ranking's height, over which several pairs are spread
CAPTION = (
    "Difference of the second from the first, document by document, with 95 % intervals; hollow: does not stand out."
)


@styled()
def draw_differences(comparison: "Comparison") -> Drawing:
    """Draw a panel for each measure: the differences along each ranking, of each pair of results.

    Raises:
        UserError: No difference has a number.
    """
    told = [each for each in comparison.differences if says_something(each)]
    if not told:
        raise UserError("no difference between these results has a number: there is nothing to draw")
    rankings = list(dict.fromkeys(each.ranking for each in told))
    pairs = list(dict.fromkeys(_pair(each) for each in told))
    measures = [name for name in MEASURES if any(each.measure == name for each in told)]
    named = [f"{each.name}: {each.model}, site {each.site.site}; {each.data}." for each in comparison.results]
    caption = [*named, f"{comparison.analysed:,} documents of two components or more. {CAPTION}"]
    size = SIZE, 0.5 + ROW * len(rankings)
    beside = LEGEND if len(pairs) > 1 else 0.0
    title = "Differences between results on the same documents"
    title += f": {pairs[0]}" if len(pairs) == 1 else ""
    figure, panels = framed((len(measures), COLUMNS), size, title, caption, beside, sharex=False)
    styles = {
        name: {**look, "linestyle": "-", "marker": "osD^vPX"[place % 7]}
        for place, (name, look) in enumerate(looks(pairs).items())
    }
    for measure, panel in zip(measures, chain(*panels), strict=True):
        panel.axvline(0, color=BLACK, linewidth=0.5)
        panel_title(panel, MEASURES[measure], size[0])
        for each in told:
            if each.measure == measure:
                place = rankings.index(each.ranking) + SPREAD * ((pairs.index(_pair(each)) + 0.5) / len(pairs) - 0.5)
                _draw(panel, each, place, styles[_pair(each)])
        panel.set_yticks(range(len(rankings)), [called(name) for name in rankings])
        panel.set_ylim(len(rankings) - 0.4, -0.6)
        panel.grid(axis="x", linewidth=0.3)
    if len(pairs) > 1:
        legend(figure, styles, {}, "results")
    return Drawing("differences", figure, pa.table(difference_columns(comparison)))


def _draw(panel: Axes, difference: "Difference", place: float, look: dict) -> None:
    estimate, colour = difference.difference, look["color"]
    if estimate.value is None:
        return
    if estimate.low is not None and estimate.high is not None:
        panel.hlines(place, estimate.low, estimate.high, color=colour, linewidth=1.0)
    face = colour if difference.significant else "white"
    panel.plot(
        estimate.value, place, marker=look["marker"], markersize=4, color=colour, markerfacecolor=face, linestyle="none"
    )


def _pair(difference: "Difference") -> str:
    return f"{difference.second} against {difference.first}"
