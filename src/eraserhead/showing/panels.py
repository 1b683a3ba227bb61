"""Panels of lines with interval bands, their legends and captions; independent of results."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from eraserhead.showing.escapes import visible
from eraserhead.showing.figures import (
    BLACK,
    BLUE,
    GREEN,
    MARGIN,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    TEXT,
    VERMILION,
    WIDTH,
)

BAND, FAINT, MANY = 0.18, 0.08, 6  # opacity of a band, and where there are more than so many lines
LEGEND, LINE_HEIGHT = 1.25, 0.13  # inches: width of a legend beside panels, height of a line of text
CHARACTER, BOLD = 0.053, 0.072  # inches, mean width of a character of running text, and of a title
NAME = 24  # characters of a name in a legend
ALONE = 1.4  # times as wide is a panel that has none beside it
COLOURS = (BLACK, VERMILION, SKY_BLUE, BLUE, GREEN, ORANGE, PURPLE)
DASHES: tuple[Any, ...] = (":", "-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = (None, "o", "s", "^", "D", "v", "P")  # the first seven lines need none
# What a line is held against is drawn first, as a broad line, because others may cover it.
YARDSTICK: Mapping[str, Any] = {"color": "#BBBBBB", "linewidth": 4.0, "zorder": 1}

Looks = Mapping[str, Mapping[str, Any]]  # by the name of a line, matplotlib's words for how it is drawn


@dataclass(frozen=True)
class Line:
    """A line of a figure, with an interval at each point.

    Attributes:
        name: What it is called in the legend.
        x: Where its points are, ascending.
        value: Their heights; what is NaN is not drawn.
        low: Lower ends of their intervals; NaN where there is none.
        high: Upper ends.
        documents: How many documents each point is over.
    """

    name: str
    x: Float[np.ndarray, " points"]
    value: Float[np.ndarray, " points"]
    low: Float[np.ndarray, " points"]
    high: Float[np.ndarray, " points"]
    documents: Float[np.ndarray, " points"]


def looks(names: Iterable[str], yardsticks: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
    """Return how to draw each line, so that all differ in print too: by dashes and then by markers, not colour alone.

    Args:
        names: The lines, in the order of the legend.
        yardsticks: Those of them that others are held against.
    """
    others = [name for name in names if name not in yardsticks]
    rounds = product(range(len(MARKERS)), range(len(COLOURS)))
    styles = [
        {
            "color": COLOURS[place],
            "linestyle": DASHES[(place + turn) % len(DASHES)],
            "linewidth": 1.2,
            "marker": MARKERS[turn],
            "markersize": 3,
            "markevery": (0.05 * turn, 0.2),  # of the panel's diagonal
            "zorder": 2,
        }
        for (turn, place), _ in zip(rounds, others, strict=False)
    ]
    found = dict(zip(others, styles, strict=True))
    return {name: found.get(name, dict(YARDSTICK)) for name in names}


def draw_lines(panel: Axes, lines: Iterable[Line], styles: Looks, points: bool = False) -> None:
    """Draw lines with their bands.

    Args:
        panel: Where.
        lines: The lines.
        styles: How to draw each, by its name.
        points: Whether to mark the points, of lines that have few.
    """
    lines = list(lines)
    opacity = BAND if len(lines) <= MANY else FAINT
    for line in lines:
        style = dict(styles[line.name])
        marked = {"marker": style.get("marker") or "o", "markevery": 1, "markersize": 2.5} if points else {}
        panel.plot(line.x, line.value, **{**style, **marked})
        panel.fill_between(line.x, line.low, line.high, color=style["color"], alpha=opacity, linewidth=0, zorder=0)
    panel.grid(linewidth=0.3)
    panel.set_axisbelow(True)


def legend(figure: Figure, styles: Looks, names: Mapping[str, str], title: str) -> None:
    """Put a legend beside the panels.

    Args:
        figure: The figure.
        styles: How each line is drawn.
        names: What it is called, where that is not its name.
        title: Title of the legend.
    """
    handles = [
        Line2D([], [], label=shortened(visible(names.get(name, name)), NAME), **{**style, "markevery": None})
        for name, style in styles.items()
    ]
    figure.legend(
        handles=handles, loc="outside right center", frameon=False, title=title, alignment="left", handlelength=3.2
    )


def framed(
    panels: tuple[int, int],
    size: tuple[float, float],
    title: str,
    caption: Iterable[str],
    beside: float = LEGEND,
    sharex: bool = True,
    sharey: bool = True,
) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with a title above its panels and a caption below them, and the panels row by row.

    Args:
        panels: How many, and how many beside each other at most.
        size: Width and height of a panel in inches; panels are narrower where the page is too narrow for all.
        title: Title of the figure.
        caption: What is shown, a text for each line; longer ones are wrapped.
        beside: Room for a legend beside the panels, in inches.
        sharex: Whether the panels share their horizontal axis.
        sharey: Whether they share their vertical axis.
    """
    count, columns = panels[0], min(panels)
    rows = -(-count // columns)
    width = min(WIDTH, MARGIN + (columns if columns > 1 else ALONE) * size[0] + beside)
    lines = [line for text in caption for line in wrapped(text, width)]
    height = MARGIN + rows * size[1] + (1 + len(lines)) * LINE_HEIGHT
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.06))
    figure.suptitle("\n".join(wrapped(title, width, BOLD)), x=0.01, ha="left", fontsize=TEXT + 1, fontweight="bold")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", linespacing=1.35)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    for panel in axes[-1, columns - (rows * columns - count) :]:
        panel.set_axis_off()
    return figure, [list(row[: count - columns * number]) for number, row in enumerate(axes)]


def label(panels: Sequence[Sequence[Axes]], below: Sequence[str], beside: str) -> None:
    """Label the axes at the edge of the figure.

    Args:
        panels: The panels row by row; the last row may have fewer.
        below: Label of the horizontal axis of each column, or one for all.
        beside: Label of the vertical axes.
    """
    for row in panels:
        row[0].set_ylabel(beside)
    for column in range(len(panels[0])):
        lowest = [row for row in panels if column < len(row)][-1][column]
        lowest.set_xlabel(below[column % len(below)])
        lowest.xaxis.set_tick_params(labelbottom=True)


def wrapped(text: str, width: float, character: float = CHARACTER) -> list[str]:
    """Return the lines of a text that is at most so many inches wide; long names are broken."""
    return textwrap.wrap(visible(text), max(int(width / character), 8)) or [""]


def panel_title(panel: Axes, text: str, width: float) -> None:
    """Write a title above a panel of this width in inches; an empty one takes no room.

    Each of its lines is written in two at most, so that a long name, such as a path, leaves room for the panel.
    """
    if text:
        room = 2 * max(int(width / CHARACTER) - 2, 8)
        lines = [line for each in text.split("\n") for line in wrapped(shortened(visible(each), room), width)]
        panel.set_title("\n".join(lines), loc="left")


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; of a longer one the beginning and, more of it, the end."""
    if len(text) <= most:
        return text
    begin = most // 3
    return f"{text[:begin]}…{text[begin + 1 - most :]}"


def percent_axis(panel: Axes, highest: float) -> None:
    """Scale the vertical axis for shares, from 0 to the highest that is drawn."""
    panel.set_ylim(0, min(1.02, max(1.08 * highest, 0.05)))
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))


def extremes(lines: Iterable[Line]) -> tuple[float, float]:
    """Return the lowest and the highest number of lines and bands; 0 and 1 if there is none."""
    numbers = np.concatenate([[], *(np.concatenate([line.value, line.low, line.high]) for line in lines)])
    numbers = numbers[np.isfinite(numbers)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)
