"""How many documents there are, and how many of them are decided rightly, whatever is erased of them."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from eraserhead.data.seen import TRAIN, UNSEEN, VALIDATION
from eraserhead.erasure.flip_values import averager
from eraserhead.erasure.label_scores import commonest_states, right_states
from eraserhead.erasure.results import is_analysed
from eraserhead.erasure.summary import Counts
from eraserhead.method.intervals import share_of
from eraserhead.method.statistics import Estimate

LARGEST_CLASS = "largest_class"  # beside the accuracy

Key = tuple[str, ...]  # what an estimate is of: its part of the summary, the ranking, the field
Estimates = Iterator[tuple[Key, Estimate]]


def counts(documents: pd.DataFrame, decisions: pd.DataFrame) -> Counts:
    """Return how many documents there are; a document may have several decisions."""
    analysed = documents.loc[is_analysed(documents.n)]
    known = not documents.training_role.isna().any()
    otherwise = decisions.loc[decisions.prediction != decisions.model_prediction]
    return Counts(
        total=len(documents),
        analysed=len(analysed),
        without_components=int((documents.n == 0).sum()),
        with_one_component=int((documents.n == 1).sum()),
        unlabelled=int(documents.label.isna().sum()),
        decided_otherwise_by_model=otherwise.id.nunique(),
        trained_on=int((analysed.training_role == TRAIN).sum()) if known else None,
        validated_on=int((analysed.training_role == VALIDATION).sum()) if known else None,
    )


def accuracies(decisions: pd.DataFrame, labels: Sequence[str] = ()) -> Estimates:
    """Yield the share of documents that is decided rightly, and the share that is of the largest class.

    For all documents, and for those that training did not see, if known. Several models' decisions are averaged.
    """
    documents = decisions.loc[~decisions.id.duplicated()]
    if labels:
        right, constant = right_states(documents, len(labels)), commonest_states(documents, len(labels))
    else:
        average, largest = averager(decisions.id.to_numpy()), documents.label.mode()
        right, constant = (
            average(np.where(decisions.label.isna(), np.nan, decisions.label == said).astype(float))
            for said in (decisions.prediction, largest.iloc[0] if len(largest) else -1)
        )
    yield ("accuracy", "all"), share_of(right)
    if not np.isnan(constant).all():
        yield ("accuracy", LARGEST_CLASS), share_of(constant)
    if not documents.training_role.isna().any():
        yield ("accuracy", UNSEEN), share_of(np.where(documents.training_role == UNSEEN, right, np.nan))
