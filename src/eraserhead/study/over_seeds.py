"""How a study's numbers vary over the seeds of training: means over seeds, with intervals over seeds."""

from dataclasses import dataclass

import numpy as np

from eraserhead.method.seeds import OverSeeds, over_seeds
from eraserhead.method.statistics import Estimate
from eraserhead.showing.terminal import NEVER, NONE, interval
from eraserhead.study.cells import CellResults, known
from eraserhead.study.context_figure import QUANTITIES, Quantity
from eraserhead.study.paper_tables import Grid, Table


@dataclass(frozen=True)
class Measure:
    """A number of each cell that is shown over seeds.

    Attributes:
        quantity: The number.
        least: The smallest that it can be.
        most: The largest, of those that are not larger than everything.
    """

    quantity: Quantity
    least: float = 0.0
    most: float = 1.0


def _accuracy(cell: CellResults) -> Estimate | None:
    return known(cell.summary.accuracy)


def _beyond_shuffled(cell: CellResults) -> Estimate | None:
    shuffled = cell.summary.shuffled
    return shuffled and known(shuffled.difference)


ACCURACY = "accuracy on the documents analysed, %"
BEYOND_SHUFFLED = "attention's advantage over random orders minus that of shuffled weights, points"
MEASURES = (
    Measure(Quantity(ACCURACY, ACCURACY, _accuracy)),
    Measure(Quantity(BEYOND_SHUFFLED, BEYOND_SHUFFLED, _beyond_shuffled), least=-2.0, most=2.0),
    *map(Measure, QUANTITIES),
)


def seed_tables(grid: Grid) -> dict[str, Table]:
    """Tables by title: each measure of each model over seeds, and over documents; none if no model has two seeds."""
    if all(found is None or not found.seeds for _, _, found in grid):
        return {}
    return {measure.quantity.title: _table(grid, measure) for measure in MEASURES}


def _table(grid: Grid, measure: Measure) -> Table:
    quantity, rows = measure.quantity, []
    absent, scale, digits = (NONE, 100, 1) if quantity.percent else (NEVER, 1, 3)
    for dataset, model, found in grid:
        estimates = [estimate for run in found.runs if (estimate := quantity.of(run))] if found else []
        if found is None or not estimates:
            rows.append([dataset, model, *[NONE] * 3])
            continue
        values = [np.inf if estimate.value is None else estimate.value for estimate in estimates]
        over = over_seeds(values, measure.least, measure.most)
        documents = interval(quantity.of(found), absent, scale, digits)
        rows.append([dataset, model, str(over.seeds), _shown(over, scale, digits), documents])
    return Table(["data set", "model", "seeds", "mean over seeds", "documents, averaged over seeds"], rows)


def _shown(over: OverSeeds, scale: float, digits: int) -> str:
    value = NEVER if np.isinf(over.value) else f"{scale * over.value:.{digits}f}"
    if over.low is None or over.high is None:
        return value
    return f"{value} [{scale * over.low:.{digits}f}, {scale * over.high:.{digits}f}]"
