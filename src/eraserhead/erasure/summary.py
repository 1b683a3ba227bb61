"""Aggregates over documents, from the tables of a results folder (METHOD sections 3 to 5)."""

from dataclasses import asdict
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from eraserhead.data.tokens import COUNTS
from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.results import ResultsFolder
from eraserhead.method.names import BEST_FOUND, MINIMUM, RANDOM, Outcome
from eraserhead.method.statistics import Estimate, bootstrap_means, bootstrap_quantiles, compare

OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)
QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
DOCUMENT_COLUMNS = ["id", "label", "prediction", "model_prediction", "n", *COUNTS]
FLIP_COLUMNS = ["id", "ranking", "n", "removed", "fraction", "mass", "outcome", "evidence_auc"]


def summarise(results: ResultsFolder, seed: int, count_never_as: CountNeverAs = "beyond_all") -> dict[str, Any]:
    """Return all aggregates with their 95 % bootstrap intervals over documents.

    Documents with fewer than two components are counted and left out of every aggregate. Counted as ``all``, a
    document that never flips ties with one that flips when everything is erased; the outcomes stay apart.
    """
    documents = results.table("documents", DOCUMENT_COLUMNS).to_pandas()
    rankings = _by_ranking(results.table("flips", FLIP_COLUMNS).to_pandas(), count_never_as)
    singles = results.table("singles").to_pandas()
    yardstick = next((name for name in (MINIMUM, BEST_FOUND) if name in rankings), None)
    return {
        "documents": _counts(documents),
        "truncation": _truncation(documents),
        "accuracy": _accuracy(documents, seed),
        "yardstick": yardstick,
        "rankings": {
            name: _ranking(name, rows, rankings.get(yardstick or ""), seed) for name, rows in rankings.items()
        },
        "beyond_rankings": _beyond_rankings(rankings, seed),
        "pairs": _pairs(rankings, seed),
        "tests": {name: _test(rows, seed) for name, rows in singles[singles.n >= 2].groupby("ranking", sort=False)},
    }


class _Ranking:
    """One ranking's rows as arrays ``[documents, draws]``.

    A "never" is infinity in `removed` and NaN in `fraction` and `mass`, unless it is counted as all being erased.
    """

    def __init__(self, rows: pd.DataFrame, draws: int) -> None:
        shape = (len(rows) // draws, draws)
        self.outcome = rows.outcome.to_numpy().reshape(shape)
        self.fraction = rows.fraction.to_numpy(dtype=float).reshape(shape)
        self.mass = rows.mass.to_numpy(dtype=float).reshape(shape)
        self.removed = np.where(self.beyond_all, np.inf, rows.removed.to_numpy(dtype=float).reshape(shape))
        self.evidence_auc = rows.evidence_auc.to_numpy(dtype=float).reshape(shape)

    @property
    def beyond_all(self) -> np.ndarray:
        """Which are larger than everything."""
        return np.isnan(self.fraction)


def _by_ranking(flips: pd.DataFrame, count_never_as: CountNeverAs = "beyond_all") -> dict[str, _Ranking]:
    flips = flips.loc[flips.n >= 2]
    if count_never_as == "all":
        flips = flips.fillna({"removed": flips.n, "fraction": 1.0, "mass": 1.0})
    documents = max(flips.id.nunique(), 1)
    return {
        str(name): _Ranking(rows, max(len(rows) // documents, 1)) for name, rows in flips.groupby("ranking", sort=False)
    }


def _counts(documents: pd.DataFrame) -> dict[str, int]:
    return {
        "total": len(documents),
        "analysed": int((documents.n >= 2).sum()),
        "without_components": int((documents.n == 0).sum()),
        "with_one_component": int((documents.n == 1).sum()),
        "unlabelled": int(documents.label.isna().sum()),
        "decided_otherwise_by_model": int((documents.prediction != documents.model_prediction).sum()),
    }


def _truncation(documents: pd.DataFrame) -> dict[str, int]:
    """Count what was cut off; sentences only of documents that were read by sentence."""
    columns = {name: documents[name].to_numpy(dtype=float) for name in COUNTS}
    counts = {name: int(values.sum()) for name, values in columns.items() if not np.isnan(values).any()}
    return {
        "documents": len(documents),
        "truncated_documents": int((documents.truncated_tokens > 0).sum()),
        **counts,
    }


def _accuracy(documents: pd.DataFrame, seed: int) -> dict[str, Any]:
    documents = documents.loc[documents.n >= 2]
    correct = np.where(documents.label.isna(), np.nan, documents.label == documents.prediction).astype(float)
    return _means({"accuracy": correct}, seed)["accuracy"]


def _ranking(name: str, ranking: _Ranking, yardstick: _Ranking | None, seed: int) -> dict[str, Any]:
    columns = {f"outcome_{outcome}": (ranking.outcome == outcome).mean(1) for outcome in OUTCOMES}
    columns |= {
        quantity: _mean_where_number(_numbers(ranking, quantity)) for quantity in ("fraction", "removed", "mass")
    }
    if yardstick is not None:
        columns |= _against(ranking, yardstick)
    columns["evidence_auc"] = _mean_where_number(ranking.evidence_auc)
    if name == RANDOM:
        columns["spread"] = _spread(ranking.fraction)
    means = _means(columns, seed)
    summary: dict[str, Any] = {"outcomes": {outcome: means.pop(f"outcome_{outcome}") for outcome in OUTCOMES}}
    for quantity in ("fraction", "removed", "mass"):
        summary[quantity] = {**_quartiles(ranking, quantity, seed), "mean": means.pop(quantity)}
    return summary | means


def _numbers(ranking: _Ranking, quantity: str) -> np.ndarray:
    return np.where(ranking.beyond_all, np.nan, getattr(ranking, quantity))


def _quartiles(ranking: _Ranking, quantity: str, seed: int) -> dict[str, Any]:
    """A document's draws are averaged first; one draw that never flips makes the average larger than everything."""
    values = np.where(ranking.beyond_all, np.inf, getattr(ranking, quantity)).mean(1)
    estimates = bootstrap_quantiles(values, list(QUARTILES.values()), seed)
    return {name: asdict(estimate) for name, estimate in zip(QUARTILES, estimates, strict=True)}


def _against(ranking: _Ranking, yardstick: _Ranking) -> dict[str, np.ndarray]:
    """Removals in excess of the minimum, or of the best set found, where both exist, and whether there is none.

    A ranking that never flips where the yardstick does is not optimal: rankings are compared on the same documents.
    """
    optimal = np.where(yardstick.beyond_all, np.nan, ranking.removed == yardstick.removed)
    return {
        "excess": _mean_where_number(_numbers(ranking, "removed") - _numbers(yardstick, "removed")),
        "optimal": _mean_where_number(optimal),
    }


def _beyond_rankings(rankings: dict[str, _Ranking], seed: int) -> dict[str, Any] | None:
    """Return how often the best set found is smaller than that of every ranking; null where there is a minimum."""
    if BEST_FOUND not in rankings:
        return None
    others = [ranking.removed.min(1) for name, ranking in rankings.items() if name != BEST_FOUND]
    return _means({"smaller": (rankings[BEST_FOUND].removed[:, 0] < np.min(others, axis=0)).astype(float)}, seed)[
        "smaller"
    ]


def _mean_where_number(values: np.ndarray) -> np.ndarray:
    """Average a document's draws over those that have a number; NaN where none has."""
    count = (~np.isnan(values)).sum(1)
    return np.where(count > 0, np.nansum(values, 1) / np.maximum(count, 1), np.nan)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return each document's standard deviation over its draws; NaN below two draws with a number."""
    count = (~np.isnan(values)).sum(1)
    deviations = np.where(np.isnan(values), 0.0, values - _mean_where_number(values)[:, None])
    return np.where(count > 1, np.sqrt((deviations**2).sum(1) / np.maximum(count - 1, 1)), np.nan)


def _pairs(rankings: dict[str, _Ranking], seed: int) -> list[dict[str, Any]]:
    """Return for each pair how often the first strictly needs fewer removals, over all documents."""
    rows = []
    for first, second in permutations(rankings, 2):
        shares = compare(rankings[first].removed, rankings[second].removed) if len(rankings[first].removed) else None
        columns = {"fewer": 0, "equal": 1, "more": 2}
        means = _means({name: shares[:, i] if shares is not None else np.empty(0) for name, i in columns.items()}, seed)
        rows.append({"first": first, "second": second, **means})
    return rows


def _test(rows: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return test 1 of one ranking: the 2x2 table exactly over r and for the one draw, and the divergences."""
    top, drawn = rows.top_flips.to_numpy(dtype=float), rows.random_flips.to_numpy(dtype=float)
    columns = {f"exact_{cell}": share for cell, share in _cells(top, rows.share_random_flips.to_numpy(float)).items()}
    columns |= {f"drawn_{cell}": share for cell, share in _cells(top, drawn).items()}
    for name in ("expected_delta_js", "share_negative", "share_zero", "delta_js", "delta_attention"):
        columns[name] = rows[name].to_numpy(dtype=float)
    means = _means(columns, seed)
    tables = {
        kind: {name.removeprefix(f"{kind}_"): means.pop(name) for name in list(means) if name.startswith(f"{kind}_")}
        for kind in ("exact", "drawn")
    }
    return tables | means


def _cells(top: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "both_flip": top * other,
        "top_alone_flips": top * (1 - other),
        "other_alone_flips": (1 - top) * other,
        "none_flips": (1 - top) * (1 - other),
    }


def _means(columns: dict[str, np.ndarray], seed: int) -> dict[str, Any]:
    estimates: list[Estimate] = bootstrap_means(np.stack(list(columns.values()), axis=1), seed)
    return {name: asdict(estimate) for name, estimate in zip(columns, estimates, strict=True)}
