"""The heat map of an atlas: layers by heads, with the places that stand out marked."""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib
import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eraserhead.mapping.answer import standing_out
from eraserhead.mapping.summary import AtlasSummary, PlaceSummary
from eraserhead.method.statistics import Estimate
from eraserhead.showing.figures import BLACK, WIDTH, Plate, numbers_table, styled

WHOLE = "all"  # the column of all heads of a layer
GAP = 1  # columns between it and the heads
CELL, AROUND = 0.21, 1.1  # inches of a cell, and of what is above and below the cells
LEAST = 0.05  # to which the colours of the effects reach at least
COLOURS = 40  # of a scale: from 50 on matplotlib draws it as a bitmap, which a page may not show
NUMBERS = pa.schema(
    [
        ("layer", pa.int32()),
        ("head", pa.int32()),
        *((name, pa.float64()) for name in ("advantage", "whole_flips", "p_corrected")),
        ("stands_out", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class Panel:
    """One quantity of all places.

    Attributes:
        title: What it is.
        of: Returns it.
        colours: Name of the colours.
        limits: Returns the numbers at the two ends of the colours, from the largest number.
    """

    title: str
    of: Callable[[PlaceSummary], Estimate]
    colours: str
    limits: Callable[[float], tuple[float, float]]


PANELS = (
    Panel(
        "Flips along attention against random orders:\nfewer minus more removals, % of documents",
        lambda place: place.advantage,
        "PuOr",
        lambda largest: (-max(largest, LEAST), max(largest, LEAST)),
    ),
    Panel(
        "Decisions that flip when all attention\nof the place is erased, % of documents",
        lambda place: place.whole_flips,
        "cividis",
        lambda largest: (0.0, max(largest, LEAST)),
    ),
)


def draw_heat_map(summary: AtlasSummary, plate: Plate) -> None:
    """Draw all places, and save the numbers drawn."""
    layers, heads = summary.setup.layers, summary.setup.heads_of_layer if summary.setup.heads != "none" else 0
    with styled():
        figure = Figure(figsize=(WIDTH, AROUND + CELL * max(len(layers), 4)), layout="constrained")
        for axes, panel in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
            _draw(figure, axes, panel, summary, heads)
        differs = "attention differs from random orders (p < .05, Holm's correction over all places)"
        figure.supxlabel(f"dots: {differs}" if standing_out(summary) else f"at no place {differs}")
        plate.save(figure)
    out = standing_out(summary)
    rows = [
        (each.layer, each.head, each.advantage.value, each.whole_flips.value, each.corrected, each in out)
        for each in summary.places
    ]
    plate.save_numbers([numbers_table(rows, NUMBERS)], NUMBERS)


def _draw(figure: Figure, axes: Axes, panel: Panel, summary: AtlasSummary, heads: int) -> None:
    layers = summary.setup.layers
    cells = np.full((len(layers), 1 + (GAP + heads if heads else 0)), np.nan)
    for place in summary.places:
        value = panel.of(place).value
        cells[layers.index(place.layer), _column(place)] = np.nan if value is None else 100 * value
    low, high = panel.limits(float(np.nanmax(np.abs(cells), initial=0.0)) / 100)
    colours = matplotlib.colormaps[panel.colours].resampled(COLOURS)
    columns, rows = np.arange(cells.shape[1] + 1) - 0.5, np.arange(len(layers) + 1) - 0.5
    image = axes.pcolormesh(columns, rows, np.ma.masked_invalid(cells), cmap=colours, vmin=100 * low, vmax=100 * high)
    marked = standing_out(summary)
    axes.plot(
        [_column(place) for place in marked],
        [layers.index(place.layer) for place in marked],
        linestyle="none",
        marker="o",
        markersize=4,
        markerfacecolor="white",
        markeredgecolor=BLACK,
        markeredgewidth=0.7,
    )
    axes.set_title(panel.title)
    axes.set_ylabel("layer")
    _ticks(axes, layers, heads)
    figure.colorbar(image, ax=axes, shrink=0.9)


def _ticks(axes: Axes, layers: tuple[int, ...], heads: int) -> None:
    step = 1 + heads // 17
    numbers = range(0, heads, step)
    axes.set_xticks([0, *(1 + GAP + head for head in numbers)], [WHOLE, *map(str, numbers)])
    axes.set_xlabel("head" if heads else "all heads of a layer")
    rows = range(0, len(layers), 1 + len(layers) // 33)
    axes.set_yticks(list(rows), [str(layers[row]) for row in rows])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _column(place: PlaceSummary) -> int:
    return 0 if place.head is None else 1 + GAP + place.head
