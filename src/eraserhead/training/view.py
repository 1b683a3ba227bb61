"""Show the `Metrics` of a run on the terminal; nothing is computed here."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from eraserhead.showing.terminal import NONE, add_row, new_table
from eraserhead.training.records import ClassScores, Metrics

MOST_CLASSES = 20  # that are shown; of more, those with the lowest F1


def metrics_view(metrics: Metrics) -> RenderableType:
    """Return the metrics of the best epoch on validation and test documents, and the scores of each class."""
    table = new_table(
        f"Best epoch: {metrics.best_epoch} of {len(metrics.epochs)}",
        "documents",
        *(name.replace("_", " ") for name in metrics.validation),
    )
    rows: dict[str, Mapping[str, float | None]] = {**metrics.by_role}
    if metrics.test is not None and metrics.test_unseen != metrics.test:
        rows["test, not seen in training"] = metrics.test_unseen or dict.fromkeys(metrics.test)
    for role, scores in rows.items():
        add_row(table, role, *(NONE if score is None else f"{score:.4f}" for score in scores.values()))
    if not metrics.classes:
        return table
    role = "test" if metrics.test is not None else "validation"
    return Group(table, Padding(_classes(metrics.classes, role), (1, 0, 0, 0)))


def _classes(classes: Mapping[str, ClassScores], role: str) -> Table:
    """Return the scores of each class over the documents of a role."""
    shown = classes
    if len(classes) > MOST_CLASSES:
        worst = sorted(classes, key=lambda name: classes[name].f1)[:MOST_CLASSES]
        shown = {name: classes[name] for name in worst}
    some = f", the {len(shown)} of {len(classes)} with the lowest F1" if len(shown) < len(classes) else ""
    title = f"Each class over the {role} documents{some}"
    table = new_table(title, "class", "precision", "recall", "F1", "documents", names_wrap=True)
    for name, scores in shown.items():
        numbers = (f"{number:.4f}" for number in (scores.precision, scores.recall, scores.f1))
        add_row(table, name, *numbers, f"{scores.documents:,}")
    return table
