"""The numbers of one explained decision, for its page."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np

from eraserhead.explanation.decision_numbers import (
    CurveNumbers,
    DecisionNumbers,
    FlipNumbers,
    RankingNumbers,
    SingleNumbers,
)
from eraserhead.explanation.read_again import of_reading
from eraserhead.loading.components import Components
from eraserhead.method.affine import AffineReading
from eraserhead.method.analysis import Analysis, RankingFlips
from eraserhead.method.curves import Curves, curves
from eraserhead.method.names import YARDSTICKS, Outcome
from eraserhead.method.reading import Reading
from eraserhead.rankings.ranking import Ranked

Row = tuple[str | None, int | None]  # the label that is decided on, and the gold class


def explained_numbers(
    document: Mapping[str, Any],
    components: Components,
    reading: Reading,
    ranked: Mapping[str, Ranked],
    analysis: Analysis,
    row: Row,
) -> DecisionNumbers:
    """Return the numbers of the one decision of a reading.

    Args:
        document: The tokenised document.
        components: Its components in reading order.
        reading: What was read of it.
        ranked: The rankings by name.
        analysis: The analysis along them.
        row: The label that is decided on, and the gold class, as far as there are any.
    """
    n = int(reading.lengths[0])
    affine = next(of_reading(reading)) if isinstance(reading, AffineReading) else None
    target, label = row
    return DecisionNumbers(
        id=document["id"],
        target=target,
        text=document["text"],
        label=label,
        decision=int(reading.unerased.decision[0]),
        probabilities=tuple(reading.unerased.logits.softmax(-1)[0].tolist()),
        names=components.names,
        starts=None if components.starts is None else np.array(components.starts, dtype=np.int64),
        ends=None if components.ends is None else np.array(components.ends, dtype=np.int64),
        truncated=document["truncated_tokens"],
        percentile=None,
        rankings=tuple(_rankings(ranked, analysis, _curves(reading, analysis), n)),
        singles=SingleNumbers(
            analysis.singles.decision[0, :n].numpy(force=True).astype(np.int32),
            analysis.singles.js[0, :n].numpy(force=True),
        ),
        affine=None if affine is None else affine.affine,
        limits=None if affine is None else affine.limits,
    )


def _curves(reading: Reading, analysis: Analysis) -> Curves:
    """Follow every ranking: through all sizes where erasures have closed forms, else through some."""
    orders = [(each.ranking, each.order) for each in analysis.flips if each.ranking not in YARDSTICKS]
    return curves(reading, orders, "all" if isinstance(reading, AffineReading) else "fractions")


def _rankings(ranked: Mapping[str, Ranked], analysis: Analysis, found: Curves, n: int) -> list[RankingNumbers]:
    return [
        RankingNumbers(
            name,
            flips[0].order[0, :n].numpy(force=True),
            tuple(map(_flip, flips)),
            None if name not in ranked else ranked[name].shown[0, :n].numpy(force=True),
            _curve(found, name),
        )
        for name, flips in ((name, list(own)) for name, own in groupby(analysis.flips, key=lambda each: each.ranking))
    ]


def _flip(found: RankingFlips) -> FlipNumbers:
    outcome = Outcome(int(found.flips.outcome[0]))
    if outcome is Outcome.NEVER:
        return FlipNumbers(None, None, outcome.label)
    return FlipNumbers(int(found.flips.removed[0]), float(found.flips.mass[0]), outcome.label)


def _curve(found: Curves, name: str) -> CurveNumbers | None:
    if name not in found.rankings:
        return None
    exists, at = found.exists[0], found.rankings.index(name)
    return CurveNumbers(found.k[0, exists], found.removed[0, at, exists])
