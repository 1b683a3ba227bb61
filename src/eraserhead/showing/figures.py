"""How figures look, and how a figure and its numbers are saved."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pyarrow as pa
import pyarrow.csv
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eraserhead.files import replacing

NEVER, ZONE = 1.16, (1.06, 1.26)  # where what never flips is drawn, above everything
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]
# Okabe and Ito's colours, which colour-blind readers tell apart; hatches and markers say the same a second time.
BLACK, GREY, BLUE, SKY_BLUE, VERMILION = "#000000", "#E8E8E8", "#0072B2", "#56B4E9", "#D55E00"
GREEN, ORANGE, PURPLE = "#009E73", "#E69F00", "#CC79A7"
WIDTH, MARGIN, PANEL_WIDTH = 6.9, 0.7, 1.55  # inches: a sheet is as wide as the text on paper
TEXT = 7.0  # points
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "figure.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "axes.linewidth": 0.5,
    "axes.titlepad": 3.0,
    "hatch.linewidth": 0.4,
    "text.parse_math": False,  # names hold dollars, and are no formulas
    "svg.hashsalt": "eraserhead",  # else identifiers in the SVG are random
}
RESOLUTION = 200  # dots an inch, of the PNG and of points in the SVG


@dataclass(frozen=True)
class Plate:
    """A figure as it is saved: ``NAME.svg``, ``NAME.png``, and the numbers behind it in ``NAME.csv``.

    Attributes:
        folder: Where.
        name: Name of its files, without their endings.
    """

    folder: Path
    name: str

    @property
    def svg(self) -> str:
        """Name of the file with the figure as lines."""
        return f"{self.name}.svg"

    @property
    def png(self) -> str:
        """Name of the file with the figure as pixels."""
        return f"{self.name}.png"

    @property
    def csv(self) -> str:
        """Name of the file with the numbers."""
        return f"{self.name}.csv"

    def save(self, figure: Figure) -> None:
        """Save the figure; the same one gives the same bytes."""
        for file, metadata in {self.svg: {"Date": None, "Creator": None}, self.png: {"Software": None}}.items():
            with replacing(self.folder / file) as path:
                figure.savefig(path, format=Path(file).suffix[1:], dpi=RESOLUTION, metadata=metadata)

    def save_numbers(self, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
        """Save the numbers behind it, a table at a time.

        A number that does not exist is an empty field; one that is larger than everything is ``inf``.
        """
        with replacing(self.folder / self.csv) as path, pyarrow.csv.CSVWriter(str(path), schema) as writer:
            for table in tables:
                writer.write_table(table.select(schema.names).cast(schema))


def new_figure(columns: int, rows: int, height: float) -> Figure:
    """Return an empty figure for panels of a given height in inches; one of few columns is narrower."""
    width = min(WIDTH, MARGIN + max(columns, 3) * PANEL_WIDTH)
    return Figure(figsize=(width, MARGIN + rows * height), layout="constrained")


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in one style, whatever the user's own settings."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        with matplotlib.rc_context(STYLE):
            yield


def drawn(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return where values are drawn: what is larger than everything lies in its zone."""
    return np.where(np.isinf(values), NEVER, values)


def share_axis(panel: Axes) -> None:
    """Scale an axis for shares, with a zone above all of them."""
    panel.axhspan(*ZONE, color=GREY, linewidth=0, zorder=0)
    panel.set_ylim(-0.04, ZONE[1])
    panel.set_yticks([*SHARES, NEVER], [*(f"{share:g}" for share in SHARES), "never"])


def numbers_table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    """Return rows of the numbers behind a figure as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema)
