"""The style of figures, and how a figure is saved with its numbers."""

import io
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

NEVER, ZONE = 1.16, (1.06, 1.26)  # "never" is drawn here, above all shares
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]
# Okabe and Ito's colours, which colour-blind readers can tell apart; hatches and markers repeat the distinction.
BLACK, GREY, BLUE, SKY_BLUE, VERMILION = "#000000", "#E8E8E8", "#0072B2", "#56B4E9", "#D55E00"
GREEN, ORANGE, PURPLE = "#009E73", "#E69F00", "#CC79A7"
WIDTH, MARGIN, PANEL_WIDTH = 6.9, 0.7, 1.55  # inches; WIDTH is the width of the text on a printed page
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
    "text.parse_math": False,  # names may contain dollar signs that are not formulas
    "svg.hashsalt": "eraserhead",  # without a salt, identifiers in the SVG are random
}
PNG_METADATA = {"Software": None}  # the same bytes whatever matplotlib's version says of itself
RESOLUTION = 200  # dots per inch of the PNG, and of rasterized points in the SVG


@dataclass(frozen=True)
class Plate:
    """The files of a figure: ``NAME.svg``, ``NAME.png``, and the numbers drawn in ``NAME.csv``.

    Attributes:
        folder: Folder of its files.
        name: Name of its files, without their endings.
    """

    folder: Path
    name: str

    @property
    def svg(self) -> str:
        """Name of the file with the vector graphic."""
        return f"{self.name}.svg"

    @property
    def png(self) -> str:
        """Name of the file with the bitmap."""
        return f"{self.name}.png"

    @property
    def csv(self) -> str:
        """Name of the file with the numbers."""
        return f"{self.name}.csv"

    def save(self, figure: Figure) -> None:
        """Save the figure; the same figure gives the same bytes."""
        for file, metadata in {self.svg: {"Date": None, "Creator": None}, self.png: PNG_METADATA}.items():
            with replacing(self.folder / file) as path:
                figure.savefig(path, format=Path(file).suffix[1:], dpi=RESOLUTION, metadata=metadata)

    def save_numbers(self, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
        """Save the numbers drawn, one table at a time.

        A missing number is an empty field; a number larger than everything is ``inf``.
        """
        with replacing(self.folder / self.csv) as path, pyarrow.csv.CSVWriter(str(path), schema) as writer:
            for table in tables:
                writer.write_table(table.select(schema.names).cast(schema))


@dataclass(frozen=True)
class Drawing:
    """A figure that is drawn, with the numbers in it; a notebook shows it where a cell ends with it.

    Attributes:
        name: Name of its files.
        figure: The figure of matplotlib, for changes of your own.
        numbers: The numbers drawn.
    """

    name: str
    figure: Figure
    numbers: pa.Table

    def save(self, folder: str | Path) -> list[Path]:
        """Save it as an SVG, a PNG and a CSV file of its numbers, and return their paths."""
        plate = Plate(Path(folder), self.name)
        with styled():
            plate.save(self.figure)
        plate.save_numbers([self.numbers], self.numbers.schema)
        return [plate.folder / file for file in (plate.svg, plate.png, plate.csv)]

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        with styled():
            self.figure.savefig(file, format="png", dpi=RESOLUTION, metadata=PNG_METADATA)
        return file.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Save a figure as a PNG file; the same figure gives the same bytes."""
    with replacing(path) as unfinished, styled():
        figure.savefig(unfinished, format="png", dpi=RESOLUTION, metadata=PNG_METADATA)


def new_figure(columns: int, rows: int, height: float) -> Figure:
    """Return an empty figure for panels of this height in inches; with few columns it is narrower."""
    width = min(WIDTH, MARGIN + max(columns, 3) * PANEL_WIDTH)
    return Figure(figsize=(width, MARGIN + rows * height), layout="constrained")


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the project's style, whatever matplotlib settings the user has."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        with matplotlib.rc_context(STYLE):
            yield


def drawn(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return where to draw values: infinity goes into the zone for "never"."""
    return np.where(np.isinf(values), NEVER, values)


def share_axis(panel: Axes) -> None:
    """Scale the vertical axis for shares, with the zone for "never" above them."""
    panel.axhspan(*ZONE, color=GREY, linewidth=0, zorder=0)
    panel.set_ylim(-0.04, ZONE[1])
    panel.set_yticks([*SHARES, NEVER], [*(f"{share:g}" for share in SHARES), "never"])


def numbers_table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    """Return rows of the numbers behind a figure as a table, NaN as null."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(column, field.type, from_pandas=True) for column, field in zip(columns, schema, strict=True)], schema
    )
