"""What is counted over documents (METHOD section 4, aggregates); light imports alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Estimate:
    """A number over documents with its bootstrap interval.

    Attributes:
        value: The estimate; None where no document has a number, or where a quantile falls among documents that
            never flip ("larger than everything").
        low: Lower end of the 95 % interval; None likewise.
        high: Upper end; None likewise.
        count: Number of documents in the estimate.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int


def compare(
    first: Float[np.ndarray, "documents #draws"], second: Float[np.ndarray, "documents #draws"]
) -> Float[np.ndarray, "documents 3"]:
    """Return for each document the shares of draws in which `first` is strictly smaller, equal, and larger.

    Infinity stands for "never", so that a flip beats a never and two nevers tie.
    """
    first, second = np.broadcast_arrays(first, second)
    return np.stack([(first < second).mean(1), (first == second).mean(1), (first > second).mean(1)], axis=1)


def ranking_auc(order: Int[np.ndarray, " components"], relevant: Bool[np.ndarray, " components"]) -> float | None:
    """Return the ROC AUC: how often a relevant component precedes an irrelevant one; None where either is missing."""
    hits = relevant[order]
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        return None
    return float((np.cumsum(hits)[~hits]).sum() / (positives * negatives))
