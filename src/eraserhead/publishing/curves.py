"""The figure of a model card: the share of decisions that have flipped, against the fraction erased."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from eraserhead.erasure.flip_values import FlipValues
from eraserhead.erasure.view import called
from eraserhead.method.names import YARDSTICKS
from eraserhead.showing.figures import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    RESOLUTION,
    SKY_BLUE,
    VERMILION,
    new_figure,
    styled,
)

# Each ranking has its own colour and its own dashes. The yardsticks are drawn first, as broad lines, because other
# curves may cover them.
YARDSTICK: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 4.0}
LINES: tuple[dict[str, Any], ...] = (  # in the order of the table
    {"color": BLACK, "linestyle": ":"},
    {"color": VERMILION},
    {"color": SKY_BLUE, "linestyle": "--"},
    {"color": BLUE, "linestyle": "-."},
    {"color": GREEN, "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": ORANGE, "linestyle": (0, (1, 1))},
    {"color": PURPLE, "linestyle": (0, (8, 2))},
)
HEIGHT = 2.6  # inches


def draw_curves(flips: Mapping[str, FlipValues], path: Path) -> None:
    """Draw the share of the documents whose decision has flipped, against the fraction of the components erased.

    For random, every draw counts, and those of a document weigh together as one document: as in the quantiles.

    Args:
        flips: First flips by ranking.
        path: PNG file to write; the same flips give the same bytes.
    """
    with styled():
        figure = new_figure(1, 1, HEIGHT)
        axes = figure.subplots()
        for ranking, line in _lines(list(flips)).items():
            curve = flipped_shares(flips[ranking])
            axes.step(*curve.T, where="post", label=called(ranking), **{"linewidth": 1.2, **line})
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="fraction of the components erased")
        axes.set_ylabel("documents whose decision has flipped")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(linewidth=0.3)
        figure.legend(loc="outside right upper", frameon=False, title="order of erasure", reverse=True)
        figure.savefig(path, format="png", dpi=RESOLUTION, metadata={"Software": None})


def flipped_shares(flips: FlipValues) -> np.ndarray:
    """Return the steps of a ranking's curve as ``[steps, 2]``: where it rises, and its height after that."""
    flipped = flips.fraction[~flips.never]
    order, documents = flipped.argsort(kind="stable"), max(len(np.unique(flips.ids)), 1)
    flipped, heights = flipped[order], flips.shares[~flips.never][order].cumsum() / documents
    last = heights[-1] if len(heights) else 0.0
    return np.column_stack([[0.0, *flipped, 1.0], [0.0, *heights, last]])


def _lines(rankings: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the line style of each ranking, in drawing order."""
    others = [ranking for ranking in rankings if ranking not in YARDSTICKS]
    lines = dict(zip(others, cycle(LINES)))
    return {name: YARDSTICK for name in rankings if name in YARDSTICKS} | dict(reversed(lines.items()))
