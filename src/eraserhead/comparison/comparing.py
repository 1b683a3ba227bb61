"""Compares results document by document (METHOD section 16)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import kendalltau

from eraserhead.comparison.compared import Compared, Comparison, Difference, ScoreAgreement
from eraserhead.comparison.sources import CURVES, Scores, Source, check_same_documents
from eraserhead.errors import UserError
from eraserhead.method.intervals import difference_of, mean_of
from eraserhead.method.paired import sign_flip_p_values
from eraserhead.method.statistics import Estimate, holm


def compare_sources(sources: Sequence[Source]) -> Comparison:
    """Compare results in pairs.

    Raises:
        UserError: They are on other documents, share no document of two components or more, or share no ranking.
    """
    for other in sources[1:]:
        check_same_documents(sources[0], other)
    ids = [str(name) for name in sources[0].texts.index if all(name in source.analysed for source in sources)]
    if not ids:
        raise UserError("no document has two components or more in all of the results: there is nothing to compare")
    pairs = [_Pair(first, second) for first, second in combinations(sources, 2)]
    for pair in pairs:
        if not pair.rankings:
            raise UserError(f"{pair.first.results} and {pair.second.results}: they have no ranking in common")
    return Comparison(
        results=tuple(map(_compared, sources)),
        documents=len(sources[0].texts),
        analysed=len(ids),
        differences=tuple(_corrected(_differences(pairs, ids))),
        agreements=tuple(_agreements(pairs, ids)),
    )


@dataclass(frozen=True)
class _Pair:
    """Two results that are compared."""

    first: Source
    second: Source

    @property
    def names(self) -> tuple[str, str]:
        return self.first.name, self.second.name

    @property
    def rankings(self) -> list[str]:
        """The rankings that both have, in the order of the first."""
        return [name for name in self.first.flips if name in self.second.flips]


def _compared(source: Source) -> Compared:
    setup, data = source.summary.setup, source.summary.setup.data
    return Compared(source.name, source.results, setup.model.name, setup.site, data.named, source.summary.accuracy)


def _differences(pairs: Sequence[_Pair], ids: Sequence[str]) -> list[Difference]:
    """Return all differences, without a correction."""
    found = [each for pair in pairs for ranking in pair.rankings for each in _measured(pair, ranking, ids)]
    columns = [each.second - each.first for each in found]
    p_values = sign_flip_p_values(np.stack(columns, axis=1))
    return [
        Difference(
            *(each.pair.first.name, each.pair.second.name, each.ranking, each.measure),
            of_first=_mean(each.first, column),
            of_second=_mean(each.second, column),
            difference=_difference(each.measure, column),
            p_value=None if np.isnan(p_values[number]) else float(p_values[number]),
            corrected=None,
        )
        for number, (each, column) in enumerate(zip(found, columns, strict=True))
    ]


@dataclass(frozen=True)
class _Measured:
    """A measure of a ranking in both results of a pair, over the same documents; NaN where there is none."""

    pair: _Pair
    ranking: str
    measure: str
    first: Float[np.ndarray, " documents"]
    second: Float[np.ndarray, " documents"]


def _measured(pair: _Pair, ranking: str, ids: Sequence[str]) -> Iterator[_Measured]:
    first, second = (source.measures(ranking) for source in (pair.first, pair.second))
    for measure in first:
        if measure in second:
            columns = (own[measure].reindex(ids).to_numpy() for own in (first, second))
            yield _Measured(pair, ranking, measure, *columns)


def _mean(values: Float[np.ndarray, " documents"], where: Float[np.ndarray, " documents"]) -> float | None:
    """Return the mean where another column has numbers."""
    chosen = values[~np.isnan(where)]
    return float(chosen.mean()) if len(chosen) else None


def _difference(measure: str, column: Float[np.ndarray, " documents"]) -> Estimate:
    """Return the mean difference with its interval; fractions and shares are from 0 to 1."""
    return mean_of(column) if measure in CURVES else difference_of(column)


def _corrected(differences: Sequence[Difference]) -> Iterator[Difference]:
    """Yield the differences with Holm's correction over those that have a p-value."""
    tested = [each for each in differences if each.p_value is not None]
    corrected = iter(holm(np.array([each.p_value for each in tested], dtype=float)))
    for each in differences:
        yield each if each.p_value is None else replace(each, corrected=float(next(corrected)))


def _agreements(pairs: Sequence[_Pair], ids: Sequence[str]) -> Iterator[ScoreAgreement]:
    """Yield how alike scores are, over the documents with the same components in both results."""
    for pair in pairs:
        if pair.first.summary.setup.site.components != pair.second.summary.setup.site.components:
            continue
        for ranking, own in pair.first.scores.items():
            if ranking in pair.second.scores:
                taus = _taus(pair, own, pair.second.scores[ranking])
                yield ScoreAgreement(*pair.names, ranking, tau=mean_of(taus.reindex(ids).to_numpy(), -1.0, 1.0))


def _taus(pair: _Pair, first: Scores, second: Scores) -> pd.Series:
    """Return Kendall's tau-b of two rankings' scores, a mean over a document's labels, by its id."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for key, scores in first.items():
        same = key in second and pair.first.components[key] == pair.second.components[key]
        if same and len(scores) > 1:
            tau: Any = kendalltau(scores, second[key])
            found[key[0]].append(float(tau.statistic))
    # Equal scores everywhere have no order, and no tau.
    return pd.Series({name: np.nanmean(own) for name, own in found.items() if not np.isnan(own).all()}, dtype=float)
