"""Turns tensors into the rows of the result tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor

from eraserhead.data.tokens import COUNTS
from eraserhead.erasure.results import SCHEMAS
from eraserhead.method.analysis import Analysis, RankingFlips
from eraserhead.method.names import FEWEST_COMPONENTS, Outcome
from eraserhead.method.reading import Reading
from eraserhead.method.statistics import ranking_auc
from eraserhead.method.test_one import TopAgainstRandom
from eraserhead.rankings.ranking import Ranking

OUTCOMES = np.array([outcome.label for outcome in Outcome], dtype=object)


@dataclass(frozen=True)
class BatchText:
    """The texts of a batch's documents, one list entry for each document.

    Attributes:
        rows: Numbers of the documents within their shard, to put the rows back into order.
        ids: Their ids.
        texts: Their cleaned texts.
        labels: Gold classes, None where unknown.
        components: Token strings of their components.
        starts: Offsets of the components' first characters in the text; None for tokenizers without offsets.
        ends: Offsets behind their last characters; None likewise.
        counts: Tokens that the model saw and that were cut off; for documents read by sentence, also sentences.
        training_roles: What they were in training; None where it is not known.
        evidence: Whether each component overlaps the evidence; None where the evidence is unknown.
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


def tabulate(text: BatchText, reading: Reading, rankings: Sequence[Ranking], analysis: Analysis) -> dict[str, pa.Table]:
    """Return the rows of one batch, with a first column ``row`` that orders them within the shard."""
    return {
        "documents": _table("documents", text.rows, _documents(text, reading, analysis)),
        "signals": pa.concat_tables(
            _table("signals", text.rows, _signals(text, reading, ranking)) for ranking in rankings
        ),
        "flips": pa.concat_tables(
            _table("flips", text.rows, _flips(text, reading, ranking)) for ranking in analysis.flips
        ),
        "singles": pa.concat_tables(
            _table("singles", text.rows, _singles(text, reading, name, test)) for name, test in analysis.tests.items()
        ),
    }


def join_batches(batches: Sequence[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    """Return a shard's tables, documents in their order, each document's rankings in theirs."""
    return {name: _ordered(pa.concat_tables(batch[name] for batch in batches)) for name in SCHEMAS}


def _ordered(table: pa.Table) -> pa.Table:
    order = np.argsort(table.column("row").to_numpy(), kind="stable")
    return table.drop_columns(["row"]).take(pa.array(order))


def _table(name: str, rows: list[int], columns: Mapping[str, Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [pa.array(columns[field.name], type=field.type, from_pandas=False) for field in schema]
    return pa.table([pa.array(rows, pa.int64()), *arrays], names=["row", *schema.names])


def _documents(text: BatchText, reading: Reading, analysis: Analysis) -> dict[str, Any]:
    lengths = reading.lengths.numpy(force=True)
    return {
        "id": text.ids,
        "text": text.texts,
        "label": text.labels,
        "prediction": reading.unerased.decision.numpy(force=True),
        "model_prediction": reading.model_decision.numpy(force=True),
        "probabilities": list(reading.unerased.logits.softmax(-1).numpy(force=True)),
        "n": lengths,
        "components": text.components,
        "starts": text.starts if text.starts is not None else [None] * len(text.ids),
        "ends": text.ends if text.ends is not None else [None] * len(text.ids),
        "single_js": _ragged(analysis.singles.js, lengths),
        "single_decision": _ragged(analysis.singles.decision, lengths),
        **{name: text.counts.get(name, [None] * len(text.ids)) for name in COUNTS},
        "training_role": text.training_roles or [None] * len(text.ids),
    }


def _signals(text: BatchText, reading: Reading, ranking: Ranking) -> dict[str, Any]:
    scores = _ragged(ranking.values(reading), reading.lengths.numpy(force=True))
    return {"id": text.ids, "ranking": [ranking.name] * len(text.ids), "scores": scores}


def _flips(text: BatchText, reading: Reading, ranking: RankingFlips) -> dict[str, Any]:
    lengths = reading.lengths.numpy(force=True)
    outcome = ranking.flips.outcome.numpy(force=True)
    removed = ranking.flips.removed.numpy(force=True)
    never = outcome == Outcome.NEVER
    orders = _ragged(ranking.order, lengths)
    return {
        "id": text.ids,
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
        "id": text.ids,
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
