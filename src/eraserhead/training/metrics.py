"""Metrics as `evaluate.Metric`s of our own: nothing is downloaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn.metrics import f1_score, precision_recall_fscore_support, recall_score

from eraserhead.training.records import ClassScores

FEATURES = datasets.Features({"predictions": datasets.Value("int32"), "references": datasets.Value("int32")})


class _ClassMetric(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__class__.__doc__ or "", citation="", inputs_description="class indices", features=FEATURES
        )


class Accuracy(_ClassMetric):
    """Share of documents that are classified correctly."""

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, predictions: Any, references: Any, **options: Any
    ) -> dict[str, float]:
        return {"accuracy": float(np.mean(np.equal(predictions, references)))}


class BalancedAccuracy(_ClassMetric):
    """Share of the documents that are classified correctly, of each class; its mean over the classes that there are."""

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, predictions: Any, references: Any, **options: Any
    ) -> dict[str, float]:
        present = np.unique(references)
        return {"balanced_accuracy": float(recall_score(references, predictions, labels=present, average="macro"))}


class MacroF1(_ClassMetric):
    """Mean F1 over the classes; 0 for a class that is neither true nor predicted for any document."""

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, predictions: Any, references: Any, **options: Any
    ) -> dict[str, float]:
        zero: Any = 0.0  # its annotation only allows "warn"
        found = f1_score(references, predictions, labels=_on(references), average="macro", zero_division=zero)
        return {"macro_f1": float(found)}


class MeanAbsoluteError(_ClassMetric):
    """Mean distance between predicted and true class, for ordered classes."""

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, predictions: Any, references: Any, **options: Any
    ) -> dict[str, float]:
        return {"mean_absolute_error": float(np.mean(np.abs(np.subtract(predictions, references))))}


class MicroF1(_ClassMetric):
    """F1 of all labels' counts together, for models with several labels a document."""

    def _compute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *, predictions: Any, references: Any, **options: Any
    ) -> dict[str, float]:
        zero: Any = 0.0  # its annotation knows the word "warn" alone
        found = f1_score(references, predictions, labels=_on(references), average="micro", zero_division=zero)
        return {"micro_f1": float(found)}


def _on(references: Any) -> list[int] | None:
    """Return the state that counts where there is a single label, which scikit-learn takes for two classes."""
    shape = np.shape(references)
    return [1] if len(shape) == 2 and shape[1] == 1 else None


@dataclass(frozen=True)
class MetricKind:
    """A metric and its description.

    Attributes:
        metric: Computes the metric.
        title: Name that people read.
        hub_name: Name on the hub.
        higher_is_better: Whether a larger value is better.
        ordered: Whether it only makes sense for ordered classes.
        several: Whether it only says something of its own where a document has several labels.
        one: Whether it is only defined where a document has one class.
    """

    metric: type[_ClassMetric]
    title: str
    hub_name: str
    higher_is_better: bool = True
    ordered: bool = False
    several: bool = False
    one: bool = False


METRICS = {
    "accuracy": MetricKind(Accuracy, "Accuracy", "accuracy"),
    "balanced_accuracy": MetricKind(BalancedAccuracy, "Balanced accuracy", "balanced_accuracy", one=True),
    "macro_f1": MetricKind(MacroF1, "Macro F1", "f1"),
    "micro_f1": MetricKind(MicroF1, "Micro F1", "f1", several=True),
    "mean_absolute_error": MetricKind(
        MeanAbsoluteError, "Mean absolute error", "mae", higher_is_better=False, ordered=True, one=True
    ),
}


def score(predictions: Sequence[int], references: Sequence[int], ordered: bool) -> dict[str, float]:
    """Return all metrics of predicted and true class indices; the absolute error only if classes are ordered."""
    metrics = [
        kind.metric(keep_in_memory=True) for kind in METRICS.values() if not kind.several and ordered >= kind.ordered
    ]
    result = evaluate.combine(metrics).compute(predictions=list(predictions), references=list(references))
    assert result is not None
    return result


def score_labels(
    predictions: Sequence[Sequence[int]], references: Sequence[Sequence[int]], ordered: bool = False
) -> dict[str, float]:
    """Return all metrics of predicted and true states of labels, 0 or 1; accuracy is the share of states right."""
    metrics = [kind.metric(keep_in_memory=True) for kind in METRICS.values() if not kind.one]
    states = {"predictions": np.array(predictions), "references": np.array(references)}
    return {name: value for metric in metrics for name, value in metric._compute(**states).items()}


def class_scores(
    predictions: Sequence[Any], references: Sequence[Any], names: Sequence[str]
) -> dict[str, ClassScores] | None:
    """Return precision, recall and F1 of each class, or of each label being on; None without documents.

    What is a share of no documents counts 0.

    Args:
        predictions: Predicted classes, or rows of 0 and 1 for the labels of a multi-label model.
        references: The true ones.
        names: Names of the classes.
    """
    if not len(references):
        return None
    zero: Any = 0.0  # its annotation only allows "warn"
    found: Any = precision_recall_fscore_support(
        np.array(references),
        np.array(predictions),
        labels=_on(references) or range(len(names)),
        zero_division=zero,
    )
    return {
        name: ClassScores(*map(float, scores), documents=int(documents))
        for name, *scores, documents in zip(names, *found, strict=True)
    }


def improves(metric: str, value: float, best: float | None) -> bool:
    """Whether a value of a metric is better than the best so far."""
    if best is None:
        return True
    return value > best if METRICS[metric].higher_is_better else value < best
