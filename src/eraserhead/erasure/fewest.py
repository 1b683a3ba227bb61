"""Which ranking needs the fewest removals, and which others cannot be told from it."""

from collections.abc import Mapping

import numpy as np

from eraserhead.erasure.advantages import FewestRemovals, Rival
from eraserhead.erasure.flip_values import FlipValues, averager
from eraserhead.method.intervals import difference_of
from eraserhead.method.names import RANDOM, YARDSTICKS
from eraserhead.method.paired import sign_flip_p_values
from eraserhead.method.statistics import compare, holm


def fewest_removals(flips: Mapping[str, FlipValues]) -> FewestRemovals | None:
    """Return the ranking with the smallest mean fraction erased, and how it compares with each other one.

    Random orders, and sets that are no rankings, are left out. None with fewer than two rankings, or no documents.
    """
    names = [name for name in flips if name not in (RANDOM, *YARDSTICKS)]
    if len(names) < 2:
        return None
    average = averager(flips[names[0]].ids)
    best = min(names, key=lambda name: float(average(flips[name].restricted("fraction").mean(1)).mean()))
    others = [name for name in names if name != best]
    columns = []
    for name in others:
        shares = average(compare(flips[best].removed, flips[name].removed))
        columns.append(shares[:, 0] - shares[:, 2])
    p_values = sign_flip_p_values(np.stack(columns, axis=1))
    tested = ~np.isnan(p_values)
    p_values[tested] = holm(p_values[tested])
    return FewestRemovals(
        best,
        tuple(
            Rival(name, difference_of(column), float(p_value) if known else None)
            for name, column, p_value, known in zip(others, columns, p_values, tested, strict=True)
        ),
    )
