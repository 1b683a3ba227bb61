"""Turns the analysed rows of a shard, and their documents, into the result tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Int
from transformers import PreTrainedTokenizerBase

from eraserhead.data.label_sets import LABELS
from eraserhead.data.own_columns import OTHERS
from eraserhead.data.rationales import RATIONALES
from eraserhead.data.tokens import COUNTS
from eraserhead.erasure.analysed import AREA_FIELDS, AT_FIELDS, TEST_FIELDS, AnalysedRows, joined
from eraserhead.erasure.plausibility import MEASURES, Marks, annotator_ceiling, annotators, order_agreement
from eraserhead.erasure.schemas import CEILING_COLUMNS, RATIONALE_COLUMNS, TABULATED
from eraserhead.loading.components import ComponentTexts, component_texts
from eraserhead.method.cases import in_written_order
from eraserhead.method.names import FEWEST_COMPONENTS, SHUFFLED_RANDOM, Outcome

OUTCOMES = pa.array([outcome.label for outcome in Outcome])
TRAINING_ROLE = "training_role"  # column of documents


@dataclass(frozen=True)
class _Agreement:
    """Columns of two tables that say how orders agree with people; null where nobody marked anything."""

    flips: dict[str, Any]
    documents: dict[str, Any]


@dataclass(frozen=True)
class Shard:
    """The documents of a shard and what was found of them.

    Attributes:
        documents: The tokenised documents.
        found: The analysed rows, in the order of the documents.
        texts: Texts and offsets of all components of the rows, in that order.
        classes: Names of the labels, of a model that decides label by label.
    """

    documents: pa.Table
    found: AnalysedRows
    texts: ComponentTexts
    classes: Sequence[str] = ()

    def column(self, name: str) -> pa.ChunkedArray | pa.Array:
        """Return a column of the documents for each row; null where they do not have it."""
        rows = self.found.rows.document
        if name not in self.documents.column_names:
            return pa.nulls(len(rows))
        return self.documents.column(name).take(pa.array(rows))

    @property
    def targets(self) -> list[str] | None:
        """The label that each row is about; None where a row is a document."""
        return None if self.found.on is None else [str(self.classes[label]) for label in self.found.rows.label]


def tabulate(
    documents: pa.Table,
    parts: Sequence[AnalysedRows],
    tokenizer: PreTrainedTokenizerBase,
    components: str,
    classes: Sequence[str] = (),
) -> dict[str, pa.Table]:
    """Return a shard's tables, documents in their order, each document's rankings in theirs.

    Args:
        documents: The tokenised documents.
        parts: The analysed rows of all its batches.
        tokenizer: The model's tokenizer.
        components: What components are.
        classes: Names of the labels, of a model that decides label by label.
    """
    shard = _shard(documents, parts, tokenizer, components, classes)
    people = _people(shard)
    return {
        "documents": _documents(shard, people.documents),
        "signals": _signals(shard),
        "flips": _flips(shard, people.flips),
        "singles": _singles(shard),
        "curves": _curves(shard),
    }


def tabulate_further(
    documents: pa.Table,
    parts: Sequence[AnalysedRows],
    tokenizer: PreTrainedTokenizerBase,
    components: str,
    classes: Sequence[str] = (),
) -> dict[str, pa.Table]:
    """Return the tables that further random orders change, as `tabulate` does."""
    shard = _shard(documents, parts, tokenizer, components, classes)
    return {"flips": _flips(shard, _people(shard).flips), "curves": _curves(shard)}


def _shard(
    documents: pa.Table,
    parts: Sequence[AnalysedRows],
    tokenizer: PreTrainedTokenizerBase,
    components: str,
    classes: Sequence[str],
) -> Shard:
    found = joined(parts)
    rows = found.rows
    texts = component_texts(documents, rows.document, rows.lengths, found.components.positions, tokenizer, components)
    return Shard(documents, found, texts, classes)


def _documents(shard: Shard, people: Mapping[str, Any]) -> pa.Table:
    rows, found = shard.found.rows, shard.found
    labels = shard.column(LABELS)
    columns = {
        "text": shard.column("text"),
        "label": shard.column("label") if found.on is None else _states(labels, rows.label),
        "labels": labels if found.on is not None else None,
        "prediction": rows.decision,
        "predictions": found.on,
        "model_prediction": rows.model_decision,
        "probabilities": _lists(rows.probabilities.T.ravel(), np.full(len(rows.lengths), len(rows.probabilities))),
        "n": rows.lengths,
        "components": _lists(shard.texts.names, rows.lengths),
        "starts": None if shard.texts.starts is None else _lists(shard.texts.starts, rows.lengths),
        "ends": None if shard.texts.ends is None else _lists(shard.texts.ends, rows.lengths),
        "single_js": _lists(found.components.single_js, rows.lengths),
        "single_decision": _lists(found.components.single_decision, rows.lengths),
        **{name: shard.column(name) for name in (*COUNTS, TRAINING_ROLE)},
        "percentile": None,
        "seen": found.seen.take(pa.array(np.arange(0, len(found.seen), 1 + len(found.orders)))),
        **people,
    }
    if OTHERS in shard.documents.column_names:
        columns[OTHERS] = shard.column(OTHERS)
    return _table("documents", shard, 1, columns)


def _signals(shard: Shard) -> pa.Table:
    found, lengths = shard.found, shard.found.rows.lengths
    columns = {
        "ranking": _repeated(found.rankings, len(lengths)),
        "scores": _lists(_by_row(found.components.signals, lengths), np.repeat(lengths, len(found.rankings))),
    }
    return _table("signals", shard, len(found.rankings), columns)


def _flips(shard: Shard, people: Mapping[str, Any]) -> pa.Table:
    found, rows = shard.found, shard.found.rows
    each = len(found.orders)
    lengths, removed, outcome = np.repeat(rows.lengths, each), rows.removed.T.ravel(), rows.outcome.T.ravel()
    never = outcome == Outcome.NEVER
    columns = {
        "ranking": _repeated([name for name, _ in found.orders], len(rows.lengths)),
        "draw": _repeated([draw for _, draw in found.orders], len(rows.lengths)),
        "n": lengths,
        "removed": pa.array(removed, mask=never),
        "fraction": pa.array(removed / np.maximum(lengths, 1), mask=never),
        "mass": pa.array(rows.mass.T.ravel(), mask=never),
        "outcome": OUTCOMES.take(pa.array(outcome)),
        "order": _orders(found, lengths),
        "percentile": None,
        "seen": _at_flips(shard),
        **people,
    }
    return _table("flips", shard, each, columns)


def _singles(shard: Shard) -> pa.Table:
    found, rows = shard.found, shard.found.rows
    each = len(found.tests)
    tests = rows.tests.transpose(1, 2, 0).reshape(len(TEST_FIELDS), -1)
    lengths = np.repeat(rows.lengths, each)
    alone = lengths < FEWEST_COMPONENTS  # there is no other component to compare with
    values = dict(zip(TEST_FIELDS, tests, strict=True))
    values["delta_js"] = values["js_top"] - values["js_random"]
    columns = {name: pa.array(column, mask=alone) for name, column in values.items()}
    columns |= {"ranking": _repeated(found.tests, len(rows.lengths)), "n": pa.array(lengths)}
    return _table("singles", shard, each, columns)


def _curves(shard: Shard) -> pa.Table:
    found, rows = shard.found, shard.found.rows
    each = len(found.curves)
    steps = np.repeat(rows.steps, each)
    every = rows.steps == rows.lengths + 1  # what k is then goes without saying
    at, areas = rows.at.transpose(1, 3, 0, 2), rows.areas.transpose(1, 2, 0).reshape(len(AREA_FIELDS), -1)
    columns: dict[str, Any] = {
        "ranking": _repeated(found.curves, len(rows.lengths)),
        "n": np.repeat(rows.lengths, each),
        "k": _lists(found.steps.k, rows.steps, every | (rows.steps == 0)).take(
            pa.array(np.repeat(np.arange(len(rows.steps)), each))
        ),
    }
    for name, values in (("removed", found.steps.removed), ("kept", found.steps.kept)):
        flat = _by_row(values.astype(np.float32), rows.steps)
        columns[f"probability_{name}"] = _lists(flat, steps, steps == 0)
    for name, values in zip(AT_FIELDS, at, strict=True):
        flat = values.reshape(-1, values.shape[-1])
        absent = np.isnan(flat[:, 0])
        columns[name] = pa.array(flat.mean(1), mask=absent)
        columns[f"{name}_at"] = _lists(flat.ravel(), np.full(len(flat), flat.shape[1]), absent)
    columns |= {name: pa.array(values, mask=np.isnan(values)) for name, values in zip(AREA_FIELDS, areas, strict=True)}
    return _table("curves", shard, each, columns)


def _table(name: str, shard: Shard, each: int, columns: dict[str, Any]) -> pa.Table:
    """Return a table with `each` rows for every row of the shard."""
    rows = np.repeat(shard.found.rows.document, each)
    targets = shard.targets
    keys = {
        "id": shard.documents.column("id").take(pa.array(rows)),
        "target": None if targets is None else np.repeat(np.array(targets, dtype=object), each),
    }
    columns = {**keys, **columns}
    schema = TABULATED[name]
    if OTHERS in columns:
        schema = schema.append(pa.field(OTHERS, columns[OTHERS].type))
    return pa.table([_array(columns[field.name], field.type, len(rows)) for field in schema], schema=schema)


def _array(values: Any, kind: pa.DataType, rows: int) -> pa.Array | pa.ChunkedArray:
    if values is None:
        return pa.nulls(rows, kind)
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        return pa.array(values, kind, from_pandas=False)
    return values if values.type == kind else values.cast(kind)


def _lists(values: Any, lengths: np.ndarray, absent: np.ndarray | None = None) -> pa.ListArray:
    offsets = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
    values = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=None if absent is None else pa.array(absent))


def _orders(found: AnalysedRows, lengths: np.ndarray) -> pa.ListArray:
    """Return the orders; null for `SHUFFLED_RANDOM`, of which each draw has the random order of that number."""
    orders = _lists(_by_row(found.components.orders, found.rows.lengths), lengths)
    known_by_draw = [name == SHUFFLED_RANDOM for name, _ in found.orders] * len(found.rows.lengths)
    return pa.ListArray.from_arrays(orders.offsets, orders.values, mask=pa.array(known_by_draw, pa.bool_()))


def _by_row(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return values ``[lists, components]`` row after row: all lists of the first row, then those of the second."""
    lists, starts = len(values), lengths.cumsum() - lengths
    places = np.arange(values.shape[1]) + np.repeat(starts * (lists - 1), lengths)
    strides = np.repeat(lengths, lengths)
    out = np.empty(values.size, dtype=values.dtype)
    for number, of_list in enumerate(values):
        out[places + number * strides] = of_list
    return out


def _repeated(values: Sequence[Any], times: int) -> pa.Array:
    return pa.array(values).take(pa.array(np.tile(np.arange(len(values)), times)))


def _at_flips(shard: Shard) -> pa.ListArray:
    """Return what the head sees at the first flips, without what it sees with nothing erased."""
    seen, lists = shard.found.seen, 1 + len(shard.found.orders)
    return seen.take(pa.array(np.flatnonzero(np.arange(len(seen)) % lists)))


def _states(labels: Any, numbers: Int[np.ndarray, " rows"]) -> list[int | None]:
    """Return whether each row's label should be on, as results number it; None where its document's are unknown."""
    return [
        None if own is None else int(in_written_order(torch.tensor(int(number in own))))
        for own, number in zip(labels.to_pylist(), numbers.tolist(), strict=True)
    ]


def _people(shard: Shard) -> _Agreement:
    """Return how the orders agree with what people marked; null where nobody did."""
    starts, ends = shard.texts.starts, shard.texts.ends
    if RATIONALES not in shard.documents.column_names or starts is None or ends is None:
        return _Agreement(dict.fromkeys(RATIONALE_COLUMNS), dict.fromkeys(["annotators", *CEILING_COLUMNS]))
    lengths, in_text = shard.found.rows.lengths, np.asarray(ends) > np.asarray(starts)
    rationales = shard.column(RATIONALES).to_pylist()
    marks = Marks.of(rationales, np.asarray(starts), np.asarray(ends), lengths)
    orders = order_agreement(marks, shard.found.components.orders, lengths, in_text)
    reached = annotator_ceiling(marks, lengths, in_text)
    return _Agreement(
        flips={
            column: _numbers(orders[measure].T.ravel())
            for measure, column in zip(MEASURES, RATIONALE_COLUMNS, strict=True)
        },
        documents={
            column: _numbers(reached[measure]) for measure, column in zip(MEASURES, CEILING_COLUMNS, strict=True)
        }
        | {"annotators": annotators(rationales)},
    )


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))
