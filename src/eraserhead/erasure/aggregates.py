"""Aggregates over documents, from the tables of a results folder (METHOD sections 3 to 5)."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd
import pyarrow as pa

from eraserhead.data.seen import TRAIN, UNSEEN, VALIDATION
from eraserhead.data.tokens import COUNTS, summed_truncation
from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.draws import random_orders
from eraserhead.erasure.flip_values import FlipValues, by_document, read_flips
from eraserhead.erasure.label_scores import label_accuracy, label_scores
from eraserhead.erasure.results import ResultsFolder, is_analysed
from eraserhead.erasure.summary import (
    Aggregates,
    Counts,
    Distribution,
    Pair,
    RankingSummary,
    SingleErasureTable,
    TestSummary,
)
from eraserhead.method.names import BEST_FOUND, RANDOM, YARDSTICKS, Outcome
from eraserhead.method.statistics import Estimate, bootstrap_means, bootstrap_quantiles, compare

QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
QUANTITIES = ("fraction", "removed", "mass")
DIFFERENCES = ("expected_delta_js", "share_negative", "share_zero", "delta_js", "delta_attention")  # of test 1
DOCUMENT_COLUMNS = [
    *("id", "label", "labels", "prediction", "predictions", "model_prediction", "n", "training_role"),
    *COUNTS,
]


def aggregate(
    results: ResultsFolder, seed: int, count_never_as: CountNeverAs = "beyond_all", labels: Sequence[str] = ()
) -> Aggregates:
    """Return all aggregates with their 95 % bootstrap intervals over documents.

    Of a model that decides label by label, `labels` are the names; a document's decisions are averaged first.

    Documents with fewer than two components are counted and left out of every aggregate. With `count_never_as` ``all``,
    a document that never flips ties with one that flips when everything is erased; the outcomes stay apart.
    """
    table = results.table("documents", DOCUMENT_COLUMNS)
    decisions = table.to_pandas()
    is_first = ~decisions.id.duplicated()
    documents = decisions.loc[is_first]
    analysed, cases = documents.loc[is_analysed(documents.n)], int(is_analysed(decisions.n).sum())
    flips = read_flips(results, count_never_as)
    singles = results.analysed("singles").to_pandas().set_index("id")
    yardstick = next((name for name in YARDSTICKS if name in flips), None)
    return Aggregates(
        documents=_counts(documents, decisions),
        truncation=summed_truncation(table.filter(pa.array(is_first))),
        accuracy=label_accuracy(analysed, labels, seed) if labels else _accuracy(documents, seed),
        accuracy_unseen=_accuracy_unseen(documents, seed, labels),
        yardstick=yardstick,
        rankings={name: _ranking(name, found, flips.get(yardstick or ""), seed) for name, found in flips.items()},
        beyond_rankings=_beyond_rankings(flips, seed),
        pairs=_pairs(flips, seed),
        tests={str(name): _test(rows, seed) for name, rows in singles.groupby("ranking", sort=False)},
        labels=label_scores(analysed, cases, labels, seed) if labels else None,
        random_orders=random_orders(flips),
    )


def _counts(documents: pd.DataFrame, decisions: pd.DataFrame) -> Counts:
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


def _accuracy(documents: pd.DataFrame, seed: int) -> Estimate:
    documents = documents.loc[is_analysed(documents.n)]
    correct = np.where(documents.label.isna(), np.nan, documents.label == documents.prediction).astype(float)
    return _mean(correct, seed)


def _accuracy_unseen(documents: pd.DataFrame, seed: int, labels: Sequence[str]) -> Estimate | None:
    """Return the accuracy over documents that training did not see; None where it is not known which it saw."""
    if documents.training_role.isna().any():
        return None
    unseen = documents.loc[documents.training_role == UNSEEN]
    return label_accuracy(unseen.loc[is_analysed(unseen.n)], labels, seed) if labels else _accuracy(unseen, seed)


def _ranking(name: str, flips: FlipValues, yardstick: FlipValues | None, seed: int) -> RankingSummary:
    columns = {outcome.label: (flips.outcome == outcome.label).mean(1) for outcome in Outcome}
    columns |= {quantity: _mean_where_number(flips.numbers(quantity)) for quantity in QUANTITIES}
    if yardstick is not None:
        columns |= _against(flips, yardstick)
    columns["evidence_auc"] = _mean_where_number(flips.evidence_auc)
    if name == RANDOM:
        columns["spread"] = _spread(flips.numbers("fraction"))
    means = _means({name: by_document(flips.ids, values) for name, values in columns.items()}, seed)
    return RankingSummary(
        outcomes={outcome.label: means[outcome.label] for outcome in Outcome},
        **{quantity: _distribution(flips, quantity, means[quantity], seed) for quantity in QUANTITIES},
        excess=means.get("excess"),
        optimal=means.get("optimal"),
        evidence_auc=means["evidence_auc"],
        spread=means.get("spread"),
    )


def _distribution(flips: FlipValues, quantity: str, mean: Estimate, seed: int) -> Distribution:
    """Average each document's decisions and draws first; one that never flips makes the average beyond everything."""
    averages = by_document(flips.ids, flips.values(quantity).mean(1))
    quartiles = bootstrap_quantiles(averages, list(QUARTILES.values()), seed)
    return Distribution(**dict(zip(QUARTILES, quartiles, strict=True)), mean=mean)


def _against(flips: FlipValues, yardstick: FlipValues) -> dict[str, np.ndarray]:
    """Return the removals in excess of the yardstick's, where both flip, and whether the ranking is as short.

    A ranking that never flips where the yardstick does is not as short: rankings are compared on the same documents.
    """
    optimal = np.where(np.isinf(yardstick.removed), np.nan, flips.removed == yardstick.removed)
    return {
        "excess": _mean_where_number(flips.numbers("removed") - yardstick.numbers("removed")),
        "optimal": _mean_where_number(optimal),
    }


def _beyond_rankings(flips: dict[str, FlipValues], seed: int) -> Estimate | None:
    """Return how often the best set found is smaller than every ranking's; None where there is a minimum."""
    if BEST_FOUND not in flips:
        return None
    others = [found.removed.min(1) for name, found in flips.items() if name != BEST_FOUND]
    best = flips[BEST_FOUND]
    smaller = (best.removed[:, 0] < np.min(others, axis=0)).astype(float)
    return _mean(by_document(best.ids, smaller), seed)


def _mean_where_number(values: np.ndarray) -> np.ndarray:
    """Average a document's draws over those that have a number; NaN where none has."""
    count = (~np.isnan(values)).sum(1)
    return np.where(count > 0, np.nansum(values, 1) / np.maximum(count, 1), np.nan)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return each document's standard deviation over its draws; NaN below two draws with a number."""
    count = (~np.isnan(values)).sum(1)
    deviations = np.where(np.isnan(values), 0.0, values - _mean_where_number(values)[:, None])
    return np.where(count > 1, np.sqrt((deviations**2).sum(1) / np.maximum(count - 1, 1)), np.nan)


def _pairs(flips: dict[str, FlipValues], seed: int) -> list[Pair]:
    """Return for each pair how often the first needs strictly fewer removals, over all documents."""
    return [_pair(first, second, flips, seed) for first, second in permutations(flips, 2)]


def _pair(first: str, second: str, flips: dict[str, FlipValues], seed: int) -> Pair:
    removed = flips[first].removed, flips[second].removed
    shares = compare(*removed) if len(removed[0]) else np.empty((0, 3))
    return Pair(first, second, *bootstrap_means(by_document(flips[first].ids, shares), seed))


def _test(rows: pd.DataFrame, seed: int) -> TestSummary:
    """Return test 1 of one ranking: the 2x2 table, exact and for the drawn component, and the divergences."""
    top = rows.top_flips.to_numpy(dtype=float)
    exact = _cells(top, rows.share_random_flips.to_numpy(dtype=float))
    drawn = _cells(top, rows.random_flips.to_numpy(dtype=float))
    differences = {name: rows[name].to_numpy(dtype=float) for name in DIFFERENCES}
    # All at once, so that all means share the same resamples.
    columns = [*exact.values(), *drawn.values(), *differences.values()]
    means = iter(bootstrap_means(by_document(rows.index.to_numpy(), np.stack(columns, axis=1)), seed))
    return TestSummary(
        exact=SingleErasureTable(**dict(zip(exact, means, strict=False))),
        drawn=SingleErasureTable(**dict(zip(drawn, means, strict=False))),
        **dict(zip(differences, means, strict=True)),
    )


def _cells(top: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "both_flip": top * other,
        "top_alone_flips": top * (1 - other),
        "other_alone_flips": (1 - top) * other,
        "none_flips": (1 - top) * (1 - other),
    }


def _mean(values: np.ndarray, seed: int) -> Estimate:
    return bootstrap_means(values[:, None], seed)[0]


def _means(columns: dict[str, np.ndarray], seed: int) -> dict[str, Estimate]:
    return dict(zip(columns, bootstrap_means(np.stack(list(columns.values()), axis=1), seed), strict=True))
