"""What the summary says of the curves along rankings (METHOD section 10)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

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
    parts: defaultdict[str, defaultdict[Key, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    ids: list[np.ndarray] = []  # of the first ranking; the decisions are the same along every ranking
    for table in results.batches("curves", ["id", "ranking", "n", *AREAS, *AT]):
        analysed = is_analysed(table.column("n").to_numpy())
        names = table.column("ranking").to_numpy()
        columns = {(name,): table.column(name).to_numpy() for name in AREAS}
        columns |= {(name, _share(percent)): values for name in AT for percent, values in _at(table.column(name))}
        for name in dict.fromkeys(names):
            chosen = analysed & (names == name)
            if name == next(iter(parts), name):
                ids.append(table.column("id").to_numpy()[chosen])
            for field, values in columns.items():
                parts[name][field].append(values[chosen])
    average = averager(np.concatenate(ids)) if ids else None
    for name in list(parts):
        for field, values in parts.pop(name).items():
            if average is not None:
                yield (KEY, name, *field), mean_of(average(np.concatenate(values)))


def curve_summary(ranking: str, estimates: Mapping[Key, Estimate]) -> CurveSummary | None:
    """Return what the curves along a ranking come to; None where there are none."""
    own = {key[2:]: mean for key, mean in estimates.items() if key[:2] == (KEY, ranking)}
    if not own or not own["comprehensiveness",].count:
        return None
    areas = {name: own[name,] for name in AREAS}
    erased, kept = ({share: own[name, share] for share in map(_share, PERCENTS)} for name in AT)
    return CurveSummary(**areas, comprehensiveness_at=erased, sufficiency_at=kept)


def _share(percent: int) -> str:
    return f"{percent / 100:.2f}"


def _at(column: pa.ChunkedArray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the values of lists that have one for each percentage, one percentage after the other; NaN where null."""
    lists = column.combine_chunks()
    found = np.full((len(lists), len(PERCENTS)), np.nan)
    found[lists.is_valid().to_numpy(zero_copy_only=False)] = lists.flatten().to_numpy().reshape(-1, len(PERCENTS))
    yield from zip(PERCENTS, found.T, strict=True)
