"""How many random orders a document gets, and by how much so few of them widen the intervals (METHOD section 4).

Where prefixes cost nothing, 10. Elsewhere 3 at first, and as many more as the results of these 3 call for. That is
decided over all documents once they are analysed, so it depends neither on shards nor on processes.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from eraserhead.erasure.flip_values import COLUMNS, FlipValues, averager, flips_by_ranking
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.summary import RandomOrders
from eraserhead.method.names import BEST_FOUND, RANDOM, YARDSTICKS, Outcome
from eraserhead.method.statistics import widening

FEW, MANY = 3, 10
WIDEST = 0.1  # of an interval; from here on more orders are drawn, up to `MANY`
SIZES = {Outcome.FLIP.label: 0, Outcome.BIAS_ONLY.label: 1}  # of outcomes with as many removals, the better first


def first_draws(asked: int | None, closed_form: bool) -> int:
    """Return how many random orders each document gets at first."""
    return asked or (MANY if closed_form else FEW)


def random_orders(flips: Mapping[str, FlipValues]) -> RandomOrders | None:
    """Return how many random orders there are, and what so few of them do; None without any."""
    if RANDOM not in flips:
        return None
    count = flips[RANDOM].never.shape[1]
    widest = _widest(flips, count)
    return RandomOrders(count, widest if np.isfinite(widest) else None)


def draws_needed(results: ResultsFolder, shards: Iterable[int], drawn: int) -> int:
    """Return how many random orders keep intervals from being widened by a tenth, `MANY` at most.

    Args:
        results: Where all shards are finished.
        shards: Their numbers.
        drawn: How many orders each document had at first; only these are looked at.
    """
    early = (pc.field("draw") < drawn) | pc.field("draw").is_null()
    tables = (results.shard_table(number, "flips", COLUMNS).filter(early) for number in shards)
    flips = flips_by_ranking(tables, "beyond_all")
    if RANDOM not in flips:
        return drawn
    return next((draws for draws in range(drawn, MANY) if not _widest(flips, draws) >= WIDEST), MANY)


def with_draws(flips: pa.Table, more: pa.Table) -> pa.Table:
    """Add random orders to a shard's table of flips, documents in their order.

    Where one of them flips with fewer removals than the best set found so far, it becomes that.
    """
    ranking = flips.column("ranking").to_numpy()
    decisions = int((ranking == BEST_FOUND).sum())
    if not decisions:
        return flips
    rows, added = len(flips) // decisions, len(more) // decisions
    drawn = int((ranking[:rows] == RANDOM).sum())
    both = pa.concat_tables([flips, more])
    old = np.arange(len(flips)).reshape(decisions, rows)
    new = len(flips) + np.arange(len(more)).reshape(decisions, added)
    best = np.concatenate([old[:, -1:], new], axis=1)  # the best set found comes last
    chosen = best[np.arange(decisions), _smallest(both, best)]
    order = np.concatenate([old[:, :drawn], new, old[:, drawn:-1], chosen[:, None]], axis=1).ravel()
    found = both.take(pa.array(order))
    is_best = np.tile(np.arange(rows + added) == rows + added - 1, decisions)
    names = np.where(is_best, BEST_FOUND, found.column("ranking").to_numpy())
    draws = pa.array(found.column("draw").fill_null(0).to_numpy(), mask=is_best | (names != RANDOM))
    for name, values in (("ranking", pa.array(names)), ("draw", draws)):
        at = found.schema.get_field_index(name)
        found = found.set_column(at, found.schema.field(at), values.cast(found.schema.field(at).type))
    return found


def with_curves(curves: pa.Table, more: pa.Table, share: float) -> pa.Table:
    """Add random orders to a shard's table of curves, in which a document's random orders have their mean.

    Args:
        curves: The table so far.
        more: Rows of the further random orders, documents in the same order.
        share: Share of the orders so far among all.
    """
    random = np.flatnonzero(curves.column("ranking").to_numpy() == RANDOM)
    rows = np.arange(len(curves))
    rows[random] = len(curves) + np.arange(len(random))
    mean = curves.take(pa.array(random))
    for place, field in enumerate(mean.schema):
        if pa.types.is_floating(getattr(field.type, "value_type", field.type)):
            first, second = (table.column(place).combine_chunks() for table in (mean, more))
            mean = mean.set_column(place, field, _mean(first, second, share))
    return pa.concat_tables([curves, mean]).take(pa.array(rows))


def _mean(first: pa.Array, second: pa.Array, share: float) -> pa.Array:
    """Return a weighted mean of two columns of numbers, or of lists as long as each other; null where there is none."""
    if isinstance(first, pa.ListArray) and isinstance(second, pa.ListArray):
        offsets = np.concatenate([[0], first.value_lengths().fill_null(0).to_numpy().cumsum()])
        values = _mean(first.flatten(), second.flatten(), share)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=first.is_null())
    numbers = (column.to_numpy(zero_copy_only=False).astype(np.float64) for column in (first, second))
    found = share * next(numbers) + (1 - share) * next(numbers)  # NaN where null
    return pa.array(found, first.type, mask=np.isnan(found))


def _smallest(flips: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Return which of some rows has the smallest set for each decision, as `method.greedy.smallest_set` chooses."""
    columns = flips.select(["removed", "outcome", "mass"]).to_pandas()
    removed, mass = (columns[name].fillna(np.inf).to_numpy(dtype=float)[rows] for name in ("removed", "mass"))
    size = removed * len(Outcome) + columns.outcome.map(SIZES).fillna(0).to_numpy()[rows]
    return np.where(size > size.min(1, keepdims=True), np.inf, mass).argmin(1)


def _widest(flips: Mapping[str, FlipValues], draws: int) -> float:
    """Return by how much so many draws widen the interval that they widen most; NaN where that cannot be told."""
    return float(np.max([widening(values, draws) for values in _values(flips)]))


def _values(flips: Mapping[str, FlipValues]) -> Iterator[Float[np.ndarray, "documents draws"]]:
    """Yield the quantities that are looked at, by draw.

    The fraction erased at random, where never counts as all; and whether each ranking needs fewer removals, or more:
    1, 0 or -1.
    """
    random = flips[RANDOM]
    average = averager(random.ids)
    yield average(np.where(random.never, 1.0, random.fraction))
    for name, found in flips.items():
        if name != RANDOM and name not in YARDSTICKS:
            first, second = np.broadcast_arrays(found.removed, random.removed)
            yield average(np.where(first < second, 1.0, np.where(first > second, -1.0, 0.0)))
