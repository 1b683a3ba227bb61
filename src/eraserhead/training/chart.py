"""The chart of a run: training loss and validation metrics, epoch by epoch."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eraserhead.files import replacing
from eraserhead.showing.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, new_figure, styled
from eraserhead.training.metrics import METRICS
from eraserhead.training.records import Metrics

HEIGHT = 1.9  # inches of a panel
LINES = ((BLUE, "o", "-"), (VERMILION, "s", "--"), (GREEN, "^", "-."), (ORANGE, "D", ":"), (PURPLE, "v", "-"))


def draw_chart(path: Path, metrics: Metrics, title: str, chance: float | None) -> None:
    """Draw the loss beside the validation metrics into an SVG file.

    Args:
        path: The file.
        metrics: The metrics of the run.
        title: What was trained on what.
        chance: Accuracy of always answering with the largest class; None where a document may have several labels.
    """
    shares = [name for name in metrics.validation if METRICS[name].higher_is_better]
    distances = [name for name in metrics.validation if not METRICS[name].higher_is_better]
    panels = [["loss"], shares, *([distances] if distances else [])]
    with styled():
        figure = new_figure(len(panels), 1, HEIGHT)
        figure.suptitle(title)
        for panel, names in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _draw(panel, metrics, names)
        if chance is not None:
            axes = figure.axes[1]
            axes.axhline(chance, color="black", linewidth=0.8, linestyle=(0, (1, 2)), label="largest class")
            axes.legend(frameon=False)
        with replacing(path) as unfinished:
            figure.savefig(unfinished, format="svg", metadata={"Date": None, "Creator": None})


def _draw(panel: Axes, metrics: Metrics, names: list[str]) -> None:
    """Draw numbers of all epochs into a panel, with a band over the best epoch."""
    epochs = [epoch.epoch for epoch in metrics.epochs]
    panel.axvspan(metrics.best_epoch - 0.3, metrics.best_epoch + 0.3, color=GREY, linewidth=0, zorder=0)
    for name, (color, marker, style) in zip(names, LINES, strict=False):
        values = [epoch.loss if name == "loss" else epoch.scores[name] for epoch in metrics.epochs]
        title = "Training loss" if name == "loss" else METRICS[name].title
        panel.plot(epochs, values, color=color, marker=marker, linestyle=style, markersize=3, linewidth=1, label=title)
    panel.set_xlabel("epoch (shaded: the best)")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlim(0.5, max(epochs) + 0.5)
    if len(names) == 1:
        panel.set_title("Training loss, mean over documents" if names == ["loss"] else METRICS[names[0]].title)
    else:
        panel.set_title("Validation documents")
        panel.legend(frameon=False)
