"""Show the `Metrics` of a run on the terminal; nothing is computed here."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from eraserhead.method.seeds import OverSeeds
from eraserhead.showing.terminal import NONE, Grid
from eraserhead.training.metrics import METRICS
from eraserhead.training.records import ClassScores, Metrics
from eraserhead.training.seeds import SeedMetrics
from eraserhead.training.sweep import Trials

MOST_TRIALS = 10  # that are shown
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


def seeds_view(over: SeedMetrics) -> RenderableType:
    """Return each metric over seeds, with its interval."""
    names = list(dict.fromkeys(name for found in over.metrics.values() for name in found))
    title = f"Mean over {len(over.seeds)} seeds, with the 95 % interval of Student's t over seeds"
    table = Grid(title, "documents", *(name.replace("_", " ") for name in names))
    for role, found in over.metrics.items():
        table.add_row(role, *(_over(found[name]) if name in found else NONE for name in names))
    return table


def trials_view(found: Trials) -> RenderableType:
    """Return the best trials of a search, the best first."""
    better = METRICS[found.metric].higher_is_better
    ranked = sorted(
        (trial for trial in found.trials if trial.value is not None),
        key=lambda trial: -(trial.value or 0.0) if better else trial.value or 0.0,
    )
    failed = sum(trial.value is None for trial in found.trials)
    lost = f"; {failed} failed" if failed else ""
    names = dict.fromkeys(name for trial in found.trials for name in trial.options)
    title = f"The best of {len(found.trials)} trials by {METRICS[found.metric].title.lower()} on validation documents"
    table = Grid(title + lost, "trial", METRICS[found.metric].title, *names)
    for trial in ranked[:MOST_TRIALS]:
        values = (trial.options.get(name, NONE) for name in names)  # one without an effect is not among them
        numbers = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in values)
        table.add_row(str(trial.number + 1), f"{trial.value:.4f}", *numbers)
    return table


def _over(found: OverSeeds) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.4f}"
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"


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
