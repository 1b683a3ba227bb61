"""Show the `Metrics` of a run on the terminal; nothing is computed here."""

from rich.console import RenderableType

from eraserhead.showing.terminal import add_row, new_table
from eraserhead.training.records import Metrics


def metrics_view(metrics: Metrics) -> RenderableType:
    """Return the metrics of the best epoch on validation and test documents."""
    table = new_table(
        f"Best epoch: {metrics.best_epoch} of {len(metrics.epochs)}",
        "documents",
        *(name.replace("_", " ") for name in metrics.validation),
    )
    for role, scores in metrics.by_role.items():
        add_row(table, role, *(f"{score:.4f}" for score in scores.values()))
    return table
