"""Draw one shaded document and the curve of flips of a run: the picture of README.md.

python examples/picture.py runs/demo --id test/0 --output picture.png
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from datasets import disable_progress_bars
from jsonargparse import auto_cli
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import Explanation, explain
from eraserhead.method.names import SHUFFLES
from eraserhead.showing.figures import styled

SIZE, RESOLUTION = (7.2, 3.9), 130  # inches, dots per inch
SHADES = colormaps["OrRd"]
DARKEST = 0.55  # position of the darkest shade used in SHADES, so that words stay legible
LINE = 0.25  # height of a line, as a share of the text panel
SPACE, TOUCHING = 0.014, 0.007  # gap between words with and without a space, as shares of the panel's width
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))]  # one dash style per ranking, beside the colours


def picture(run: Path, id: str = "test/0", output: Path = Path("picture.png")) -> None:
    """Draw a document of a run and the flips of all its documents.

    Args:
        run: Folder of a run, with its erasure results in the folder ``erasure``.
        id: Id of the document.
        output: PNG file to write; the same run gives the same bytes.
    """
    disable_progress_bars()
    results = run / "erasure"
    columns = ["ranking", "n", "fraction"]
    flips = pq.read_table(results / "flips.parquet", columns=columns, filters=~pc.field("ranking").isin(SHUFFLES))
    documents = pq.read_table(results / "documents.parquet", columns=["id", "text"]).to_pylist()
    texts = {document["id"]: document["text"] for document in documents}
    explanation = explain(ExplainConfig(str(run), text=texts[id], cpu=True))
    with styled():
        figure = Figure(figsize=SIZE, layout="constrained")
        text, curves = figure.subplots(2, 1, height_ratios=[1, 2.1])
        draw_curves(curves, flips.to_pandas())
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # so that the panels have their final widths
        draw_text(text, explanation, canvas.get_renderer())
        figure.savefig(output, format="png", dpi=RESOLUTION, metadata={"Software": None})


@dataclass
class Pen:
    """Writes words one after another, and wraps lines at the panel's width."""

    axes: Axes
    renderer: RendererAgg
    x: float = 0.0
    y: float = 0.8

    def write(self, word: str, gap: float, shade: float, outlined: bool) -> None:
        """Write a word after a gap, on a background of this shade (0 to 1), with a box around it if outlined."""
        self.x += gap if self.x else 0.0
        edge = "black" if outlined else "none"
        box = {"facecolor": SHADES(DARKEST * shade), "edgecolor": edge, "pad": 1.6, "linewidth": 1.1}
        written = self.axes.text(self.x, self.y, word, fontsize=8.5, va="center", bbox=box)
        width = written.get_window_extent(self.renderer).width / self.axes.get_window_extent().width
        if self.x + width > 1:
            self.x, self.y = 0.0, self.y - LINE
            written.set_position((self.x, self.y))
        self.x += width


def draw_text(axes: Axes, explanation: Explanation, renderer: RendererAgg) -> None:
    """Draw a document's words shaded by attention, with the smallest flipping set outlined."""
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    strongest = max(word.attention for word in explanation.words)
    pen = Pen(axes, renderer)
    end = 0
    for word in explanation.words:
        pen.write(word.name, SPACE if word.start > end else TOUCHING, word.attention / strongest, word.erased)
        end = word.end
    probability = explanation.probabilities[explanation.decision]
    note = f"decision: {explanation.decision} ({probability:.2f}). Shading: attention. "
    note += "Outlined: the fewest components whose erasure flips the decision."
    axes.set_title(note, loc="left", fontsize=8)


def draw_curves(axes: Axes, flips) -> None:
    """Draw the share of documents whose decision has flipped, against the fraction of the components erased."""
    flips = flips[flips.n >= 2]
    for number, (ranking, rows) in enumerate(flips.groupby("ranking", sort=False)):
        fractions = np.sort(rows.fraction.dropna())
        shares = np.arange(1, len(fractions) + 1) / len(rows)
        steps = np.concatenate([[0.0], fractions, [1.0]]), np.concatenate([[0.0], shares, shares[-1:]])
        axes.step(*steps, where="post", label=ranking, color=f"C{number}", linestyle=LINES[number % len(LINES)])
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="fraction of the components erased")
    axes.set_ylabel("documents whose decision has flipped")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(linewidth=0.3)
    axes.figure.legend(title="order of erasure", loc="outside right lower", frameon=False, alignment="left")


if __name__ == "__main__":
    auto_cli(picture)
