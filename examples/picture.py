"""Draw one shaded document above the curve of flips of a run: the picture of README.md.

python examples/picture.py runs/demo --id test/0 --output picture.png
"""

from pathlib import Path

import numpy as np
from datasets import disable_progress_bars
from jsonargparse import auto_cli
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy.typing import NDArray

import eraserhead
from eraserhead.explanation.picture import draw_explanation
from eraserhead.showing.figures import styled

RESOLUTION = 130  # dots per inch
WHITE = 255


def picture(run: Path, id: str = "test/0", output: Path = Path("picture.png")) -> None:
    """Draw a document of a run and the flips of all its documents.

    Args:
        run: Folder of a run, with its erasure results inside.
        id: Id of the document.
        output: PNG file to write; the same run gives the same bytes.
    """
    disable_progress_bars()
    erasure = eraserhead.read(run)
    text = erasure.documents.set_index("id").text[id]
    decision = draw_explanation(eraserhead.explain(run, text, cpu=True))
    if decision is None:
        raise SystemExit(f"{id}: the font of figures lacks a character of this text; take another document")
    drawn = [pixels(figure) for figure in (decision, erasure.plot("flips").figure)]
    width = max(each.shape[1] for each in drawn)
    beside = [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0)), constant_values=WHITE) for each in drawn]
    imsave(output, np.concatenate(beside), dpi=RESOLUTION, metadata={"Software": None})


@styled()
def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return a figure as an image ``[height, width, 4]``."""
    figure.set_dpi(RESOLUTION)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


if __name__ == "__main__":
    auto_cli(picture)
