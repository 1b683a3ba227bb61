"""How well a model decides, as its card says it."""

from eraserhead.erasure.summary import Summary
from eraserhead.showing.terminal import interval


def accuracy_text(summary: Summary) -> str | None:
    """Return the accuracy, with F1 beside that of labels; None where no labels are known."""
    labels = summary.labels
    if summary.accuracy.value is None:
        return None
    if labels is None:
        return interval(summary.accuracy)
    f1 = f"F1 micro {interval(labels.micro_f1)}, macro {interval(labels.macro_f1)}"
    return f"{interval(summary.accuracy)} of the states of all labels; {f1}"


def label_rows(summary: Summary) -> list[list[str]]:
    """Return each label with the accuracy of its state; none where no labels are known."""
    if summary.labels is None:
        return []
    return [[name, interval(each)] for name, each in summary.labels.accuracy.items() if each.value is not None]
