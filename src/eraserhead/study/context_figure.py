"""The context figure: which numbers change as the encoder mixes more context (none, conv, rnn, transformer)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes

from eraserhead.method.names import ATTENTION, GRADIENT, MINIMUM, PRODUCT
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import CONTEXTS
from eraserhead.showing.escapes import visible
from eraserhead.showing.figures import BLUE, VERMILION, Plate, drawn, new_figure, numbers_table, share_axis, styled
from eraserhead.study.cells import ARCHITECTURES, CellResults, ends, known

COLOURS: dict[str, str] = dict(zip(ARCHITECTURES, (BLUE, VERMILION), strict=True))
LINES: dict[str, dict[str, Any]] = {
    architecture: {"color": colour, "marker": marker, "linestyle": style}
    for (architecture, colour), marker, style in zip(COLOURS.items(), ("o", "s"), ("-", "--"), strict=True)
}


@dataclass(frozen=True)
class Quantity:
    """A number of each cell that is drawn along the context axis.

    Attributes:
        title: What it is.
        label: The same, split into the lines of an axis label.
        of: Returns the number for a cell; null if the cell has none.
        percent: Whether it is a share of documents, shown in percent; else it is a fraction of the components, which
            may be larger than everything.
    """

    title: str
    label: str
    of: Callable[[CellResults], Estimate | None]
    percent: bool = True


def _median_fraction(ranking: str) -> Callable[[CellResults], Estimate | None]:
    return lambda cell: (found := cell.ranking(ranking)) and known(found.fraction.median)


def _fewer_than_attention(ranking: str) -> Quantity:
    def fewer(cell: CellResults) -> Estimate | None:
        pair = cell.summary.pair(ranking, ATTENTION)
        return pair and known(pair.fewer)

    return Quantity(
        f"{ranking} needs fewer removals than attention, %",
        f"{ranking} fewer\nthan attention,\n% of documents",
        fewer,
    )


QUANTITIES = (
    Quantity(
        "median fraction removed along attention",
        "fraction removed\nalong attention,\nmedian",
        _median_fraction(ATTENTION),
        percent=False,
    ),
    Quantity(
        "median fraction removed by the exact minimum",
        "fraction removed\nby the minimum,\nmedian",
        _median_fraction(MINIMUM),
        percent=False,
    ),
    Quantity(
        "top attention flips, another does not, %",
        "top flips,\nanother does not,\n% of documents",
        lambda cell: (test := cell.test(ATTENTION)) and known(test.exact.top_alone_flips),
    ),
    _fewer_than_attention(GRADIENT),
    _fewer_than_attention(PRODUCT),
    Quantity(
        "attention as short as the exact minimum, %",
        "attention as short\nas the minimum,\n% of documents",
        lambda cell: (found := cell.ranking(ATTENTION)) and known(found.optimal),
    ),
)


def draw_context(results: Sequence[CellResults], plate: Plate) -> None:
    """Draw each of `QUANTITIES` along the context axis, for each data set and architecture."""
    datasets = list(dict.fromkeys(found.cell.dataset for found in results))
    rows = []
    with styled():
        figure = new_figure(len(datasets), len(QUANTITIES), height=1.35)
        axes = figure.subplots(len(QUANTITIES), len(datasets), squeeze=False, sharex=True, sharey="row")
        for quantity, panels in zip(QUANTITIES, axes, strict=True):
            panels[0].set_ylabel(quantity.label)
            for dataset, panel in zip(datasets, panels, strict=True):
                cells = [found for found in results if found.cell.dataset == dataset]
                rows += [row for architecture in ARCHITECTURES for row in _line(panel, quantity, architecture, cells)]
                _percent_axis(panel) if quantity.percent else share_axis(panel)
                panel.set_xticks(range(len(CONTEXTS)), CONTEXTS, rotation=90)
                panel.set_xlim(-0.5, len(CONTEXTS) - 0.5)
        for dataset, panel in zip(datasets, axes[0], strict=True):
            panel.set_title(visible(dataset))
        handles = [
            axes[0, 0].plot([], [], markersize=3, label=architecture.upper(), **LINES[architecture])[0]
            for architecture in ARCHITECTURES
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        plate.save(figure)
    texts, numbers = ["quantity", "dataset", "model"], ["value", "low", "high"]
    schema = pa.schema([(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers])
    schema = schema.append(pa.field("documents", pa.int64()))
    plate.save_numbers([numbers_table(rows, schema)], schema)


def _line(panel: Axes, quantity: Quantity, architecture: str, cells: Sequence[CellResults]) -> list[tuple[object, ...]]:
    """Draw one architecture's line through the contexts that have results, and return its numbers as rows."""
    rows, places, numbers = [], [], []
    for found in cells:
        model, estimate = found.cell.paper_model, quantity.of(found)
        if model is not None and model.architecture == architecture and estimate:
            places.append(CONTEXTS.index(model.context) + (0.08 if architecture == ARCHITECTURES[1] else -0.08))
            numbers.append(_numbers(estimate, quantity))
            rows.append((quantity.title, found.cell.dataset, found.cell.model, *numbers[-1], estimate.count))
    if rows:
        value, low, high = drawn(np.array(numbers, dtype=np.float64).T)  # null becomes NaN, which is not drawn
        panel.plot(places, value, linewidth=0.8, markersize=3, **LINES[architecture])
        panel.vlines(places, low, high, color=COLOURS[architecture], linewidth=0.8)
    return rows


def _numbers(estimate: Estimate, quantity: Quantity) -> list[float | None]:
    """Return value, low and high as they are shown."""
    return [number and number * (100 if quantity.percent else 1) for number in ends(estimate)]


def _percent_axis(panel: Axes) -> None:
    panel.set_ylim(-4, 104)
    panel.set_yticks([0, 25, 50, 75, 100])
