"""Test 1 as a scatter: a document's point is how much more the top component weighs, and how much more it moves."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from eraserhead.erasure.plotted import Points
from eraserhead.showing.figures import BLACK, BLUE, VERMILION
from eraserhead.showing.terminal import percent

LINEAR = 1e-5  # the axis of dJS is linear up to here and logarithmic beyond
POWERS = (1e-3, 1e-1)  # that have a tick, of either sign, beside LINEAR
DELTA_ATTENTION = "da: weight of the top minus that of the other"
DELTA_JS = "dJS, nats"
SCATTER = (
    "da: difference of the two weights; dJS: difference of the divergences from the original distribution; triangles: "
    "dJS < 0. The other component is drawn at random. In brackets: 95 % intervals over documents."
)


def draw_points(panel: Axes, points: Points) -> None:
    """Draw a point for each document, a triangle where dJS < 0; or say why these points are no picture."""
    if (why := points.why_no_scatter) is not None:
        panel.text(0.5, 0.5, why.replace(": ", ":\n"), transform=panel.transAxes, ha="center", va="center")
        return
    panel.axhline(0, color=BLACK, linewidth=0.5)
    for chosen, colour, marker, size in ((~points.negative, BLUE, "o", 2.5), (points.negative, VERMILION, "v", 4)):
        panel.plot(
            points.delta_attention[chosen],
            points.delta_js[chosen],
            linestyle="none",
            marker=marker,
            markersize=size,
            markeredgewidth=0,
            color=colour,
            alpha=0.6,
            rasterized=True,
        )


def counted(points: Points) -> str:
    """Return on how many documents dJS is negative, and on how many zero."""
    below, none = int(points.negative.sum()), int(points.zero.sum())
    zero = f", = 0 on {none:,}" if none else ""
    return f"dJS < 0 on {percent(points.share_negative)} % ({below:,} of {len(points.ids):,}){zero}"


def scale(panels: Iterable[Axes], points: Iterable[Points]) -> None:
    """Give all panels the same axes, as wide as the points of all need."""
    drawn = [each for each in points if each.why_no_scatter is None]
    attention, js = (
        np.concatenate([[0.0], *(getattr(each, name) for each in drawn)]) for name in ("delta_attention", "delta_js")
    )
    ticks = sorted({sign * power for power in (*POWERS, LINEAR) for sign in (-1, 1)} | {0.0})
    for panel in panels:
        panel.set_yscale("symlog", linthresh=LINEAR)
        panel.set_yticks(ticks, [f"{tick:.5f}".rstrip("0").rstrip(".") for tick in ticks])
        panel.set_yticks([], minor=True)
        panel.set_ylim(min(3 * js.min(), -LINEAR), max(3 * js.max(), LINEAR))
        panel.set_xlim(1.1 * min(attention.min(), 0) - 0.02, max(1.06 * attention.max(), 0.1))
