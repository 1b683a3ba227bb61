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
from eraserhead.showing.figures import BLUE, VERMILION, Plate, drawn, numbers_table, share_axis, styled
from eraserhead.showing.panels import framed, legend, panel_title
from eraserhead.study.cells import ARCHITECTURES, CellResults, ends, known

TITLE = "What changes as the encoder mixes more context"
BARS = "Bars: 95 % intervals over documents."
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
    """Draw each of `QUANTITIES` along the contexts that have results, for each data set and architecture."""
    datasets = list(dict.fromkeys(found.cell.dataset for found in results))
    contexts = contexts_of(results)
    architectures = [each for each in ARCHITECTURES if any(_architecture(found) == each for found in results)]
    rows = []
    with styled():
        size = 3.4 if len(datasets) == 1 else 2.0, 1.25
        panels = (len(QUANTITIES) * len(datasets), len(datasets))
        figure, axes = framed(panels, size, TITLE, [_about(results), BARS], sharey=False, beside=0.8)
        for quantity, row in zip(QUANTITIES, axes, strict=True):
            row[0].set_ylabel(quantity.label)
            highest = 0.0
            for dataset, panel in zip(datasets, row, strict=True):
                cells = [found for found in results if found.cell.dataset == dataset]
                drawn_rows = [each for name in architectures for each in _line(panel, quantity, name, cells, contexts)]
                rows += drawn_rows
                highest = max([highest, *(each[-2] or each[-4] or 0.0 for each in drawn_rows)])
                panel.set_xticks(range(len(contexts)), contexts, rotation=90)
                panel.set_xlim(-0.5, len(contexts) - 0.5)
            for panel in row:
                panel.set_ylim(0, min(max(1.15 * highest, 5.0), 105)) if quantity.percent else share_axis(panel)
        for dataset, panel in zip(datasets, axes[0], strict=True):
            panel_title(panel, dataset, size[0])
        legend(
            figure, {name: LINES[name] for name in architectures}, {name: name.upper() for name in ARCHITECTURES}, ""
        )
        plate.save(figure)
    texts, numbers = ["quantity", "dataset", "model"], ["value", "low", "high"]
    schema = pa.schema([(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers])
    schema = schema.append(pa.field("documents", pa.int64()))
    plate.save_numbers([numbers_table(rows, schema)], schema)


def contexts_of(results: Sequence[CellResults]) -> list[str]:
    """Return the contexts of the paper's models that have results, from the narrowest to the widest."""
    present = {found.cell.paper_model.context for found in results if found.cell.paper_model is not None}
    return [context for context in CONTEXTS if context in present]


def _architecture(found: CellResults) -> str | None:
    return None if found.cell.paper_model is None else found.cell.paper_model.architecture


def _about(results: Sequence[CellResults]) -> str:
    """Return how many documents of each data set the numbers are over."""
    counts: dict[str, set[int]] = {}
    for found in results:
        counts.setdefault(found.cell.dataset, set()).add(found.summary.documents.analysed)
    ends = {name: sorted({min(own), max(own)}) for name, own in counts.items()}
    said = [f"{name} {' to '.join(f'{count:,}' for count in own)}" for name, own in ends.items()]
    return f"Documents of two components or more: {', '.join(said)}."


def _line(
    panel: Axes, quantity: Quantity, architecture: str, cells: Sequence[CellResults], contexts: Sequence[str]
) -> list[tuple[Any, ...]]:
    """Draw one architecture's line through the contexts that have results, and return its numbers as rows."""
    rows, places, numbers = [], [], []
    for found in cells:
        model, estimate = found.cell.paper_model, quantity.of(found)
        if model is not None and model.architecture == architecture and estimate:
            places.append(contexts.index(model.context) + (0.08 if architecture == ARCHITECTURES[1] else -0.08))
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
