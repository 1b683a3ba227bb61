"""Figures with one panel for each model of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eraserhead.models.architecture import CONTEXTS
from eraserhead.showing.escapes import visible
from eraserhead.showing.figures import new_figure
from eraserhead.study.cells import ARCHITECTURES, PAPER_MODELS, PaperModel


@dataclass(frozen=True)
class Sheet:
    """A figure with a panel for each model: rows are architectures, columns contexts; other models are below.

    Attributes:
        figure: The figure.
        panels: The panels by model, including models without results.
    """

    figure: Figure
    panels: Mapping[str, Axes]


def new_sheet(models: Sequence[str], height: float, sharey: bool = True) -> Sheet:
    """Return a sheet with empty panels, titled by their models; a panel without results says so.

    Args:
        models: The models that have results.
        height: Height of a panel in inches.
        sharey: Whether the panels share their vertical axis.
    """
    rows = _rows(models)
    columns = max(len(row) for row in rows)
    figure = new_figure(columns, len(rows), height)
    axes = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=sharey)
    panels = {}
    for row, names in zip(axes, rows, strict=True):
        for panel in row[len(names) :]:
            panel.set_axis_off()
        for panel, name in zip(row, names, strict=False):
            panel.set_title(visible(name))
            if name not in models:
                panel.text(0.5, 0.5, "no results", transform=panel.transAxes, ha="center", va="center")
                if not sharey:
                    panel.set_yticks([])
            panels[name] = panel
    return Sheet(figure, panels)


def _rows(models: Sequence[str]) -> list[list[str]]:
    """Lay out the models: first the paper's, by architecture and context, then the others."""
    present = [model for model in PAPER_MODELS if model.name in models]
    contexts = [context for context in CONTEXTS if any(model.context == context for model in present)]
    architectures = [each for each in ARCHITECTURES if any(model.architecture == each for model in present)]
    rows = [[PaperModel(each, context).name for context in contexts] for each in architectures]
    others = [model for model in models if not any(model in row for row in rows)]
    columns = max(len(contexts), min(len(CONTEXTS), len(others)))
    return rows + [others[start : start + columns] for start in range(0, len(others), columns)]
