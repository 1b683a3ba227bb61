"""Turns tensors into the rows of the result tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from eraserhead.data.tokens import COUNTS
from eraserhead.erasure.results import SCHEMAS
from eraserhead.method.analysis import Analysis, RankingFlips
from eraserhead.method.cases import in_written_order
from eraserhead.method.names import FEWEST_COMPONENTS, Outcome
from eraserhead.method.reading import Reading
from eraserhead.method.statistics import ranking_auc
from eraserhead.method.test_one import TopAgainstRandom
from eraserhead.rankings.ranking import Ranking

OUTCOMES = np.array([outcome.label for outcome in Outcome], dtype=object)


@dataclass(frozen=True)
class CaseTexts:
    """What each row of a batch is about, where it is a document and a label.

    Attributes:
        targets: Name of its label.
        numbers: Number of its label, by which a document's rows are ordered.
        states: Whether it should be on, as results number it; None where that is unknown.
        labels: All labels that should be on for its document; None likewise.
        predictions: All labels that are on.
    """

    targets: Sequence[str]
    numbers: list[int]
    states: list[int | None]
    labels: Sequence[list[int] | None]
    predictions: list[list[int]]


def case_texts(reading: Reading, labels: Sequence[list[int] | None] | None, classes: Sequence[str]) -> CaseTexts | None:
    """Return what the rows of a reading are about; None where each is a document.

    Args:
        reading: The reading.
        labels: The labels that should be on, of each row's document.
        classes: Names of all labels.
    """
    cases = reading.cases
    if cases is None:
        return None
    numbers = cases.labels.tolist()
    gold = [None] * len(numbers) if labels is None else list(labels)
    on = [row.nonzero().squeeze(1).tolist() for row in cases.on]
    states = [
        None if own is None else int(in_written_order(torch.tensor(int(number in own))))
        for own, number in zip(gold, numbers, strict=True)
    ]
    predictions = [on[document] for document in cases.documents.tolist()]
    return CaseTexts([str(classes[number]) for number in numbers], numbers, states, gold, predictions)


@dataclass(frozen=True)
class BatchText:
    """The texts of a batch's rows, one list entry for each row: a document, or a case of one.

    Attributes:
        rows: Numbers of their documents within the shard, to put the rows back into order.
        ids: Their ids.
        texts: Their cleaned texts.
        labels: Gold classes, None where unknown.
        components: Token strings of their components.
        starts: Offsets of the components' first characters in the text; None for tokenizers without offsets.
        ends: Offsets behind their last characters; None likewise.
        counts: Tokens that the model saw and that were cut off; for documents read by sentence, also sentences.
        training_roles: What they were in training; None where it is not known.
        evidence: Whether each component overlaps the evidence; None where the evidence is unknown.
        cases: What each row is about, where it is a document and a label.
    """

    rows: list[int]
    ids: list[str]
    texts: list[str]
    labels: list[int | None]
    components: list[list[str]]
    starts: list[list[int]] | None
    ends: list[list[int]] | None
    counts: Mapping[str, list[int]]
    training_roles: list[str] | None
    evidence: list[np.ndarray] | None
    cases: CaseTexts | None = None

    @property
    def order(self) -> list[tuple[int, int]]:
        """What the rows are ordered by in a shard: documents, and the labels of each."""
        return list(zip(self.rows, self.cases.numbers if self.cases else [0] * len(self.rows), strict=True))

    @property
    def keys(self) -> dict[str, Sequence[Any]]:
        """What a row of any table is about."""
        return {"id": self.ids, "target": self.cases.targets if self.cases else [None] * len(self.ids)}


def tabulate(text: BatchText, reading: Reading, rankings: Sequence[Ranking], analysis: Analysis) -> dict[str, pa.Table]:
    """Return the rows of one batch, with first columns ``row`` and ``case`` that order them within the shard."""
    return {
        "documents": _table("documents", text.order, _documents(text, reading, analysis)),
        "signals": pa.concat_tables(
            _table("signals", text.order, _signals(text, reading, ranking)) for ranking in rankings
        ),
        "flips": pa.concat_tables(
            _table("flips", text.order, _flips(text, reading, ranking)) for ranking in analysis.flips
        ),
        "singles": pa.concat_tables(
            _table("singles", text.order, _singles(text, reading, name, test)) for name, test in analysis.tests.items()
        ),
    }


def tabulate_flips(text: BatchText, reading: Reading, found: Sequence[RankingFlips]) -> dict[str, pa.Table]:
    """Return the rows of the table of flips alone, with the same first columns."""
    return {"flips": pa.concat_tables(_table("flips", text.order, _flips(text, reading, each)) for each in found)}


def join_batches(batches: Sequence[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    """Return a shard's tables, those that there are, documents in their order, each document's rankings in theirs."""
    return {name: _ordered(pa.concat_tables(batch[name] for batch in batches)) for name in batches[0]}


def _ordered(table: pa.Table) -> pa.Table:
    order = np.lexsort((table.column("case").to_numpy(), table.column("row").to_numpy()))  # stable
    return table.drop_columns(["row", "case"]).take(pa.array(order))


def _table(name: str, order: list[tuple[int, int]], columns: Mapping[str, Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [pa.array(columns[field.name], type=field.type, from_pandas=False) for field in schema]
    rows, cases = (pa.array(numbers, pa.int64()) for numbers in np.array(order).reshape(-1, 2).T)
    return pa.table([rows, cases, *arrays], names=["row", "case", *schema.names])


def _documents(text: BatchText, reading: Reading, analysis: Analysis) -> dict[str, Any]:
    lengths, cases = reading.lengths.numpy(force=True), text.cases
    probabilities = reading.unerased.logits.softmax(-1)
    nothing = [None] * len(text.ids)

    def written(decision: Tensor) -> Tensor:
        return decision if cases is None else in_written_order(decision)

    return {
        **text.keys,
        "text": text.texts,
        "label": text.labels if cases is None else cases.states,
        "labels": nothing if cases is None else cases.labels,
        "prediction": written(reading.unerased.decision).numpy(force=True),
        "predictions": nothing if cases is None else cases.predictions,
        "model_prediction": written(reading.model_decision).numpy(force=True),
        "probabilities": list((probabilities if cases is None else probabilities.flip(-1)).numpy(force=True)),
        "n": lengths,
        "components": text.components,
        "starts": text.starts if text.starts is not None else nothing,
        "ends": text.ends if text.ends is not None else nothing,
        "single_js": _ragged(analysis.singles.js, lengths),
        "single_decision": _ragged(written(analysis.singles.decision), lengths),
        **{name: text.counts.get(name, nothing) for name in COUNTS},
        "training_role": text.training_roles or nothing,
    }


def _signals(text: BatchText, reading: Reading, ranking: Ranking) -> dict[str, Any]:
    scores = _ragged(ranking.values(reading), reading.lengths.numpy(force=True))
    return {**text.keys, "ranking": [ranking.name] * len(text.ids), "scores": scores}


def _flips(text: BatchText, reading: Reading, ranking: RankingFlips) -> dict[str, Any]:
    lengths = reading.lengths.numpy(force=True)
    outcome = ranking.flips.outcome.numpy(force=True)
    removed = ranking.flips.removed.numpy(force=True)
    never = outcome == Outcome.NEVER
    orders = _ragged(ranking.order, lengths)
    return {
        **text.keys,
        "ranking": [ranking.ranking] * len(text.ids),
        "draw": [ranking.draw] * len(text.ids),
        "n": lengths,
        "removed": _null_where(never, removed),
        "fraction": _null_where(never, removed / np.maximum(lengths, 1)),
        "mass": _null_where(never, ranking.flips.mass.numpy(force=True)),
        "outcome": OUTCOMES[outcome],
        "order": orders,
        "evidence_auc": _evidence(text, orders),
    }


def _singles(text: BatchText, reading: Reading, name: str, test: TopAgainstRandom) -> dict[str, Any]:
    lengths = reading.lengths.numpy(force=True)
    columns = {field.name: getattr(test, field.name).numpy(force=True) for field in fields(test)}
    columns["delta_js"] = columns["js_top"] - columns["js_random"]
    alone = lengths < FEWEST_COMPONENTS  # there is no other component to compare with
    return {
        **text.keys,
        "ranking": [name] * len(text.ids),
        "n": lengths,
        **{column: _null_where(alone, values) for column, values in columns.items()},
    }


def _null_where(absent: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=absent)


def _ragged(values: Tensor, lengths: np.ndarray) -> list[np.ndarray]:
    return [row[:length] for row, length in zip(values.numpy(force=True), lengths, strict=True)]


def _evidence(text: BatchText, orders: list[np.ndarray]) -> list[float | None]:
    if text.evidence is None:
        return [None] * len(orders)
    return [ranking_auc(order, relevant) for order, relevant in zip(orders, text.evidence, strict=True)]
