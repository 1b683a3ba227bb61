"""Turns what was found at all places of a shard's documents into the tables of an atlas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.data.label_sets import LABELS
from eraserhead.data.tokens import COUNTS
from eraserhead.erasure.analysed import labels_on, written
from eraserhead.erasure.schemas import DOCUMENT_ROWS, FLIP_ROWS, PLACE
from eraserhead.erasure.tabulate import TRAINING_ROLE, states
from eraserhead.mapping.folder import REMOVED, SHARD_SCHEMAS
from eraserhead.method.names import RANDOM
from eraserhead.method.places import PlaceFlips, removed_at
from eraserhead.method.reading import Reading

NEVER = -1  # in place of a number of components, where nothing flips
EFFECTS = ("top_js", "top_flips", "whole_js", "whole_flips")


@dataclass(frozen=True)
class BatchRows:
    """What was found of a batch of documents; a document has several decisions of a model that decides label by label.

    Attributes:
        document: Number of each decision's document in the shard.
        label: Number of its label; 0 where a document is one decision.
        n: Number of its components.
        prediction: The decision, as results write it.
        model_prediction: That of the model's own forward pass.
        on: For each decision, the labels of its document that are on; None where a document is one decision.
        removed: Components erased at first flips by ranking, `NEVER` where nothing flips.
        random: The same along random orders.
        effects: What erasing the top, and the whole, does, by the name of the column.
    """

    document: Int[np.ndarray, " decisions"]
    label: Int[np.ndarray, " decisions"]
    n: Int[np.ndarray, " decisions"]
    prediction: Int[np.ndarray, " decisions"]
    model_prediction: Int[np.ndarray, " decisions"]
    on: list[list[int]] | None
    removed: dict[str, Int[np.ndarray, "decisions places"]]
    random: Int[np.ndarray, "decisions places draws"]
    effects: dict[str, Bool[np.ndarray, "decisions places"] | Float[np.ndarray, "decisions places"]]


def batch_rows(batch: Sequence[int], reading: Reading, places: Sequence[PlaceFlips]) -> BatchRows:
    """Return what was found of a batch at all places, in few copies from its device.

    Args:
        batch: Numbers of its documents within the shard.
        reading: The batch as read at one of the places.
        places: What was found at each place, in the order of the tables.
    """
    cases, documents = reading.cases, np.array(batch)
    names = list(places[0].flips)
    along = torch.stack(
        [torch.stack([removed_at(place.flips[name], NEVER) for name in names]) for place in places], dim=2
    )
    random = torch.stack(
        [torch.stack([removed_at(flips, NEVER) for flips in place.random], dim=1) for place in places], dim=1
    )
    effects = {
        name: torch.stack([getattr(getattr(place, which), what) for place in places], dim=1)
        for name in EFFECTS
        for which, what in [name.split("_")]
    }
    return BatchRows(
        document=documents if cases is None else documents[_host(cases.documents)],
        label=np.zeros(len(documents), dtype=np.int64) if cases is None else _host(cases.labels),
        n=_host(reading.lengths),
        prediction=_host(written(reading.unerased.decision, cases)),
        model_prediction=_host(written(reading.model_decision, cases)),
        on=None if cases is None else labels_on(cases),
        removed=dict(zip(names, _host(along), strict=True)),
        random=_host(random),
        effects={name: _host(values) for name, values in effects.items()},
    )


def tables(
    documents: pa.Table, parts: Sequence[BatchRows], places: Sequence[tuple[int, int | None]], classes: Sequence[str]
) -> dict[str, pa.Table]:
    """Return a shard's tables, documents in their order, each document's places in theirs.

    Args:
        documents: The tokenised documents.
        parts: What was found of all its batches.
        places: Layer and head of each place.
        classes: Names of the labels, of a model that decides label by label.
    """
    rows = _joined(parts)
    of_row = pa.array(rows.document)
    targets = None if rows.on is None else np.array([str(classes[label]) for label in rows.label], dtype=object)
    keys = {"id": documents.column("id").take(of_row), "target": targets}
    return {
        DOCUMENT_ROWS: _table(DOCUMENT_ROWS, {**keys, **_document_columns(documents, rows)}, len(rows.n)),
        FLIP_ROWS: _flips(keys, rows, places),
    }


def _document_columns(documents: pa.Table, rows: BatchRows) -> dict[str, Any]:
    def of_documents(name: str) -> Any:
        return documents.column(name).take(pa.array(rows.document)) if name in documents.column_names else None

    labels = of_documents(LABELS)
    several = rows.on is not None
    of_states = None if labels is None else states(labels, rows.label)
    return {
        "label": of_states if several else of_documents("label"),
        "labels": labels if several else None,
        "prediction": rows.prediction,
        "predictions": rows.on,
        "model_prediction": rows.model_prediction,
        "n": rows.n,
        **{name: of_documents(name) for name in (*COUNTS, TRAINING_ROLE, PLACE.name)},
    }


def _flips(keys: dict[str, Any], rows: BatchRows, places: Sequence[tuple[int, int | None]]) -> pa.Table:
    decisions, each = len(rows.n), len(places)
    repeated = {
        name: None if values is None else pa.array(values).take(pa.array(np.repeat(np.arange(decisions), each)))
        for name, values in (("id", keys["id"].combine_chunks()), ("target", keys["target"]), ("n", rows.n))
    }
    draws = rows.random.shape[2]
    drawn = pa.array(rows.random.ravel(), pa.int32(), mask=rows.random.ravel() == NEVER)
    offsets = pa.array(np.arange(decisions * each + 1, dtype=np.int32) * draws)
    columns = {
        **repeated,
        "layer": np.tile([layer for layer, _ in places], decisions),
        "head": pa.array([head for _, head in places] * decisions, pa.int32()),
        **{f"{REMOVED}{name}": pa.array(v.ravel(), mask=v.ravel() == NEVER) for name, v in rows.removed.items()},
        f"{REMOVED}{RANDOM}": pa.ListArray.from_arrays(offsets, drawn),
        **{name: values.ravel() for name, values in rows.effects.items()},
    }
    return _table(FLIP_ROWS, columns, decisions * each)


def _table(name: str, columns: dict[str, Any], rows: int) -> pa.Table:
    schema = SHARD_SCHEMAS[name]
    return pa.table([_array(columns[field.name], field.type, rows) for field in schema], schema=schema)


def _array(values: Any, kind: pa.DataType, rows: int) -> Any:
    if values is None:
        return pa.nulls(rows, kind)
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        return pa.array(values, kind, from_pandas=False)
    return values if values.type == kind else values.cast(kind)


def _joined(parts: Sequence[BatchRows]) -> BatchRows:
    """Return the rows of several batches, documents in their order, and the labels of each in theirs."""
    document, label = (np.concatenate([getattr(part, name) for part in parts]) for name in ("document", "label"))
    order = np.lexsort((label, document))

    def ordered(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(values)[order]

    on = None if parts[0].on is None else [on for part in parts for on in part.on or ()]
    return BatchRows(
        document=document[order],
        label=label[order],
        n=ordered([part.n for part in parts]),
        prediction=ordered([part.prediction for part in parts]),
        model_prediction=ordered([part.model_prediction for part in parts]),
        on=None if on is None else [on[row] for row in order],
        removed={name: ordered([part.removed[name] for part in parts]) for name in parts[0].removed},
        random=ordered([part.random for part in parts]),
        effects={name: ordered([part.effects[name] for part in parts]) for name in EFFECTS},
    )


def _host(tensor: Tensor) -> np.ndarray:
    return tensor.numpy(force=True)
