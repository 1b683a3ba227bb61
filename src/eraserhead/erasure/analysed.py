"""The numbers that analysed batches leave on the host, joined in the documents' order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool
from torch import Tensor

from eraserhead.erasure.seen import seen_rows
from eraserhead.method.analysis import Analysis
from eraserhead.method.cases import Cases, in_written_order
from eraserhead.method.curves import Curves
from eraserhead.method.reading import Reading
from eraserhead.method.test_one import TopAgainstRandom
from eraserhead.rankings.ranking import Ranked

Values = TypeVar("Values", "RowValues", "ComponentValues", "StepValues")
TEST_FIELDS = tuple(field.name for field in fields(TopAgainstRandom))
AT_FIELDS = "comprehensiveness", "sufficiency"  # of curves, one each for some percentages
AREA_FIELDS = "aopc", "naopc", "naopc_width"  # of curves


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
        steps: Number of steps of its curves.
        at: The `AT_FIELDS` of its curves, ``[curves, fields, percents, rows]``.
        areas: The `AREA_FIELDS` of its curves, ``[curves, fields, rows]``.
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
    steps: np.ndarray
    at: np.ndarray
    areas: np.ndarray


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
class StepValues:
    """Values of each step of curves, row after row. Steps are the last axis of each array.

    Attributes:
        k: How many components are erased, or alone kept, ``[steps]``.
        removed: Probability of the decision with them erased, ``[curves, steps]``.
        kept: The same with them alone kept.
    """

    k: np.ndarray
    removed: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True)
class AnalysedRows:
    """Everything that tables tell of some rows, but for their texts.

    Attributes:
        rows: Values of the rows.
        components: Values of their components.
        steps: Values of the steps of their curves.
        seen: What the head sees of each row: with nothing erased, then at its first flip along each order.
        on: For each row, the labels of its document that are on; None where a row is a document.
        rankings: Names of the rankings, as in `ComponentValues.signals`.
        tests: Names of those with a test 1, as in `RowValues.tests`.
        orders: Name and draw of each order, as in `ComponentValues.orders`.
        curves: Names of the rankings that have a curve, as in `StepValues.removed`.
    """

    rows: RowValues
    components: ComponentValues
    steps: StepValues
    seen: pa.ListArray
    on: Sequence[list[int]] | None
    rankings: tuple[str, ...]
    tests: tuple[str, ...]
    orders: tuple[tuple[str, int | None], ...]
    curves: tuple[str, ...]


def analysed_rows(
    batch: Sequence[int],
    reading: Reading,
    rankings: Mapping[str, Ranked],
    analysis: Analysis,
    curves: Curves,
    sampled: Bool[np.ndarray, " documents"],
) -> AnalysedRows:
    """Return the numbers of an analysed batch, in few copies from its device.

    Args:
        batch: Numbers of the documents within the shard.
        reading: What was read of them.
        rankings: The rankings whose values are stored, by name.
        analysis: The analysis of the reading.
        curves: The curves along rankings.
        sampled: Which documents of the shard are in the sample of which it is kept what the head sees.
    """
    cases, flips = reading.cases, analysis.flips
    documents = np.array(batch)
    probabilities = reading.unerased.logits.softmax(-1)
    tests = [[getattr(test, name).double() for name in TEST_FIELDS] for test in analysis.tests.values()]
    rows = RowValues(
        document=documents if cases is None else documents[_host(cases.documents)],
        label=np.zeros(len(documents), dtype=np.int64) if cases is None else _host(cases.labels),
        lengths=_host(reading.lengths),
        decision=_host(written(reading.unerased.decision, cases)),
        model_decision=_host(written(reading.model_decision, cases)),
        probabilities=_host(probabilities if cases is None else probabilities.flip(-1)).T,
        removed=_host(torch.stack([each.flips.removed for each in flips])),
        mass=_host(torch.stack([each.flips.mass for each in flips])),
        outcome=_host(torch.stack([each.flips.outcome for each in flips])),
        tests=_stacked([torch.stack(columns) for columns in tests], (len(TEST_FIELDS), len(reading.mask))),
        steps=curves.exists.sum(1),
        at=np.stack([getattr(curves, name) for name in AT_FIELDS]).transpose(2, 0, 3, 1),
        areas=np.stack([getattr(curves, name) for name in AREA_FIELDS]).transpose(2, 0, 1),
    )
    mask = np.arange(reading.mask.shape[1]) < rows.lengths[:, None]  # components come first in each row
    singles = written(analysis.singles.decision, cases)
    components = ComponentValues(
        positions=_host(reading.positions)[mask],
        single_js=_host(analysis.singles.js)[mask],
        single_decision=_host(singles)[mask],
        signals=_stacked([ranked.shown for ranked in rankings.values()], tuple(reading.mask.shape))[:, mask],
        orders=_host(torch.stack([each.order for each in flips]))[:, mask],
    )
    steps = StepValues(
        k=curves.k[curves.exists],
        removed=curves.removed.swapaxes(0, 1)[:, curves.exists],
        kept=curves.kept.swapaxes(0, 1)[:, curves.exists],
    )
    return AnalysedRows(
        rows,
        components,
        steps,
        seen_rows(reading, flips, sampled[rows.document]),
        on=None if cases is None else labels_on(cases),
        rankings=tuple(rankings),
        tests=tuple(analysis.tests),
        orders=tuple((each.ranking, each.draw) for each in flips),
        curves=curves.rankings,
    )


def joined(parts: Sequence[AnalysedRows]) -> AnalysedRows:
    """Return the rows of several batches, documents in their order, and the labels of each in theirs."""
    rows = _concatenated([part.rows for part in parts])
    components = _concatenated([part.components for part in parts])
    steps = _concatenated([part.steps for part in parts])
    order = np.lexsort((rows.label, rows.document))
    seen = pa.concat_arrays([part.seen for part in parts])
    lists = len(seen) // max(len(order), 1)  # of each row
    on = None if parts[0].on is None else [on for part in parts for on in part.on or ()]
    return AnalysedRows(
        _taken(rows, order),
        _taken(components, _in_order(rows.lengths, order)),
        _taken(steps, _in_order(rows.steps, order)),
        seen.take(pa.array(_in_order(np.full(len(order), lists), order))),
        on=None if on is None else [on[row] for row in order],
        rankings=parts[0].rankings,
        tests=parts[0].tests,
        orders=parts[0].orders,
        curves=parts[0].curves,
    )


def _in_order(lengths: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return where the values of rows come from that are put in order; each row has so many."""
    return ranges((lengths.cumsum() - lengths)[order], lengths[order])


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return ``start, start + 1, ...`` for each start, as many as its length says, one after the other."""
    ends = lengths.cumsum()
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def labels_on(cases: Cases) -> list[list[int]]:
    """Return for each case which labels of its document are on."""
    of_documents = [row.nonzero()[0].tolist() for row in _host(cases.on)]
    return [of_documents[document] for document in _host(cases.documents)]


def written(decision: Tensor, cases: Cases | None) -> Tensor:
    """Return decisions as results number them."""
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
