"""The figure of a model card: how many decisions have flipped when so much has been erased."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.ticker import PercentFormatter

from eraserhead.showing.figures import BLACK, BLUE, RESOLUTION, SKY_BLUE, VERMILION, new_figure, styled
from eraserhead.showing.terminal import NAMES

# Each ranking has a colour and a way to be dashed, which say the same. The yardsticks lie below, broad, because others
# may come as early as they do.
YARDSTICK: dict[str, Any] = {"color": "#BBBBBB", "linewidth": 4.0}
LINES: dict[str, dict[str, Any]] = {
    "minimum": YARDSTICK,
    "best_found": YARDSTICK,
    "product": {"color": BLUE, "linestyle": "-."},
    "gradient": {"color": SKY_BLUE, "linestyle": "--"},
    "attention": {"color": VERMILION},
    "random": {"color": BLACK, "linestyle": ":"},
}
HEIGHT = 2.6  # inches


def draw_curves(flips: pa.Table, path: Path) -> None:
    """Draw the share of the documents whose decision has flipped, against the fraction of the components erased.

    Documents with fewer than two components are left out, as from every aggregate; of random, all draws count.

    Args:
        flips: Columns ``ranking``, ``n`` and ``fraction`` of a table of flips; null where nothing flips.
        path: PNG file to write; the same table gives the same bytes.
    """
    rows = flips.to_pandas()
    rows = rows[rows.n >= 2]
    with styled():
        figure = new_figure(1, 1, HEIGHT)
        axes = figure.subplots()
        for ranking, line in LINES.items():
            fractions = rows.fraction[rows.ranking == ranking]
            if len(fractions):
                curve = flipped_shares(fractions)
                style = {"linewidth": 1.2, **line}
                axes.step(*curve.T, where="post", label=NAMES.get(ranking, ranking), **style)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="fraction of the components erased")
        axes.set_ylabel("documents whose decision has flipped")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(linewidth=0.3)
        figure.legend(loc="outside right upper", frameon=False, title="order of erasure", reverse=True)
        figure.savefig(path, format="png", dpi=RESOLUTION, metadata={"Software": None})


def flipped_shares(fractions: pd.Series) -> np.ndarray:
    """Return where a ranking's curve rises, and how high it is from there on ``[steps, 2]``, from (0, 0) to x = 1."""
    flipped = np.sort(fractions.dropna().to_numpy(dtype=float))
    heights = np.arange(1, len(flipped) + 1) / len(fractions)
    last = heights[-1] if len(heights) else 0.0
    return np.column_stack([[0.0, *flipped, 1.0], [0.0, *heights, last]])
