"""How well a model decides, as its card says it: over documents that training did not see."""

from eraserhead.erasure.summary import Summary
from eraserhead.showing.terminal import interval


def accuracy_text(summary: Summary) -> str | None:
    """Return the accuracy over documents that training did not see, and over how many where it saw some.

    F1 stands beside that of labels where training saw none.
    """
    fair, documents, labels = summary.fair_accuracy, summary.documents, summary.labels
    if fair.value is None:
        return None
    over = f" over the {fair.count:,} that training did not see" if documents.unseen < documents.analysed else ""
    if labels is None:
        return interval(fair) + over
    f1 = "" if over else f"; F1 micro {interval(labels.micro_f1)}, macro {interval(labels.macro_f1)}"
    return f"{interval(fair)} of the states of all labels{over}{f1}"


def label_rows(summary: Summary) -> list[list[str]]:
    """Return each label with the accuracy of its state; none where no labels are known, or training saw documents."""
    if summary.labels is None or summary.documents.unseen < summary.documents.analysed:
        return []
    return [[name, interval(each)] for name, each in summary.labels.accuracy.items() if each.value is not None]
