"""The figures of a study, each saved with the numbers drawn; all numbers come from the cells' results."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from eraserhead.erasure.view import called
from eraserhead.showing.figures import BLACK, BLUE, SKY_BLUE, VERMILION, Plate, drawn, numbers_table, share_axis, styled
from eraserhead.showing.terminal import NONE
from eraserhead.study.cell_tables import (
    FRACTION,
    MASS,
    OURS,
    PAPER,
    QUANTILES,
    Box,
    Points,
    ranking_names,
    read_boxes,
    read_points,
)
from eraserhead.study.cells import CellResults
from eraserhead.study.sheets import Sheet, new_sheet

LINEAR = 1e-5  # the axis of dJS is linear up to here and logarithmic beyond
POWERS = {-0.1: "-0.1", -1e-3: "-0.001", -LINEAR: "-0.00001", 0: "0", LINEAR: "0.00001", 1e-3: "0.001", 0.1: "0.1"}
BINS = np.linspace(0, 1, 41).round(3)
QUANTILE_NAMES = [f"q{100 * quantile:02.0f}" for quantile in QUANTILES]
CONVENTIONS = {
    PAPER: Patch(
        facecolor="white",
        edgecolor=BLACK,
        hatch="//////",
        linewidth=0.5,
        label="as in the paper: without documents that never flip; one random draw",
    ),
    OURS: Patch(
        facecolor=SKY_BLUE,
        edgecolor=BLACK,
        linewidth=0.5,
        label="ours: all documents; all random draws",
    ),
}
AXIS_LABELS = {FRACTION: "fraction of the components removed", MASS: "share of the attention removed"}


def draw_scatter(results: Sequence[CellResults], plate: Plate) -> None:
    """Draw dJS against da for every document of one data set's cells."""
    schema = pa.schema(
        [("model", pa.string()), ("id", pa.string()), ("delta_attention", pa.float64()), ("delta_js", pa.float64())]
    )
    with styled():
        sheet = new_sheet([found.cell.model for found in results], height=1.4)
        for panel in sheet.panels.values():
            panel.axhline(0, color=BLACK, linewidth=0.5)
            panel.set_yscale("symlog", linthresh=LINEAR)
            panel.set_yticks(list(POWERS), list(POWERS.values()))
            panel.set_yticks([], minor=True)
            panel.set(xlim=(-0.02, 1.02), xticks=[0, 0.5, 1], ylim=(-2, 5e3))  # dJS <= ln 2; the counts are above
        plate.save_numbers(_scattered(results, sheet), schema)
        sheet.figure.supxlabel("da: attention weight of the top component minus that of the other component")
        sheet.figure.supylabel("dJS, nats")
        plate.save(sheet.figure)


def draw_histogram(results: Sequence[CellResults], plate: Plate) -> None:
    """Draw the histogram of da over documents with dJS < 0."""
    rows = []
    with styled():
        sheet = new_sheet([found.cell.model for found in results], height=1.15, sharey=False)
        for found in results:
            points = read_points(found)
            counts = np.histogram(points.delta_attention[points.negative], BINS)[0]
            _bars(sheet.panels[found.cell.model], counts, f"{counts.sum():,} of {len(points.ids):,}")
            rows += [(found.cell.model, *bar) for bar in zip(BINS[:-1], BINS[1:], counts, strict=True)]
        sheet.figure.supxlabel("da where dJS < 0")
        sheet.figure.supylabel("documents")
        plate.save(sheet.figure)
    schema = pa.schema(
        [("model", pa.string()), ("low", pa.float64()), ("high", pa.float64()), ("documents", pa.int64())]
    )
    plate.save_numbers([numbers_table(rows, schema)], schema)


def draw_boxes(results: Sequence[CellResults], plate: Plate, quantity: str) -> None:
    """Draw box plots of the fraction, or the mass, removed along each ranking, in both conventions."""
    rows = []
    with styled():
        sheet, names = new_sheet([found.cell.model for found in results], height=1.7), ranking_names(results)
        for found in results:
            boxes = read_boxes(found, quantity)
            for box in boxes:
                _box(sheet.panels[found.cell.model], box, names.index(box.ranking))
            rows += [(found.cell.model, *_box_numbers(box)) for box in boxes]
        for panel in sheet.panels.values():
            share_axis(panel)
            panel.set_xticks(range(len(names)), [called(name) for name in names], rotation=90)
        sheet.figure.supylabel(AXIS_LABELS[quantity])
        sheet.figure.legend(handles=list(CONVENTIONS.values()), loc="outside lower center", ncols=1, frameon=False)
        plate.save(sheet.figure)
    texts, numbers = ["model", "ranking", "convention"], [*QUANTILE_NAMES, "never"]
    schema = pa.schema([(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers])
    schema = schema.append(pa.field("documents", pa.int64()))
    plate.save_numbers([numbers_table(rows, schema)], schema)


def _scattered(results: Sequence[CellResults], sheet: Sheet) -> Iterator[pa.Table]:
    """Draw each cell's points, and yield them as a table."""
    for found in results:
        points, panel = read_points(found), sheet.panels[found.cell.model]
        _dots(panel, points, ~points.negative, BLUE, "o")
        _dots(panel, points, points.negative, VERMILION, "v")
        below, none = int(points.negative.sum()), int(points.zero.sum())
        counts = f"<0: {below:,}   =0: {none:,}\n>0: {len(points.ids) - below - none:,}"
        panel.text(0.5, 0.97, counts, transform=panel.transAxes, ha="center", va="top")
        columns = {"id": points.ids, "delta_attention": points.delta_attention, "delta_js": points.delta_js}
        yield pa.table({"model": [found.cell.model] * len(points.ids), **columns})


def _dots(panel: Axes, points: Points, chosen: np.ndarray, colour: str, marker: str) -> None:
    panel.plot(
        points.delta_attention[chosen],
        points.delta_js[chosen],
        linestyle="none",
        marker=marker,
        markersize=2,
        markeredgewidth=0,
        color=colour,
        alpha=0.6,
        rasterized=True,
    )


def _bars(panel: Axes, counts: np.ndarray, text: str) -> None:
    panel.bar(BINS[:-1], counts, np.diff(BINS), align="edge", color=BLUE, edgecolor="white", linewidth=0.2)
    panel.text(0.97, 0.95, text, transform=panel.transAxes, ha="right", va="top")
    highest = max(int(counts.max()), 1)
    panel.set(xlim=(0, 1), xticks=[0, 0.5, 1], ylim=(0, 1.3 * highest), yticks=[0, highest])


def _box(panel: Axes, box: Box, place: int) -> None:
    """Draw a box at its ranking's place, the paper's to the left of ours; a dash if there is no box."""
    position = place + (0.2 if box.convention == OURS else -0.2)
    if box.quantiles is None:
        panel.text(position, 0.02, NONE, ha="center", va="bottom")
        return
    numbers: dict[str, float] = dict(zip(("whislo", "q1", "med", "q3", "whishi"), drawn(box.quantiles), strict=True))
    patch = CONVENTIONS[box.convention]
    panel.bxp(
        [numbers],
        positions=[position],
        widths=0.32,
        patch_artist=True,
        showfliers=False,
        manage_ticks=False,
        boxprops={"facecolor": patch.get_facecolor(), "hatch": patch.get_hatch(), "linewidth": 0.5},
        medianprops={"color": BLACK, "linewidth": 1.4},
        whiskerprops={"linewidth": 0.5},
        capprops={"linewidth": 0.5},
    )


def _box_numbers(box: Box) -> tuple[str | float | None, ...]:
    quantiles = box.quantiles or (None,) * len(QUANTILES)
    return (box.ranking, box.convention, *quantiles, box.never, box.documents)
