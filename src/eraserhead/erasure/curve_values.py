"""What the summary says of the curves along rankings (METHOD section 10)."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eraserhead.erasure.flip_values import averager
from eraserhead.erasure.ranking_summaries import CurveSummary
from eraserhead.erasure.results import ResultTables, is_analysed
from eraserhead.method.along import PERCENTS
from eraserhead.method.intervals import mean_of
from eraserhead.method.statistics import Estimate

KEY = "curve"  # of its means
AREAS = ("comprehensiveness", "sufficiency", "aopc", "naopc", "naopc_width")
AT = ("comprehensiveness_at", "sufficiency_at")
Key = tuple[str, ...]


def curve_estimates(results: ResultTables) -> Iterator[tuple[Key, Estimate]]:
    """Yield for each ranking what is read off its curves, a document's decisions averaged first."""
    for name, fields in values_along(results, [*AREAS, *AT], _read_off):
        for field, values in fields.items():
            yield (KEY, name, *field), mean_of(values)


def values_along(
    results: ResultTables, columns: Sequence[str], read: Callable[[pa.Table], Mapping[Key, np.ndarray]]
) -> Iterator[tuple[str, dict[Key, np.ndarray]]]:
    """Yield each ranking of the table of curves with values of its documents, whose decisions are averaged.

    Args:
        results: The results.
        columns: The columns that are read, beside ``id``, ``ranking`` and ``n``.
        read: Returns values ``[rows, ...]`` of some rows, by any keys; NaN where there is none.
    """
    parts: defaultdict[str, defaultdict[Key, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    ids: list[np.ndarray] = []  # of the first ranking; the decisions are the same along every ranking
    for table in results.batches("curves", ["id", "ranking", "n", *columns]):
        analysed = table.filter(is_analysed(pc.field("n")))
        names = analysed.column("ranking").to_numpy()
        fields = read(analysed)
        for name in dict.fromkeys(names):
            chosen = names == name
            if name == next(iter(parts), name):
                ids.append(analysed.column("id").to_numpy()[chosen])
            for field, values in fields.items():
                parts[name][field].append(values[chosen])
    if ids:
        average = averager(np.concatenate(ids))
        for name in list(parts):
            yield name, {field: average(np.concatenate(values)) for field, values in parts.pop(name).items()}


def curve_summary(ranking: str, estimates: Mapping[Key, Estimate]) -> CurveSummary | None:
    """Return what the curves along a ranking come to; None where there are none."""
    own = {key[2:]: mean for key, mean in estimates.items() if key[:2] == (KEY, ranking)}
    if not own or not own["comprehensiveness",].count:
        return None
    areas = {name: own[name,] for name in AREAS}
    erased, kept = ({share: own[name, share] for share in map(_share, PERCENTS)} for name in AT)
    return CurveSummary(**areas, comprehensiveness_at=erased, sufficiency_at=kept)


def _read_off(table: pa.Table) -> dict[Key, np.ndarray]:
    columns = {(name,): table.column(name).to_numpy() for name in AREAS}
    return columns | {(name, _share(percent)): values for name in AT for percent, values in _at(table.column(name))}


def _share(percent: int) -> str:
    return f"{percent / 100:.2f}"


def _at(column: pa.ChunkedArray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the values of lists that have one for each percentage, one percentage after the other; NaN where null."""
    lists = column.combine_chunks()
    found = np.full((len(lists), len(PERCENTS)), np.nan)
    found[lists.is_valid().to_numpy(zero_copy_only=False)] = lists.flatten().to_numpy().reshape(-1, len(PERCENTS))
    yield from zip(PERCENTS, found.T, strict=True)
