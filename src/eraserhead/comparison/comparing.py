"""Compares results document by document (METHOD section 16)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from eraserhead.comparison.compared import Compared, Comparison, Difference, ScoreAgreement
from eraserhead.comparison.sources import Source, check_same_documents
from eraserhead.errors import UserError
from eraserhead.method.bootstrap import bootstrap_means
from eraserhead.method.paired import sign_flip_p_values
from eraserhead.method.statistics import Estimate, holm

NO_ESTIMATE = Estimate(None, None, None, 0)


def compare_sources(sources: Sequence[Source], seed: int) -> Comparison:
    """Compare results in pairs.

    Raises:
        UserError: They are on other documents, share no document of two components or more, or share no ranking.
    """
    for other in sources[1:]:
        check_same_documents(sources[0], other)
    ids = [name for name in sources[0].texts.index if all(name in source.analysed for source in sources)]
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
        differences=tuple(_corrected(_differences(pairs, ids, seed))),
        agreements=tuple(_agreements(pairs, ids, seed)),
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
    named = data.name or data.path or "given texts"
    return Compared(source.name, source.results, setup.model.name, setup.site, named, source.summary.accuracy)


def _differences(pairs: Sequence[_Pair], ids: list[str], seed: int) -> list[Difference]:
    """Return all differences, without a correction."""
    keys, columns, means = [], [], []
    for pair in pairs:
        for ranking in pair.rankings:
            measures = [source.measures(ranking) for source in (pair.first, pair.second)]
            for measure in measures[0]:
                first, second = (own.get(measure, pd.Series(dtype=float)).reindex(ids).to_numpy() for own in measures)
                difference = second - first
                both = ~np.isnan(difference)
                keys.append((*pair.names, ranking, measure))
                columns.append(difference)
                means.append([float(own[both].mean()) if both.any() else None for own in (first, second)])
    estimates = bootstrap_means(zip(keys, columns, strict=True), seed)
    p_values = sign_flip_p_values(np.stack(columns, axis=1), seed)
    return [
        Difference(*key, *of, estimates[key], None if np.isnan(p_value) else float(p_value), None)
        for key, of, p_value in zip(keys, means, p_values, strict=True)
    ]


def _corrected(differences: Sequence[Difference]) -> Iterator[Difference]:
    """Yield the differences with Holm's correction over those that have a p-value."""
    tested = [each for each in differences if each.p_value is not None]
    corrected = iter(holm(np.array([each.p_value for each in tested], dtype=float)))
    for each in differences:
        yield each if each.p_value is None else replace(each, corrected=float(next(corrected)))


def _agreements(pairs: Sequence[_Pair], ids: list[str], seed: int) -> Iterator[ScoreAgreement]:
    """Yield how alike scores are, over the documents with the same components in both results."""
    keys, columns = [], []
    for pair in pairs:
        if pair.first.summary.setup.site.components != pair.second.summary.setup.site.components:
            continue
        for ranking, own in pair.first.scores.items():
            if ranking in pair.second.scores:
                taus = _taus(pair, own, pair.second.scores[ranking])
                keys.append((*pair.names, ranking))
                columns.append(taus.reindex(ids).to_numpy())
    estimates = bootstrap_means(zip(keys, columns, strict=True), seed)
    for key in keys:
        yield ScoreAgreement(*key, tau=estimates[key])


def _taus(pair: _Pair, first: dict, second: dict) -> pd.Series:
    """Return Kendall's tau-b of two rankings' scores, a mean over a document's labels, by its id."""
    keys, values = [], []
    components = pair.first.components, pair.second.components
    for key, scores in first.items():
        if key in second and components[0][key] == components[1][key] and len(scores) > 1:
            keys.append(key[0])
            values.append(kendalltau(scores, second[key]).statistic)
    return pd.Series(values, keys, dtype=float).groupby(level=0, sort=False).mean()
