"""The figures of a study, each saved with the numbers drawn; all numbers come from the cells' results."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from eraserhead.erasure.plotted import read_points
from eraserhead.erasure.scatter import DELTA_ATTENTION, DELTA_JS, SCATTER, counted, draw_points, scale
from eraserhead.erasure.view import called
from eraserhead.showing.figures import BLACK, BLUE, SKY_BLUE, Plate, drawn, numbers_table, share_axis, styled
from eraserhead.showing.panels import label
from eraserhead.showing.terminal import NONE
from eraserhead.study.cell_tables import (
    FRACTION,
    MASS,
    OURS,
    PAPER,
    QUANTILES,
    Box,
    ranking_names,
    read_boxes,
)
from eraserhead.study.cells import CellResults
from eraserhead.study.sheets import WIDTH, new_sheet

BINS = np.linspace(0, 1, 41).round(3)
QUANTILE_NAMES = [f"q{100 * quantile:02.0f}" for quantile in QUANTILES]
CONVENTIONS = {
    PAPER: Patch(
        facecolor="white",
        edgecolor=BLACK,
        hatch="//////",
        linewidth=0.5,
    ),
    OURS: Patch(
        facecolor=SKY_BLUE,
        edgecolor=BLACK,
        linewidth=0.5,
    ),
}
TITLES = {FRACTION: "How many components are erased", MASS: "How much attention is erased"}
AXIS_LABELS = {FRACTION: "fraction erased", MASS: "attention erased"}
HISTOGRAM = "da, dJS: as in the scatter. Each vertical axis is as high as its highest bar."
BOXES = (
    "Boxes: quartiles and median; whiskers: 5 % and 95 % of the documents; grey zone: decisions that never flip. "
    "Hatched: as in the paper, without documents that never flip, one random draw. Blue: ours, all documents and draws."
)


def draw_scatter(results: Sequence[CellResults], plate: Plate) -> None:
    """Draw dJS against da for every document of one data set's cells; no panel is one dot."""
    points = {found.cell.model: read_points(found.tables) for found in results}
    with styled():
        title = "Test 1: erasing the top component by attention against erasing another"
        sheet = new_sheet(results, title, SCATTER, height=1.5)
        scale(sheet.panels.values(), points.values())
        for model, own in points.items():
            draw_points(sheet.panels[model], own)
            sheet.title(model, counted(own))
        label(sheet.rows, [DELTA_ATTENTION if sheet.width > WIDTH else "da"], DELTA_JS)
        plate.save(sheet.figure)
    schema = pa.schema(
        [("model", pa.string()), ("id", pa.string()), ("delta_attention", pa.float64()), ("delta_js", pa.float64())]
    )
    plate.save_numbers(
        (
            pa.table([pa.array([model] * len(own.ids)), *vars(own).values()], schema.names)
            for model, own in points.items()
        ),
        schema,
    )


def draw_histogram(results: Sequence[CellResults], plate: Plate) -> None:
    """Draw the histogram of da over documents with dJS < 0."""
    rows = []
    with styled():
        title = "How much more the top component weighs where erasing it changes less (dJS < 0)"
        sheet = new_sheet(results, title, HISTOGRAM, height=1.2, sharey=False)
        for found in results:
            points = read_points(found.tables)
            counts = np.histogram(points.delta_attention[points.negative], BINS)[0]
            _bars(sheet.panels[found.cell.model], counts)
            sheet.title(found.cell.model, f"{counts.sum():,} of {len(points.ids):,} documents")
            rows += [(found.cell.model, *bar) for bar in zip(BINS[:-1], BINS[1:], counts, strict=True)]
        label(sheet.rows, ["da where dJS < 0"], "documents")
        plate.save(sheet.figure)
    schema = pa.schema(
        [("model", pa.string()), ("low", pa.float64()), ("high", pa.float64()), ("documents", pa.int64())]
    )
    plate.save_numbers([numbers_table(rows, schema)], schema)


def draw_boxes(results: Sequence[CellResults], plate: Plate, quantity: str) -> None:
    """Draw box plots of the fraction, or the mass, removed along each ranking, in both conventions."""
    rows = []
    with styled():
        title = f"{TITLES[quantity]} until the decision flips"
        sheet, names = new_sheet(results, title, BOXES, height=1.8), ranking_names(results)
        for found in results:
            boxes = read_boxes(found, quantity)
            for box in boxes:
                _box(sheet.panels[found.cell.model], box, names.index(box.ranking))
            rows += [(found.cell.model, *_box_numbers(box)) for box in boxes]
        for panel in sheet.panels.values():
            share_axis(panel)
            panel.set_xticks(range(len(names)), [called(name) for name in names], rotation=90)
        for model in sheet.panels:
            sheet.title(model, "")
        label(sheet.rows, [""], AXIS_LABELS[quantity])
        plate.save(sheet.figure)
    texts, numbers = ["model", "ranking", "convention"], [*QUANTILE_NAMES, "never"]
    schema = pa.schema([(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers])
    schema = schema.append(pa.field("documents", pa.int64()))
    plate.save_numbers([numbers_table(rows, schema)], schema)


def _bars(panel: Axes, counts: np.ndarray) -> None:
    panel.bar(BINS[:-1], counts, np.diff(BINS), align="edge", color=BLUE, edgecolor="white", linewidth=0.2)
    highest = max(int(counts.max()), 1)
    panel.set(xlim=(0, 1), xticks=[0, 0.5, 1], ylim=(0, 1.05 * highest), yticks=[0, highest])


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
