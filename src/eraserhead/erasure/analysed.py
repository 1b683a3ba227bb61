"""The numbers that analysed batches leave on the host, joined in the documents' order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from eraserhead.method.analysis import Analysis
from eraserhead.method.cases import Cases, in_written_order
from eraserhead.method.reading import Reading
from eraserhead.method.test_one import TopAgainstRandom
from eraserhead.rankings.ranking import Ranked

Values = TypeVar("Values", "RowValues", "ComponentValues")
TEST_FIELDS = tuple(field.name for field in fields(TopAgainstRandom))


@dataclass(frozen=True)
class RowValues:
    """Values of each row: a document, or a case of one. Rows are the last axis of each array.

    Attributes:
        document: Number of its document within the shard, ``[rows]``.
        label: Number of the label that it is about; 0 where it is a document.
        lengths: Its components.
        decision: The decision with nothing erased, as results write it.
        model_decision: The decision of the model's own forward pass.
        probabilities: ``[classes, rows]``.
        removed: Components erased at the first flip along each order, ``[orders, rows]``.
        mass: Their attention.
        outcome: How erasing along each order ended.
        tests: The `TEST_FIELDS` of test 1, ``[rankings, fields, rows]``.
    """

    document: np.ndarray
    label: np.ndarray
    lengths: np.ndarray
    decision: np.ndarray
    model_decision: np.ndarray
    probabilities: np.ndarray
    removed: np.ndarray
    mass: np.ndarray
    outcome: np.ndarray
    tests: np.ndarray


@dataclass(frozen=True)
class ComponentValues:
    """Values of each component, row after row. Components are the last axis of each array.

    Attributes:
        positions: Its position among its document's tokens, or sentences, ``[components]``.
        single_js: Divergence when it is erased alone.
        single_decision: The decision without it, as results write it.
        signals: What each ranking stores of it, ``[rankings, components]``.
        orders: Along each order, which component comes in its place, ``[orders, components]``.
    """

    positions: np.ndarray
    single_js: np.ndarray
    single_decision: np.ndarray
    signals: np.ndarray
    orders: np.ndarray


@dataclass(frozen=True)
class AnalysedRows:
    """Everything that tables tell of some rows, but for their texts.

    Attributes:
        rows: Values of the rows.
        components: Values of their components.
        on: For each row, the labels of its document that are on; None where a row is a document.
        rankings: Names of the rankings, as in `ComponentValues.signals`.
        tests: Names of those with a test 1, as in `RowValues.tests`.
        orders: Name and draw of each order, as in `ComponentValues.orders`.
    """

    rows: RowValues
    components: ComponentValues
    on: Sequence[list[int]] | None
    rankings: tuple[str, ...]
    tests: tuple[str, ...]
    orders: tuple[tuple[str, int | None], ...]


def analysed_rows(
    batch: Sequence[int], reading: Reading, rankings: Mapping[str, Ranked], analysis: Analysis
) -> AnalysedRows:
    """Return the numbers of an analysed batch, in few copies from its device.

    Args:
        batch: Numbers of the documents within the shard.
        reading: What was read of them.
        rankings: The rankings whose values are stored, by name.
        analysis: The analysis of the reading.
    """
    cases, flips = reading.cases, analysis.flips
    documents = np.array(batch)
    probabilities = reading.unerased.logits.softmax(-1)
    tests = [[getattr(test, name).double() for name in TEST_FIELDS] for test in analysis.tests.values()]
    rows = RowValues(
        document=documents if cases is None else documents[_host(cases.documents)],
        label=np.zeros(len(documents), dtype=np.int64) if cases is None else _host(cases.labels),
        lengths=_host(reading.lengths),
        decision=_host(_written(reading.unerased.decision, cases)),
        model_decision=_host(_written(reading.model_decision, cases)),
        probabilities=_host(probabilities if cases is None else probabilities.flip(-1)).T,
        removed=_host(torch.stack([each.flips.removed for each in flips])),
        mass=_host(torch.stack([each.flips.mass for each in flips])),
        outcome=_host(torch.stack([each.flips.outcome for each in flips])),
        tests=_stacked([torch.stack(columns) for columns in tests], (len(TEST_FIELDS), len(reading.mask))),
    )
    mask = np.arange(reading.mask.shape[1]) < rows.lengths[:, None]  # components come first in each row
    singles = _written(analysis.singles.decision, cases)
    components = ComponentValues(
        positions=_host(reading.positions)[mask],
        single_js=_host(analysis.singles.js)[mask],
        single_decision=_host(singles)[mask],
        signals=_stacked([ranked.shown for ranked in rankings.values()], tuple(reading.mask.shape))[:, mask],
        orders=_host(torch.stack([each.order for each in flips]))[:, mask],
    )
    return AnalysedRows(
        rows,
        components,
        on=None if cases is None else _on(cases),
        rankings=tuple(rankings),
        tests=tuple(analysis.tests),
        orders=tuple((each.ranking, each.draw) for each in flips),
    )


def joined(parts: Sequence[AnalysedRows]) -> AnalysedRows:
    """Return the rows of several batches, documents in their order, and the labels of each in theirs."""
    rows = _concatenated([part.rows for part in parts])
    components = _concatenated([part.components for part in parts])
    order = np.lexsort((rows.label, rows.document))
    on = None if parts[0].on is None else [on for part in parts for on in part.on or ()]
    return AnalysedRows(
        _taken(rows, order),
        _taken(components, ranges((rows.lengths.cumsum() - rows.lengths)[order], rows.lengths[order])),
        on=None if on is None else [on[row] for row in order],
        rankings=parts[0].rankings,
        tests=parts[0].tests,
        orders=parts[0].orders,
    )


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return ``start, start + 1, ...`` for each start, as many as its length says, one after the other."""
    ends = lengths.cumsum()
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def _on(cases: Cases) -> list[list[int]]:
    of_documents = [row.nonzero()[0].tolist() for row in _host(cases.on)]
    return [of_documents[document] for document in _host(cases.documents)]


def _written(decision: Tensor, cases: Cases | None) -> Tensor:
    return decision if cases is None else in_written_order(decision)


def _concatenated(parts: Sequence[Values]) -> Values:
    arrays: dict[str, Any] = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts], axis=-1) for field in fields(parts[0])
    }
    return type(parts[0])(**arrays)


def _taken(values: Values, index: np.ndarray) -> Values:
    arrays: dict[str, Any] = {field.name: getattr(values, field.name)[..., index] for field in fields(values)}
    return type(values)(**arrays)


def _stacked(values: Sequence[Tensor], shape: tuple[int, ...]) -> np.ndarray:
    """Stack values of a shape, of which there may be none."""
    return _host(torch.stack(list(values))) if values else np.empty((0, *shape))


def _host(tensor: Tensor) -> np.ndarray:
    return tensor.numpy(force=True)
