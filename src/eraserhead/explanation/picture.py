"""Draw an explained decision: its text shaded by attention, with the smallest flipping set outlined."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font

from eraserhead.method.names import BEST_FOUND
from eraserhead.showing.escapes import visible
from eraserhead.showing.figures import STYLE, WIDTH, styled

if TYPE_CHECKING:  # needed for annotations only
    from eraserhead.explanation.explained import Explanation, Word

SHADES = colormaps["OrRd"]
DARKEST = 0.55  # position of the darkest shade used in SHADES, so that words stay legible
SIZE = 8.5  # points of the text
LONGEST = 80  # characters that are written in one piece
LINE, BORDER, TITLE = 0.25, 0.1, 0.24  # inches: height of a line, margin, height of the title
SPACE, TOUCHING = 0.1, 0.045  # inches between words with and without a space


@dataclass(frozen=True)
class _Placed:
    """What is written of a word, and where: `x` in inches from the left, `line` counted from the top."""

    word: "Word"
    name: str
    x: float
    line: int


@styled()
def draw_explanation(explanation: "Explanation") -> Figure | None:
    """Draw the decision; null where the font lacks a character of its text, which the picture could not show."""
    if not is_drawable(explanation):
        return None
    words, title = _words(explanation), _title(explanation)
    placed = list(_placed(words))
    lines = placed[-1].line + 1
    height = 2 * BORDER + TITLE + lines * LINE
    figure = Figure(figsize=(WIDTH, height))
    inches = {"transform": figure.dpi_scale_trans, "va": "center"}
    figure.text(BORDER, height - BORDER - TITLE / 2, title, fontsize=SIZE - 1, **inches)
    strongest = max(word.attention for word in words) or 1.0
    for each in placed:
        edge = "black" if each.word.erased else "none"
        shade = SHADES(DARKEST * max(each.word.attention, 0.0) / strongest)
        box = {"facecolor": shade, "edgecolor": edge, "pad": 1.6, "linewidth": 1.1}
        y = height - BORDER - TITLE - (each.line + 0.5) * LINE
        figure.text(each.x, y, each.name, fontsize=SIZE, bbox=box, **inches)
    return figure


def is_drawable(explanation: "Explanation") -> bool:
    """Tell whether the text has words, and the font all their characters."""
    words = _words(explanation)
    return bool(words) and _has_signs(_title(explanation) + "".join(word.name for word in words))


def _words(explanation: "Explanation") -> "list[Word]":
    return [word for word in explanation.words if word.end > word.start]


def _title(explanation: "Explanation") -> str:
    probability = explanation.probabilities[explanation.decision]
    decision = f"decision: {visible(explanation.decision)} ({probability:.2f}). Shading: attention. "
    if not any(word.erased for word in explanation.words):
        return f"{decision}No set was found whose erasure flips the decision."
    found = " found" if any(each.ranking == BEST_FOUND for each in explanation.rankings) else ""
    return f"{decision}Outlined: the smallest set{found} whose erasure flips the decision."


def _placed(words: "Sequence[Word]") -> Iterator[_Placed]:
    """Yield the words one after another, in lines as wide as the figure; a sentence is written word by word."""
    figure = Figure(figsize=(WIDTH, 1))
    renderer = FigureCanvasAgg(figure).get_renderer()
    x, line, end = BORDER, 0, words[0].start
    for word in words:
        gap = SPACE if word.start > end else TOUCHING
        for name in (piece for part in visible(word.name).split() for piece in textwrap.wrap(part, LONGEST)):
            written = figure.text(0, 0, name, fontsize=SIZE)
            width = written.get_window_extent(renderer).width / figure.dpi
            written.remove()
            begins = x if x == BORDER else x + gap
            if begins + width > WIDTH - BORDER and x > BORDER:
                begins, line = BORDER, line + 1
            yield _Placed(word, name, begins, line)
            x, gap = begins + width, SPACE
        end = word.end


def _has_signs(text: str) -> bool:
    return all(_font().get_char_index(ord(sign)) for sign in set(visible(text)))


@cache
def _font() -> FT2Font:
    return FT2Font(findfont(FontProperties(family=STYLE["font.family"])))
