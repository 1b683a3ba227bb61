"""Decisions as the tables of results store them, without a model."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eraserhead.erasure.results import ResultsFolder
from eraserhead.explanation.decision_numbers import (
    CurveNumbers,
    DecisionNumbers,
    FlipNumbers,
    Key,
    RankingNumbers,
    SingleNumbers,
)
from eraserhead.method.cases import ON
from eraserhead.method.names import SHUFFLES, YARDSTICKS

Wanted = dict[str, bool]  # of each document up to the last one that is read: whether it is
ID, TARGET = "id", "target"
OF_DOCUMENTS = (
    *(ID, TARGET, "text", "label", "prediction", "probabilities", "components", "starts", "ends"),
    *("single_js", "single_decision", "truncated_tokens", "percentile"),
)
OF_FLIPS = (ID, TARGET, "ranking", "draw", "removed", "mass", "outcome", "percentile", "order")


@dataclass(frozen=True)
class _Along:
    """What the tables have of one ranking of one decision, as it is found."""

    flips: list[FlipNumbers]
    order: np.ndarray


def stored_decisions(
    results: ResultsFolder, documents: int, ids: Collection[str] | None = None
) -> list[DecisionNumbers]:
    """Read the decisions on the first documents of finished results.

    Args:
        results: The results.
        documents: Most documents; all labels of a document are read with it.
        ids: Only documents with these ids are read; default: any.

    Raises:
        UserError: A table is damaged.
    """
    rows, wanted = _document_rows(results, documents, ids)
    flips: dict[Key, dict[str, _Along]] = defaultdict(dict)
    for key, row in _rows(results, "flips", OF_FLIPS, wanted, _without_shuffles):
        flip = FlipNumbers(row["removed"], row["mass"], row["outcome"], row["percentile"])
        flips[key].setdefault(row["ranking"], _Along([], row["order"])).flips.append(flip)
    scores = _by_ranking(results, "signals", (ID, TARGET, "ranking", "scores"), wanted)
    curves = _by_ranking(results, "curves", (ID, TARGET, "ranking", "k", "probability_removed"), wanted)
    return [
        _decision(row, flips[row[ID], row[TARGET]], scores[row[ID], row[TARGET]], curves[row[ID], row[TARGET]])
        for row in rows
    ]


def _document_rows(
    results: ResultsFolder, documents: int, ids: Collection[str] | None
) -> tuple[list[dict[str, Any]], Wanted]:
    """Return the rows of the first documents, and which of the documents up to the last one they are."""
    found: list[dict[str, Any]] = []
    wanted: Wanted = {}
    left = documents
    for name, rows in groupby(_converted(results.batches("documents", OF_DOCUMENTS)), key=lambda row: row[ID]):
        wanted[name] = ids is None or name in ids
        if wanted[name]:
            found.extend(rows)
            left -= 1
        if not left:
            break
    return found, wanted


def _rows(
    results: ResultsFolder,
    table: str,
    columns: Sequence[str],
    wanted: Wanted,
    chosen: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Yield the rows on wanted documents; every table has these in one order, and is read up to the last."""
    for row in _converted(map(chosen, results.batches(table, columns))):
        if row[ID] not in wanted:
            return
        if wanted[row[ID]]:
            yield (row[ID], row[TARGET]), row


def _by_ranking(
    results: ResultsFolder, table: str, columns: Sequence[str], wanted: Wanted
) -> dict[Key, dict[str, dict[str, Any]]]:
    found: dict[Key, dict[str, dict[str, Any]]] = defaultdict(dict)
    for key, row in _rows(results, table, columns, wanted):
        found[key][row["ranking"]] = row
    return found


def _without_shuffles(flips: pa.Table) -> pa.Table:
    """Leave out the flips of permuted weights, which are another decision's."""
    return flips.filter(~pc.field("ranking").isin(pa.array(SHUFFLES)))


def _converted(batches: Iterable[pa.Table]) -> Iterator[dict[str, Any]]:
    """Yield rows; lists of numbers are arrays."""
    for batch in batches:
        names, columns = batch.column_names, [_column(column.combine_chunks()) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield dict(zip(names, row, strict=True))


def _column(column: Any) -> Sequence[Any]:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_list(column.type) or not pa.types.is_primitive(column.type.value_type):
        return column.to_pylist()
    values, offsets, absent = column.values.to_numpy(), column.offsets.to_numpy(), column.is_null().to_pylist()
    return [
        None if null else values[start:end]
        for start, end, null in zip(offsets[:-1].tolist(), offsets[1:].tolist(), absent, strict=True)
    ]


def _decision(
    row: Mapping[str, Any],
    flips: Mapping[str, _Along],
    scores: Mapping[str, Mapping[str, Any]],
    curves: Mapping[str, Mapping[str, Any]],
) -> DecisionNumbers:
    by_label = row[TARGET] is not None
    probabilities = row["probabilities"].tolist()
    single = row["single_decision"].astype(np.int32)
    rankings = [
        RankingNumbers(
            name,
            along.order,
            tuple(along.flips),
            scores[name]["scores"] if name in scores else None,
            _curve(curves[name]) if name in curves else None,
        )
        for name, along in sorted(flips.items(), key=lambda each: each[0] in YARDSTICKS)
    ]
    return DecisionNumbers(
        id=row[ID],
        target=row[TARGET],
        text=row["text"],
        label=_as_head(row["label"], by_label),
        decision=ON - row["prediction"] if by_label else row["prediction"],
        probabilities=tuple(probabilities[::-1] if by_label else probabilities),
        names=row["components"],
        starts=row["starts"],
        ends=row["ends"],
        truncated=row["truncated_tokens"],
        percentile=row["percentile"],
        rankings=tuple(rankings),
        singles=SingleNumbers(ON - single if by_label else single, row["single_js"]),
    )


def _as_head(label: int | None, by_label: bool) -> int | None:
    """Return a gold class as the head numbers it; results write the states of labels the other way round."""
    return label if label is None or not by_label else ON - label


def _curve(row: Mapping[str, Any]) -> CurveNumbers | None:
    probability = row["probability_removed"]
    if probability is None:
        return None
    return CurveNumbers(np.arange(len(probability)) if row["k"] is None else row["k"], probability)
