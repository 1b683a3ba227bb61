"""Aggregates over documents, from the tables of a results folder (METHOD sections 3 to 5)."""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pyarrow as pa

from eraserhead.data.seen import UNSEEN
from eraserhead.data.tokens import COUNTS, summed_truncation
from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.curve_values import curve_estimates, curve_summary
from eraserhead.erasure.decided_documents import LARGEST_CLASS, Estimates, Key, accuracies, counts
from eraserhead.erasure.draws import random_orders
from eraserhead.erasure.fewest import fewest_removals
from eraserhead.erasure.flip_values import COLUMNS, FlipValues, averager, flips_by_ranking, own_decisions
from eraserhead.erasure.label_scores import label_scores
from eraserhead.erasure.permuted import shuffled_estimates, shuffled_weights
from eraserhead.erasure.ranking_summaries import Distribution, Pair, RankingSummary, SingleErasureTable, TestSummary
from eraserhead.erasure.results import ResultTables, is_analysed
from eraserhead.erasure.schemas import CEILING_COLUMNS, RATIONALE_COLUMNS
from eraserhead.erasure.summary import BEYOND_ORDINARY, Aggregates, Agreement, People
from eraserhead.method.intervals import mean_of, share_of
from eraserhead.method.names import BEST_FOUND, RANDOM, YARDSTICKS, Outcome
from eraserhead.method.quantiles import quantiles_of
from eraserhead.method.statistics import Estimate, compare

QUARTILES = {"q25": 0.25, "median": 0.5, "q75": 0.75}
QUANTITIES = {"fraction": 1.0, "removed": np.inf, "mass": 1.0}  # and the largest value of each
DOCUMENT_COLUMNS = [
    *("id", "label", "labels", "prediction", "predictions", "model_prediction", "n", "training_role", "annotators"),
    *("percentile", *CEILING_COLUMNS),
    *COUNTS,
]
SHARES = ("share_negative", "share_zero")  # of test 1
DIFFERENCES = ("expected_delta_js", "delta_js", "delta_attention")
TEST_COLUMNS = ["id", "ranking", "n", "top_flips", "random_flips", "share_random_flips", *SHARES, *DIFFERENCES]
FEWER, EQUAL, MORE = "fewer", "equal", "more"  # removals of the first of a pair of rankings
FEWER_UNTIED, MORE_UNTIED = "fewer_untied", "more_untied"
SWAPPED = {FEWER: MORE, EQUAL: EQUAL, MORE: FEWER, FEWER_UNTIED: MORE_UNTIED}
EXACT, DRAWN = "exact", "drawn"  # the 2x2 tables of test 1

Estimated = Mapping[Key, Estimate]


def aggregate(
    results: ResultTables, count_never_as: CountNeverAs = "beyond_all", labels: Sequence[str] = ()
) -> Aggregates:
    """Return all aggregates with their 95 % intervals over documents; a document's decisions are averaged first.

    A document has several decisions of a model that decides label by label, whose names are `labels`, or of several
    models that differ in the seed.

    Documents with fewer than two components are counted and left out of every aggregate. With `count_never_as` ``all``,
    a document that never flips ties with one that flips when everything is erased; the outcomes stay apart.
    """
    table = results.table("documents", DOCUMENT_COLUMNS)
    decisions = table.to_pandas()
    is_first = ~decisions.id.duplicated()
    documents = decisions.loc[is_first]
    analysed, analysed_decisions = (rows.loc[is_analysed(rows.n)] for rows in (documents, decisions))
    every = flips_by_ranking(results.batches("flips", COLUMNS), count_never_as)
    flips = own_decisions(every)
    singles = results.analysed("singles", TEST_COLUMNS).to_pandas(strings_to_categorical=True)
    tests = {str(name): rows for name, rows in singles.groupby("ranking", sort=False, observed=True)}
    yardstick = next((name for name in YARDSTICKS if name in flips), None)

    def estimates() -> Estimates:
        yield from accuracies(analysed_decisions, labels)
        for name, found in flips.items():
            yield from ranking_estimates(name, found, flips.get(yardstick or ""))
        yield from pair_estimates(flips)
        yield from shuffled_estimates(every)
        yield from ceiling_estimates(analysed)
        for name, rows in tests.items():
            yield from single_estimates(name, rows)
        yield from curve_estimates(results)

    found = dict(estimates())
    return Aggregates(
        documents=counts(documents, decisions),
        truncation=summed_truncation(table.filter(pa.array(is_first))),
        accuracy=found["accuracy", "all"],
        accuracy_unseen=found.get(("accuracy", UNSEEN)),
        yardstick=yardstick,
        rankings={name: ranking_summary(name, values, found) for name, values in flips.items()},
        beyond_rankings=found.get(("beyond_rankings",)),
        pairs=pairs(flips, found),
        tests={name: single_summary(name, found) for name in tests},
        labels=label_scores(analysed, len(analysed_decisions), labels) if labels else None,
        random_orders=random_orders(flips),
        ordinary_documents=int(analysed.percentile.notna().sum()),
        shuffled=shuffled_weights(every, found),
        largest_class=found.get(("accuracy", LARGEST_CLASS)),
        people=people(flips, analysed, found),
        fewest=fewest_removals(flips),
    )


def ranking_estimates(name: str, flips: FlipValues, yardstick: FlipValues | None) -> Estimates:
    """Yield test 2 along one ranking but for quantiles, a document's draws and decisions averaged first."""
    average = averager(flips.ids)
    shares = {outcome.label: (flips.outcome == outcome).mean(1) for outcome in Outcome}
    shares |= {measure: _mean_where_number(values) for measure, values in flips.people.items()}
    means = {}
    if yardstick is not None:
        means["excess"], shares["optimal"] = _against(flips, yardstick)
    beyond = np.where(np.isnan(flips.percentile), np.nan, flips.percentile > BEYOND_ORDINARY)
    shares["out_of_ordinary"] = _mean_where_number(beyond)
    if name == RANDOM:
        means["spread"] = _spread(flips.numbers("fraction"))
    for field, values in shares.items():
        yield ("ranking", name, field), share_of(average(values))
    for field, values in means.items():
        yield ("ranking", name, field), mean_of(average(values), least=0.0)
    for quantity, most in QUANTITIES.items():
        restricted = average(flips.restricted(quantity).mean(1))
        of_flips = average(_mean_where_number(flips.numbers(quantity)))
        yield ("ranking", name, quantity, "mean"), mean_of(restricted, 0.0, most)
        yield ("ranking", name, quantity, "mean_of_flips"), mean_of(of_flips, 0.0, most)


def ranking_summary(name: str, flips: FlipValues, estimates: Estimated) -> RankingSummary:
    """Return test 2 along one ranking."""
    own = {key[2:]: found for key, found in estimates.items() if key[:2] == ("ranking", name)}

    def distribution(quantity: str) -> Distribution:
        quartiles = quantiles_of(flips.values(quantity), list(QUARTILES.values()), flips.documents)
        means = {key[1]: found for key, found in own.items() if key[0] == quantity}
        return Distribution(**dict(zip(QUARTILES, quartiles, strict=True)), **means)

    return RankingSummary(
        outcomes={outcome.label: own[outcome.label,] for outcome in Outcome},
        **{quantity: distribution(quantity) for quantity in QUANTITIES},
        excess=own.get(("excess",)),
        optimal=own.get(("optimal",)),
        spread=own.get(("spread",)),
        out_of_ordinary=own["out_of_ordinary",] if own["out_of_ordinary",].count else None,
        curves=curve_summary(name, estimates),
    )


def ceiling_estimates(documents: pd.DataFrame) -> Estimates:
    """Yield how well the annotators of each document agree with each other."""
    for column in CEILING_COLUMNS:
        yield ("ceiling", column), share_of(documents[column].to_numpy(dtype=float))


def people(flips: Mapping[str, FlipValues], documents: pd.DataFrame, estimates: Estimated) -> People | None:
    """Return how well each ranking agrees with what people marked; null where nobody marked anything."""
    marked = documents.annotators.notna()
    if not marked.any():
        return None
    reached = Agreement(*(estimates["ceiling", column] for column in CEILING_COLUMNS))
    return People(
        documents=int(marked.sum()),
        annotators=float(documents.annotators[marked].mean()),
        rankings={
            name: Agreement(*(estimates["ranking", name, column] for column in RATIONALE_COLUMNS))
            for name in flips
            if name not in YARDSTICKS
        },
        ceiling=reached if reached.auc.count else None,
    )


def _against(flips: FlipValues, yardstick: FlipValues) -> tuple[np.ndarray, np.ndarray]:
    """Return the removals in excess of the yardstick's, where both flip, and whether the ranking is as short.

    A ranking that never flips where the yardstick does is not as short: rankings are compared on the same documents.
    """
    optimal = np.where(np.isinf(yardstick.removed), np.nan, flips.removed == yardstick.removed)
    excess = flips.numbers("removed") - yardstick.numbers("removed")
    return _mean_where_number(excess), _mean_where_number(optimal)


def _mean_where_number(values: np.ndarray) -> np.ndarray:
    """Average a document's draws over those that have a number; NaN where none has."""
    count = (~np.isnan(values)).sum(1)
    return np.where(count > 0, np.nansum(values, 1) / np.maximum(count, 1), np.nan)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return each document's standard deviation over its draws; NaN below two draws with a number."""
    count = (~np.isnan(values)).sum(1)
    deviations = np.where(np.isnan(values), 0.0, values - _mean_where_number(values)[:, None])
    return np.where(count > 1, np.sqrt((deviations**2).sum(1) / np.maximum(count - 1, 1)), np.nan)


def pair_estimates(flips: Mapping[str, FlipValues]) -> Estimates:
    """Yield which of two rankings needs strictly fewer removals, and how often the best set is smaller than any's.

    Untied are the documents on which the two differ: of one with several draws or decisions, those count that do.
    """
    if not flips:
        return
    average = averager(next(iter(flips.values())).ids)
    for first, second in combinations(flips, 2):
        shares = average(compare(flips[first].removed, flips[second].removed))
        untied = np.where(shares[:, ::2].any(1), shares[:, 0] + shares[:, 2], np.nan)
        columns = dict(zip((FEWER, EQUAL, MORE), shares.T, strict=True))
        columns |= {FEWER_UNTIED: columns[FEWER] / untied, MORE_UNTIED: columns[MORE] / untied}
        for field, values in columns.items():
            yield ("pair", first, second, field), share_of(values)
    if BEST_FOUND in flips:
        others = [found.removed.min(1) for name, found in flips.items() if name != BEST_FOUND]
        best = flips[BEST_FOUND]
        smaller = (best.removed[:, 0] < np.min(others, axis=0)).astype(float)
        yield ("beyond_rankings",), share_of(average(smaller))


def pairs(flips: Mapping[str, FlipValues], estimates: Estimated) -> list[Pair]:
    """Return for each ordered pair how often the first needs strictly fewer removals, over all documents."""

    def of(first: str, second: str, field: str) -> Estimate:
        found = estimates.get(("pair", first, second, field))
        return estimates["pair", second, first, SWAPPED[field]] if found is None else found

    return [
        Pair(first, second, **{field: of(first, second, field) for field in SWAPPED})
        for first, second in permutations(flips, 2)
    ]


def single_estimates(name: str, rows: pd.DataFrame) -> Estimates:
    """Yield test 1 of one ranking: the 2x2 table, exact and for the drawn component, and divergences."""
    average, top = averager(rows.id.to_numpy()), rows.top_flips.to_numpy(dtype=float)
    exact = _cells(top, rows.share_random_flips.to_numpy(dtype=float))
    drawn = _cells(top, rows.random_flips.to_numpy(dtype=float))
    shares = {EXACT: exact, DRAWN: drawn, "": {field: rows[field].to_numpy(dtype=float) for field in SHARES}}
    for table, columns in shares.items():
        for field, values in columns.items():
            yield ("test", name, table, field), share_of(average(values))
    for field in DIFFERENCES:
        yield ("test", name, "", field), mean_of(average(rows[field].to_numpy(dtype=float)))


def single_summary(name: str, estimates: Estimated) -> TestSummary:
    """Return test 1 of one ranking."""

    def table(which: str) -> dict[str, Estimate]:
        return {key[-1]: found for key, found in estimates.items() if key[:-1] == ("test", name, which)}

    return TestSummary(exact=SingleErasureTable(**table(EXACT)), drawn=SingleErasureTable(**table(DRAWN)), **table(""))


def _cells(top: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "both_flip": top * other,
        "top_alone_flips": top * (1 - other),
        "other_alone_flips": (1 - top) * other,
        "none_flips": (1 - top) * (1 - other),
    }
