"""Probability of the decision along rankings, and what is read off it (METHOD section 10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from torch import Tensor

from eraserhead.method.along import PERCENTS, Steps, at_percents
from eraserhead.method.limits import Limits
from eraserhead.method.margins import log_odds
from eraserhead.method.names import CurveSizes
from eraserhead.method.reading import Reading

SAME = 1e-9  # log-odds: where no sets of one size are further apart, there is nothing to choose


@dataclass(frozen=True)
class Curves:
    """Curves along rankings, one row for each document; a ranking of several orders has the mean over these.

    Attributes:
        rankings: Names of the rankings.
        k: How many components are erased, or alone kept, at each step; ascending in each row.
        exists: Which steps a row has.
        removed: Probability of the decision with the first k components erased.
        kept: The same with these alone kept.
        comprehensiveness: Probability lost by erasing each of `PERCENTS` of the components.
        sufficiency: Probability lost by keeping these alone.
        aopc: Mean probability lost over k = 1 to all; NaN without components, and where not every k was looked at.
        naopc: Where `aopc` lies between the smallest that sets of each size reach, 0, and the largest, 1; NaN where
            these are equal, and where there is no closed form.
        naopc_width: How far apart the values of `naopc` can be by what is certain of more than two classes; else 0.
    """

    rankings: tuple[str, ...]
    k: Int[np.ndarray, "batch steps"]
    exists: Bool[np.ndarray, "batch steps"]
    removed: Float[np.ndarray, "batch rankings steps"]
    kept: Float[np.ndarray, "batch rankings steps"]
    comprehensiveness: Float[np.ndarray, "batch rankings percents"]
    sufficiency: Float[np.ndarray, "batch rankings percents"]
    aopc: Float[np.ndarray, "batch rankings"]
    naopc: Float[np.ndarray, "batch rankings"]
    naopc_width: Float[np.ndarray, "batch rankings"]


@torch.no_grad()
def curves(
    reading: Reading, orders: Sequence[tuple[str, Int[Tensor, "batch components"]]], sizes: CurveSizes
) -> Curves:
    """Follow rankings through a batch.

    Args:
        reading: The batch as read at a site.
        orders: Name of the ranking and order of the components; the orders of one ranking stand together.
        sizes: Whether to look at every k, or only at `PERCENTS` of the components; with ``none`` there are no steps.
    """
    if sizes == "none":
        return _without_steps(tuple(dict.fromkeys(name for name, _ in orders)), len(reading.mask))
    every_k = sizes == "all"
    steps = Steps.every(reading.lengths) if every_k else Steps.of_fractions(reading.lengths)
    found = reading.along(torch.stack([order for _, order in orders], dim=1), steps)
    removed, kept, k, exists = (each.numpy(force=True) for each in (found.removed, found.kept, steps.k, steps.exists))
    whole = _whole(reading)
    percents = (k[:, None] < at_percents(reading.lengths).numpy(force=True)[:, :, None]).sum(-1)
    chosen = percents[:, None].repeat(len(orders), axis=1)
    aopc, naopc, width = _areas(removed, whole, exists, reading.limits() if every_k else None)
    values = {
        "removed": expit(removed),
        "kept": expit(kept),
        "comprehensiveness": difference(whole, np.take_along_axis(removed, chosen, axis=-1)),
        "sufficiency": difference(whole, np.take_along_axis(kept, chosen, axis=-1)),
        **{"aopc": aopc if every_k else np.full_like(aopc, np.nan), "naopc": naopc, "naopc_width": width},
    }
    names = [name for name, _ in orders]
    averaged = {name: _mean_of_orders(each, names) for name, each in values.items()}
    return Curves(rankings=tuple(dict.fromkeys(names)), k=k, exists=exists, **averaged)


def difference(first: Float[np.ndarray, "*#shape"], second: Float[np.ndarray, "*#shape"]) -> Float[np.ndarray, "..."]:
    """Return the first probability minus the second, of log-odds; near 1, too, it keeps its digits."""
    high, low = np.maximum(first, second), np.minimum(first, second)
    return np.where(first < second, -1, 1) * -np.expm1(low - high) * expit(high) * expit(-low)


def _without_steps(rankings: tuple[str, ...], batch: int) -> Curves:
    shape = batch, len(rankings)
    nothing, at = np.empty((*shape, 0)), np.full((*shape, len(PERCENTS)), np.nan)
    none = np.full(shape, np.nan)
    return Curves(rankings, nothing[:, 0].astype(int), nothing[:, 0] > 0, nothing, nothing, at, at, none, none, none)


def _whole(reading: Reading) -> Float[np.ndarray, "batch 1 1"]:
    """Return the log-odds with nothing erased."""
    unerased = reading.unerased
    return log_odds(unerased.logits, unerased.decision).numpy(force=True)[:, None, None]


def _areas(
    removed: Float[np.ndarray, "batch orders steps"],
    whole: Float[np.ndarray, "batch 1 1"],
    exists: Bool[np.ndarray, "batch steps"],
    limits: Limits | None,
) -> tuple[Float[np.ndarray, "batch orders"], Float[np.ndarray, "batch orders"], Float[np.ndarray, "batch orders"]]:
    """Return `aopc`, `naopc` and `naopc_width` of curves that look at every k."""
    counted = exists[:, None, 1:]

    def lost(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (difference(first, second)[..., 1:] * counted).sum(-1)

    count = counted.sum(-1)
    aopc = np.divide(lost(whole, removed), count, out=np.full(removed.shape[:2], np.nan), where=count > 0)
    if limits is None:
        return aopc, np.full_like(aopc, np.nan), np.full_like(aopc, np.nan)
    lower, upper, certain_lower, certain_upper = (
        each[:, None, : exists.shape[1]]
        for each in (limits.lower, limits.upper, limits.certain_lower, limits.certain_upper)
    )
    below, span = lost(upper, removed), lost(upper, lower)
    differs = ((upper - lower) * exists[:, None]).max(-1) > SAME
    span = np.where(differs & (span > 0), span, np.nan)
    above = lost(certain_upper, upper)
    width = (below + above) / (span + above) - below / (span + lost(lower, certain_lower))
    return aopc, below / span, width


def _mean_of_orders(values: Float[np.ndarray, "batch orders *rest"], names: Sequence[str]) -> Float[np.ndarray, "..."]:
    """Return the mean over the orders of each ranking."""
    starts = [next(group)[0] for _, group in groupby(enumerate(names), lambda item: item[1])]
    counts = np.diff([*starts, len(names)])
    return np.add.reduceat(values, starts, axis=1) / counts.reshape(-1, *[1] * (values.ndim - 2))
