"""Figures with one panel for each model of a study."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eraserhead.models.architecture import CONTEXTS
from eraserhead.showing.panels import framed, panel_title
from eraserhead.study.cells import PAPER_MODELS, CellResults

WIDTH = 1.6  # inches of a panel; with few models, panels are wider


@dataclass(frozen=True)
class Sheet:
    """A figure with a panel for each model: rows are architectures, columns contexts, where all of these have results.

    Attributes:
        figure: The figure.
        rows: The panels row by row.
        panels: The panels by model.
        width: Width of a panel in inches.
    """

    figure: Figure
    rows: Sequence[Sequence[Axes]]
    panels: dict[str, Axes]
    width: float

    def title(self, model: str, text: str) -> None:
        """Write the title of a panel: the model, and what is said of it on further lines."""
        panel_title(self.panels[model], f"{model}\n{text}" if text else model, self.width)


def new_sheet(
    results: Sequence[CellResults], title: str, note: str, height: float, sharey: bool = True, beside: float = 0.0
) -> Sheet:
    """Return a sheet with empty panels for one data set's models.

    Args:
        results: The models that have results, the paper's first.
        title: What is shown; the data set is added.
        note: What has to be known to read it, below the data and the number of documents.
        height: Height of a panel in inches.
        sharey: Whether the panels share their vertical axis.
        beside: Room for a legend beside the panels, in inches.
    """
    models = [found.cell.model for found in results]
    columns = _columns(models)
    width = WIDTH if columns > 2 else 2 * WIDTH
    titled = f"{title}: {results[0].cell.dataset}"
    figure, rows = framed(
        (len(models), columns), (width, height), titled, [_about(results), note], beside=beside, sharey=sharey
    )
    return Sheet(figure, rows, dict(zip(models, chain(*rows), strict=True)), width)


def _columns(models: Sequence[str]) -> int:
    """Return how many panels stand beside each other: one for each context where every architecture has all of them."""
    present = [model for model in PAPER_MODELS if model.name in models]
    contexts = {model.context for model in present}
    architectures = {model.architecture for model in present}
    if len(contexts) > 1 and len(present) == len(contexts) * len(architectures) == len(models):
        return len(contexts)
    return min(len(models), len(CONTEXTS))


def _about(results: Sequence[CellResults]) -> str:
    """Return the data, how many documents, and where weights are erased."""
    data = results[0].summary.setup.data
    counts = sorted({found.summary.documents.analysed for found in results})
    documents = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return f"{data.named}, split {data.split}: {documents} documents of two components or more for each model."
