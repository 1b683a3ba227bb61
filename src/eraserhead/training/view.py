"""Show the `Metrics` of a run on the terminal; nothing is computed here."""

from collections.abc import Mapping

from rich.console import RenderableType

from eraserhead.showing.terminal import NONE, Grid
from eraserhead.training.records import Metrics


def metrics_view(metrics: Metrics) -> RenderableType:
    """Return the metrics of the best epoch on validation and test documents."""
    table = Grid(
        f"Best epoch: {metrics.best_epoch} of {len(metrics.epochs)}",
        "documents",
        *(name.replace("_", " ") for name in metrics.validation),
    )
    rows: dict[str, Mapping[str, float | None]] = {**metrics.by_role}
    if metrics.test is not None and metrics.test_unseen != metrics.test:
        rows["test, not seen in training"] = metrics.test_unseen or dict.fromkeys(metrics.test)
    for role, scores in rows.items():
        table.add_row(role, *(NONE if score is None else f"{score:.4f}" for score in scores.values()))
    return table
