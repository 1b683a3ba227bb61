"""Show the `Metrics` of a run on the terminal; nothing is computed here."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from eraserhead.showing.terminal import NONE, Grid
from eraserhead.training.records import ClassScores, Metrics

MOST_CLASSES = 20  # that are shown; of more, those with the lowest F1


def metrics_view(metrics: Metrics) -> RenderableType:
    """Return the metrics of the best epoch on validation and test documents, and the scores of each class."""
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
    if not metrics.classes:
        return table
    return Group(table, Text(), _classes(metrics.classes, "test" if metrics.test is not None else "validation"))


def _classes(classes: Mapping[str, ClassScores], role: str) -> Grid:
    """Return the scores of each class over the documents of a role."""
    shown = classes
    if len(classes) > MOST_CLASSES:
        worst = sorted(classes, key=lambda name: classes[name].f1)[:MOST_CLASSES]
        shown = {name: classes[name] for name in worst}
    some = f", the {len(shown)} of {len(classes)} with the lowest F1" if len(shown) < len(classes) else ""
    table = Grid(f"Each class over the {role} documents{some}", "class", "precision", "recall", "F1", "documents")
    for name, scores in shown.items():
        numbers = (f"{number:.4f}" for number in (scores.precision, scores.recall, scores.f1))
        table.add_row(name, *numbers, f"{scores.documents:,}")
    return table
