"""First flips along a ranking as arrays, in which a document that never flips has a value too (METHOD section 4).

In the tables such a document has null, which `tabulate` writes. Here null becomes infinity or, where the summary counts
``all``, what erasing everything has. `aggregates` takes quantiles over all draws with their infinities, and means with
what erasing everything has in their place. A quantile that is infinite is null in the summary, which views print as
"never".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.results import ResultTables, is_analysed
from eraserhead.erasure.schemas import RATIONALE_COLUMNS
from eraserhead.method.names import SHUFFLES, Outcome

COLUMNS = ("id", "ranking", "draw", "n", "removed", "mass", "outcome", "percentile", *RATIONALE_COLUMNS)
OUTCOMES = {outcome.label: outcome for outcome in Outcome}


@dataclass(frozen=True)
class FlipValues:
    """First flips along one ranking, ``[decisions, draws]``; rankings that nothing is drawn for have one draw.

    A decision is a document, or of a model that decides label by label a document and a label.

    Attributes:
        ids: The document of each decision; the decisions of a document lie together.
        outcome: An `Outcome` for each decision and draw.
        removed: Components erased; where nothing flips, infinity or the number of all components, as counted.
        fraction: Their share; where nothing flips, infinity or 1.
        mass: Their attention; where nothing flips, infinity or 1.
        percentile: What percentage of the documents lie nearer to the others than what the head sees; NaN where that is
            not known.
        people: How well the order agrees with what people marked, by the `RATIONALE_COLUMNS`; NaN where nobody did.
        n: The number of all components, ``[decisions, 1]``.
    """

    ids: np.ndarray
    outcome: np.ndarray
    removed: np.ndarray
    fraction: np.ndarray
    mass: np.ndarray
    percentile: np.ndarray
    people: dict[str, np.ndarray]
    n: np.ndarray

    @property
    def documents(self) -> np.ndarray:
        """Number of each decision's document, in the order in which they appear."""
        return pd.factorize(self.ids)[0]

    @property
    def never(self) -> np.ndarray:
        """Where nothing flips."""
        return self.outcome == Outcome.NEVER

    def values(self, quantity: str) -> np.ndarray:
        """Return ``removed``, ``fraction`` or ``mass``; infinity is larger than everything."""
        return getattr(self, quantity)

    def numbers(self, quantity: str) -> np.ndarray:
        """Return the same with NaN for infinity."""
        values = self.values(quantity)
        return np.where(np.isinf(values), np.nan, values)

    def restricted(self, quantity: str) -> np.ndarray:
        """Return the same with what erasing everything has where nothing flips."""
        everything = {"removed": self.n, "fraction": 1.0, "mass": 1.0}
        return np.where(self.never, everything[quantity], self.values(quantity))

    @property
    def shares(self) -> np.ndarray:
        """What each decision and draw counts, so that every document counts 1, ``[decisions, draws]``."""
        documents = self.documents
        decisions = np.bincount(documents)
        return np.broadcast_to(1 / (decisions[documents] * self.never.shape[1])[:, None], self.never.shape)


def read_flips(results: ResultTables, count_never_as: CountNeverAs) -> dict[str, FlipValues]:
    """Return the first flips of the model's own decisions, by ranking in the order of the table."""
    return own_decisions(flips_by_ranking(results.batches("flips", COLUMNS), count_never_as))


def own_decisions(flips: Mapping[str, FlipValues]) -> dict[str, FlipValues]:
    """Leave out the decisions that permuted weights make: those of other rankings do not compare with them."""
    return {name: found for name, found in flips.items() if name not in SHUFFLES}


def flips_by_ranking(tables: Iterable[pa.Table], count_never_as: CountNeverAs) -> dict[str, FlipValues]:
    """Return the rows of tables of flips by ranking; every decision has as many draws as the others.

    Args:
        tables: Parts of a table with the `COLUMNS`, in their order; each is read and let go.
        count_never_as: How a document that never flips is counted.
    """
    parts: defaultdict[str, list[_Rows]] = defaultdict(list)
    ids: list[np.ndarray] = []  # of the first ranking; the decisions are the same along every ranking
    for table in tables:
        names, codes = _codes(table.column("ranking"))
        analysed = is_analysed(table.column("n").to_numpy())
        for code, name in enumerate(names):
            chosen = np.flatnonzero(analysed & (codes == code))
            parts[name].append(_rows(table, chosen))
            if name == next(iter(parts)):
                ids.append(_ids(table, chosen))
    decisions = np.concatenate(ids) if ids else np.empty(0, dtype=object)
    if not len(decisions):
        return {}
    return {name: _values(_joined(parts.pop(name)), decisions, count_never_as) for name in list(parts)}


def averager(ids: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what averages values ``[decisions, ...]`` over each document's decisions, by their documents' ids.

    Averages are over the decisions that have a number, NaN where none has. Infinity is a number here: it makes the
    average infinite. Documents come in the order in which they appear.
    """
    documents, names = pd.factorize(ids)
    alone = len(names) == len(ids)

    def average(values: np.ndarray) -> np.ndarray:
        if alone:
            return values
        sums, counts = (np.zeros((len(names), *values.shape[1:])) for _ in range(2))
        exists = ~np.isnan(values)
        np.add.at(sums, documents, np.where(exists, values, 0.0))
        np.add.at(counts, documents, exists)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    return average


@dataclass(frozen=True)
class _Rows:
    """Rows of a table as numbers, NaN for null."""

    draws: int
    n: np.ndarray
    removed: np.ndarray
    mass: np.ndarray
    outcome: np.ndarray
    percentile: np.ndarray
    people: dict[str, np.ndarray]


def _rows(table: pa.Table, chosen: np.ndarray) -> _Rows:
    names, codes = _codes(table.column("outcome"))
    outcomes = np.array([OUTCOMES[name] for name in names], dtype=np.int8)
    draw = table.column("draw").to_numpy()[chosen]
    return _Rows(
        draws=1 if not len(draw) or np.isnan(draw).all() else int(np.nanmax(draw)) + 1,
        n=table.column("n").to_numpy()[chosen],
        outcome=outcomes[codes[chosen]] if len(names) else np.empty(0, dtype=np.int8),
        **{name: _numbers(table.column(name))[chosen] for name in ("removed", "mass", "percentile")},
        people={name: _numbers(table.column(name))[chosen] for name in RATIONALE_COLUMNS},
    )


def _joined(parts: list[_Rows]) -> _Rows:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("n", "removed", "mass", "outcome", "percentile")
    }
    people = {name: np.concatenate([part.people[name] for part in parts]) for name in RATIONALE_COLUMNS}
    return _Rows(max(part.draws for part in parts), **columns, people=people)


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy()  # null becomes NaN


def _codes(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the texts of a column, in the order in which they appear, and the number of each row's."""
    encoded = column.combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


def _ids(table: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Return the document of each decision among the rows of one ranking, which has a row for each draw."""
    draws = table.column("draw").fill_null(0).to_numpy()[rows]
    return table.column("id").take(pa.array(rows[draws == 0])).to_numpy()


def _values(rows: _Rows, ids: np.ndarray, count_never_as: CountNeverAs) -> FlipValues:
    shape = (len(rows.n) // rows.draws, rows.draws)
    never = rows.outcome == Outcome.NEVER
    everything = {"removed": rows.n, "fraction": 1.0, "mass": 1.0}
    read = {"removed": rows.removed, "fraction": rows.removed / rows.n, "mass": rows.mass}
    counted = {
        name: np.where(never, np.inf if count_never_as == "beyond_all" else everything[name], values)
        for name, values in read.items()
    }
    return FlipValues(
        ids=ids,
        outcome=rows.outcome.reshape(shape),
        percentile=rows.percentile.reshape(shape),
        people={name: values.reshape(shape) for name, values in rows.people.items()},
        n=rows.n.reshape(shape)[:, :1],
        **{name: values.reshape(shape) for name, values in counted.items()},
    )
