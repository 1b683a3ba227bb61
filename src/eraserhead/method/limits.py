"""How far erasing any set of a size can move an affine head's decision (METHOD section 10).

The margin of a kept set S over one rival is ``sum_S a_i m_i / sum_S a_i``. Its smallest value over all sets of a size
is a linear-fractional 0-1 programme, which Dinkelbach's iteration solves exactly: take the members with the smallest
``a_i (m_i - ratio)``, take their ratio, and so on until it stands still. The largest is that of ``-m_i``, negated.

All of this is numpy on the host, because numpy sorts rows of a few hundred numbers some twenty times faster than torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from eraserhead.method.erasure import LIFT

ENTRIES = 2**16  # numbers that are sorted at a time: half a megabyte, which is given out again without new pages
GRIDS = 8, 24  # ratios at which sets of all sizes are found together, coarse and then fine
ROUNDING = 1e-14  # of a sum, for each of its terms
LAST = 1e300  # key of components without weight, above those of all others


@dataclass(frozen=True)
class Limits:
    """Log-odds of the decision that sets can reach, entry k with k components erased, for k = 0 to all.

    For k beyond a row's components they are those of the bias alone. With two classes the reached and the certain
    limits are the same, and exact.

    Attributes:
        lower: The smallest that was reached.
        upper: The largest that was reached.
        certain_lower: None is smaller.
        certain_upper: None is larger.
    """

    lower: Float[np.ndarray, "batch sizes"]
    upper: Float[np.ndarray, "batch sizes"]
    certain_lower: Float[np.ndarray, "batch sizes"]
    certain_upper: Float[np.ndarray, "batch sizes"]


@dataclass(frozen=True)
class Sizes:
    """Which sets a row has to keep.

    A component of weight 0 changes nothing, and the fewer components of positive weight a set has, the further its
    margin can be. So of each size those sets are best that have as many of weight 0 as there are, and one of positive
    weight at least. A set that has none leaves the decision to the bias.

    Attributes:
        positive: How many components of positive weight the best sets keep; 1 where they keep none.
        bias_alone: Whether a set of this size may keep no weight.
        some: Whether one may keep some.
    """

    positive: Int[np.ndarray, "batch sizes"]
    bias_alone: Bool[np.ndarray, "batch sizes"]
    some: Bool[np.ndarray, "batch sizes"]

    @classmethod
    def of(cls, weights: Float[np.ndarray, "batch components"], lengths: Int[np.ndarray, " batch"]) -> "Sizes":
        """Return those of rows of so many components, entry k with k erased."""
        kept = np.maximum(lengths[:, None] - np.arange(weights.shape[1] + 1), 0)
        count = (weights > 0).sum(1, keepdims=True)
        without = lengths[:, None] - count
        return cls(np.maximum(kept - without, 1), kept <= without, (kept > 0) & (count > 0))

    def limit(
        self, of_positive: Float[np.ndarray, "*rivals batch components"], bias: Float[np.ndarray, "*rivals batch"]
    ) -> Float[np.ndarray, "*rivals batch sizes"]:
        """Return the smallest values of sets of each size, from those of sets of 1, 2, ... positive weights."""
        index = np.broadcast_to(self.positive - 1, (*of_positive.shape[:-2], *self.positive.shape))
        sets = np.where(self.some, np.take_along_axis(of_positive, index, axis=-1), np.inf)
        return np.minimum(sets, np.where(self.bias_alone, bias[..., None], np.inf))


def limits(
    weights: Float[np.ndarray, "batch components"],
    logits: Float[np.ndarray, "batch components classes"],
    bias: Float[np.ndarray, "batch classes"],
    decision: Int[np.ndarray, " batch"],
    lengths: Int[np.ndarray, " batch"],
) -> Limits:
    """Return the limits of the decision's log-odds at an affine head.

    Args:
        weights: Attention weights, 0 at padding.
        logits: Logits of each component with the bias, ``u_i + b``.
        bias: ``b``, for each row.
        decision: The class decided for.
        lengths: Number of components of each row.
    """
    lifted, sizes = weights * LIFT, Sizes.of(weights, lengths)
    rivals = np.arange(logits.shape[2] - 1) + (np.arange(logits.shape[2] - 1) >= decision[:, None])
    ahead = _ahead(logits, decision[:, None], rivals[:, None]).transpose(2, 0, 1)
    bias_ahead = _ahead(bias, decision, rivals).T
    certain, reached = [], []
    for sign in (1, -1):
        best = [smallest_ratios(lifted, sign * margins) for margins in ahead]
        bounds = sign * sizes.limit(np.stack([each.ratios for each in best]), sign * bias_ahead)
        certain.append(_against_all(bounds))
        if len(ahead) == 1:
            reached.append(certain[-1])
            continue
        found = (_reached(lifted, ahead, sign * each, own) for each, own in zip(ahead, best, strict=True))
        smallest = np.min([sign * _against_all(margins) for margins in found], axis=0)
        reached.append(sign * sizes.limit(smallest, sign * _against_all(bias_ahead)))
    return Limits(*reached, *certain)


@dataclass(frozen=True)
class Ratios:
    """Smallest ratios of sets of 1, 2, ... components, and where their sets end.

    Attributes:
        ratios: ``sum_S a_i m_i / sum_S a_i``.
        edges: The largest ``a_i (m_i - ratio)`` of a member.
    """

    ratios: Float[np.ndarray, "rows components"]
    edges: Float[np.ndarray, "rows components"]


def smallest_ratios(
    weights: Float[np.ndarray, "rows components"], margins: Float[np.ndarray, "rows components"]
) -> Ratios:
    """Return ``min sum_S a_i m_i / sum_S a_i`` over sets S of 1, 2, ... components of positive weight.

    Entries for more components than a row has of positive weight mean nothing.
    """
    exists = weights > 0
    weights, margins = np.where(exists, weights, 1.0), np.where(exists, margins, LAST)
    count, width = exists.sum(1, keepdims=True), weights.shape[1]
    ratios, edges = np.empty_like(weights), np.full_like(weights, LAST / 2)
    for rows in _chunks(len(weights), width * max(GRIDS)):
        ratios[rows] = _near_ratios(weights[rows], margins[rows], np.maximum(count[rows], 1))
    row, size = np.nonzero(np.arange(1, width + 1) < count)  # the ratio of all is there already
    firsts = np.tri(width)
    for sets in _chunks(len(row), width):
        _iterate(weights, margins, Ratios(ratios, edges), row[sets], size[sets], firsts)
    return Ratios(ratios, edges)


def _near_ratios(
    weights: Float[np.ndarray, "rows components"],
    margins: Float[np.ndarray, "rows components"],
    count: Int[np.ndarray, "rows 1"],
) -> Float[np.ndarray, "rows components"]:
    """Return ratios of some sets of each size, most of which are the smallest."""
    coarse, fine = (np.linspace(0, 1, steps) for steps in GRIDS)
    least = margins.min(1, keepdims=True)
    whole = np.take_along_axis(_ratios_at(weights, margins, least), count - 1, axis=1)
    ratios = _ratios_at(weights, margins, least + (whole - least) * coarse)
    places = np.rint((count - 1) * fine).astype(int)
    return np.minimum(ratios, _ratios_at(weights, margins, np.take_along_axis(ratios, places, axis=1)))


def _ratios_at(
    weights: Float[np.ndarray, "rows components"],
    margins: Float[np.ndarray, "rows components"],
    at: Float[np.ndarray, "rows grid"],
) -> Float[np.ndarray, "rows components"]:
    """Take sets of all sizes at each of some ratios; return the smallest ratio of those of each size."""
    order = np.argsort(weights[:, None] * (margins[:, None] - at[:, :, None]), axis=-1)
    rows = np.arange(len(weights))[:, None, None]
    return ((weights * margins)[rows, order].cumsum(-1) / weights[rows, order].cumsum(-1)).min(1)


def _iterate(
    weights: Float[np.ndarray, "rows components"],
    margins: Float[np.ndarray, "rows components"],
    best: Ratios,
    row: Int[np.ndarray, " sets"],
    column: Int[np.ndarray, " sets"],
    firsts: Float[np.ndarray, "components components"],
) -> None:
    """Lower some ratios to the smallest there are, in place, and set where their sets end.

    Where the smallest keys of a size sum to less than 0, their set has a smaller ratio.
    """
    while len(row):
        at, own = best.ratios[row, column], weights[row]
        keys = _keys(own, margins[row], at[:, None])
        ordered = np.sort(keys, axis=1)
        best.edges[row, column] = edges = np.take_along_axis(ordered, column[:, None], axis=1)[:, 0]
        sums = np.einsum("sc,sc->s", ordered, firsts[column])
        short = sums < -ROUNDING * (column + 1) * np.abs(ordered[:, 0])
        row, column = row[short], column[short]
        found = at[short] + sums[short] / _mass(own[short], keys[short], edges[short, None], column[:, None] + 1)
        lower = found < at[short]  # rounding may leave nothing to gain
        row, column = row[lower], column[lower]
        best.ratios[row, column] = found[lower]


def _keys(
    weights: Float[np.ndarray, "*#sets components"],
    margins: Float[np.ndarray, "*#sets components"],
    ratios: Float[np.ndarray, "*#sets 1"],
) -> Float[np.ndarray, "*sets components"]:
    """Return ``a_i (m_i - ratio)``."""
    keys = margins - ratios
    keys *= weights
    return keys


def _mass(
    weights: Float[np.ndarray, "sets components"],
    keys: Float[np.ndarray, "sets components"],
    edges: Float[np.ndarray, "sets 1"],
    size: Int[np.ndarray, "sets 1"],
) -> Float[np.ndarray, " sets"]:
    """Return the weight of so many components of the smallest keys; equal keys at the edge count in equal parts."""
    below, level = keys < edges, keys == edges
    share = (size - below.sum(1, keepdims=True)) / level.sum(1, keepdims=True)
    return np.einsum("sc,sc->s", weights, below + share * level)


def _reached(
    weights: Float[np.ndarray, "batch components"],
    ahead: Float[np.ndarray, "rivals batch components"],
    margins: Float[np.ndarray, "batch components"],
    best: Ratios,
) -> Float[np.ndarray, "rivals batch components"]:
    """Return the margins over all rivals of the sets whose ratios are the smallest over one of them."""
    found, width = np.empty_like(ahead), weights.shape[1]
    margins = np.where(weights > 0, margins, LAST)
    factors = np.where(weights > 0, weights, 1.0)
    terms = np.concatenate([weights * ahead, weights[None]]).transpose(1, 2, 0)
    for rows in _chunks(len(weights), width**2):
        for sizes in _chunks(width, width * len(weights[rows])):
            ratios, edges = best.ratios[rows, sizes, None], best.edges[rows, sizes, None]
            keys = _keys(factors[rows, None], margins[rows, None], ratios)
            sums = _up_to(edges, keys, np.arange(1, width + 1)[sizes]).astype(float) @ terms[rows]
            mass = sums[..., -1:]
            means = np.divide(sums, mass, out=np.zeros_like(sums), where=mass > 0)
            found[:, rows, sizes] = means[..., :-1].transpose(2, 0, 1)
    return found


def _up_to(
    edges: Float[np.ndarray, "rows sets 1"],
    keys: Float[np.ndarray, "rows sets components"],
    size: Int[np.ndarray, " sets"],
) -> Bool[np.ndarray, "rows sets components"]:
    """Return for each set which components it has: so many of the smallest keys, ties at its edge in reading order."""
    chosen = keys <= edges
    tied = np.nonzero(np.count_nonzero(chosen, axis=-1) > size)
    below, level = keys[tied] < edges[tied], keys[tied] == edges[tied]
    left = size[tied[1]] - below.sum(-1)
    chosen[tied] = below | (level & (level.cumsum(-1) <= left[:, None]))
    return chosen


def _against_all(ahead: Float[np.ndarray, "rivals *rest"]) -> Float[np.ndarray, "*rest"]:
    """Return the log-odds of a decision that is so far ahead of each of its rivals."""
    if len(ahead) == 1:
        return ahead[0]
    nearest = ahead.min(axis=0)
    return nearest - np.log(np.exp(nearest - ahead).sum(axis=0))


def _ahead(
    logits: Float[np.ndarray, "*batch classes"],
    decision: Int[np.ndarray, "*#batch"],
    rivals: Int[np.ndarray, "*#batch rivals"],
) -> Float[np.ndarray, "*batch rivals"]:
    """Return how far the decided logit is above each of the others."""
    shape = logits.shape[:-1]
    decided = np.take_along_axis(logits, np.broadcast_to(decision, shape)[..., None], axis=-1)
    return decided - np.take_along_axis(logits, np.broadcast_to(rivals, (*shape, rivals.shape[-1])), axis=-1)


def _chunks(rows: int, entries: int) -> Iterator[slice]:
    """Yield rows, as many at a time as `ENTRIES` allows with so many entries each."""
    at_once = max(1, ENTRIES // max(entries, 1))
    return (slice(first, first + at_once) for first in range(0, rows, at_once))
