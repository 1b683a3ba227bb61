"""How well a model decides that decides label by label."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from eraserhead.erasure.summary import LabelScores
from eraserhead.method.intervals import FEWEST_DIFFERENT, share_of, shares_of_sums
from eraserhead.method.statistics import Estimate


def right_states(documents: pd.DataFrame, labels: int) -> Float[np.ndarray, " documents"]:
    """Return the share of all labels' states that are right, for each document; NaN where its labels are unknown."""
    right, known = np.full(len(documents), np.nan), documents.labels.notna().to_numpy()
    gold, found = _gold_and_found(documents, labels)
    right[known] = (gold == found).mean(1)
    return right


def commonest_states(documents: pd.DataFrame, labels: int) -> Float[np.ndarray, " documents"]:
    """Return the same of a model whose labels always have their more frequent state."""
    right, known = np.full(len(documents), np.nan), documents.labels.notna().to_numpy()
    gold, _ = _gold_and_found(documents, labels)
    if known.any():
        right[known] = (gold == (gold.mean(0) > 0.5)).mean(1)
    return right


def label_scores(documents: pd.DataFrame, cases: int, classes: Sequence[str]) -> LabelScores:
    """Return the scores of each label.

    Args:
        documents: One row for each document; those without labels are left out.
        cases: Number of documents and labels that the aggregates are made of.
        classes: Names of the labels.
    """
    gold, found = _gold_and_found(documents, len(classes))
    micro, macro = f1_estimates(gold, found)
    return LabelScores(
        cases=cases,
        accuracy=dict(zip(classes, map(share_of, (gold == found).astype(float).T), strict=True)),
        micro_f1=micro,
        macro_f1=macro,
    )


def f1_estimates(
    gold: Bool[np.ndarray, "documents labels"], found: Bool[np.ndarray, "documents labels"]
) -> tuple[Estimate, Estimate]:
    """Return micro and macro F1.

    Macro F1 has an interval only where every label counts in a few documents: it is there or decided for.
    """
    micro, macro = shares_of_sums(np.concatenate([gold & found, gold & ~found, ~gold & found], axis=1), f1)
    if (gold | found).sum(0).min(initial=len(gold)) < FEWEST_DIFFERENT:
        macro = replace(macro, low=None, high=None)
    return micro, macro


def f1(sums: Float[np.ndarray, "rows hits_misses_and_false"]) -> Float[np.ndarray, "rows 2"]:
    """Return micro and macro F1 of each label's hits, misses and false alarms; a label without any has 0."""
    hits, misses, false = np.split(sums, 3, axis=1)

    def of(hit: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        return 2 * hit / np.maximum(2 * hit + wrong, 1)

    return np.stack([of(hits.sum(1), (misses + false).sum(1)), of(hits, misses + false).mean(1)], axis=1)


def _gold_and_found(
    documents: pd.DataFrame, labels: int
) -> tuple[Bool[np.ndarray, "documents labels"], Bool[np.ndarray, "documents labels"]]:
    labelled = documents.loc[documents.labels.notna()]
    return _states(labelled.labels, labels), _states(labelled.predictions, labels)


def _states(lists: pd.Series, labels: int) -> Bool[np.ndarray, "documents labels"]:
    states = np.zeros((len(lists), labels), dtype=bool)
    for row, own in enumerate(lists):
        states[row, own.astype(int)] = True
    return states
