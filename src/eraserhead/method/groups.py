"""Groups of components that are erased and kept as one, such as the tokens of a word (METHOD section 11)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Replay
from eraserhead.method.names import GRADIENT
from eraserhead.method.reading import Reading
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.signals import MARGIN_GRADIENT, Signals

DERIVATIVES = frozenset({GRADIENT, MARGIN_GRADIENT})  # signals by a component's weight; all others are summed


@dataclass(frozen=True)
class Groups:
    """Groups of neighbouring components.

    Attributes:
        number: Each component's group, counted from 0 in its row; `count` at padding.
        first: Which components are the first of their groups.
        count: Most groups of a row.
    """

    number: Int[Tensor, "batch components"]
    first: Bool[Tensor, "batch components"]
    count: int

    @classmethod
    def of(cls, units: Int[Tensor, "batch components"], mask: Bool[Tensor, "batch components"]) -> "Groups":
        """Group neighbours of the same unit; components come first in each row, padding behind them."""
        first = units != units.roll(1, dims=1)
        first[:, 0] = True
        first &= mask
        count = max(1, int(first.sum(1).max())) if len(mask) else 1
        return cls((first.cumsum(1) - 1).masked_fill(~mask, count), first, count)

    @property
    def mask(self) -> Bool[Tensor, "batch groups"]:
        """Which groups exist."""
        return torch.arange(self.count, device=self.first.device) < self.first.sum(1, keepdim=True)

    def sum(self, values: Shaped[Tensor, "batch components *rest"]) -> Shaped[Tensor, "batch groups *rest"]:
        """Return the sum of each group's members; unlike `scatter_add_`, it rounds alike on every call on a GPU too."""
        sums = values.new_zeros(len(values), self.count + 1, *values.shape[2:])
        rows = torch.arange(len(values), device=values.device).unsqueeze(1).expand(self.number.shape)
        return sums.index_put((rows, self.number), values, accumulate=True)[:, :-1]

    def share(self, weights: Float[Tensor, "batch components"]) -> Float[Tensor, "batch components"]:
        """Return each member's share of its group's weight; equal shares where that is 0."""
        of_member = self.number.clamp(max=self.count - 1)
        total = self.sum(weights).gather(1, of_member)
        members = self.sum(torch.ones_like(weights)).gather(1, of_member)
        weighs = total > 0
        share = torch.where(weighs, weights / torch.where(weighs, total, 1.0), 1.0 / members.clamp(min=1))
        return share * (self.number < self.count)

    def mean(
        self, values: Float[Tensor, "batch components *rest"], share: Float[Tensor, "batch components"]
    ) -> Float[Tensor, "batch groups *rest"]:
        """Return the mean of each group's members by their shares; a single member's is its value, bit for bit."""
        return self.sum(values * share.view(*share.shape, *(1,) * (values.dim() - 2)))

    def members(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures groups"]
    ) -> Bool[Tensor, "rows erasures components"]:
        """Return keep masks of components from those of groups."""
        number = self.number[rows].unsqueeze(1)
        kept = keep.gather(2, number.clamp(max=self.count - 1).expand(-1, keep.shape[1], -1))
        return kept & (number < self.count)


def grouped(reading: Reading, units: Int[Tensor, "documents tokens"]) -> AffineReading | ReplayedReading:
    """Return a reading whose components are groups of those of another one.

    A group's weight is the sum of its members' weights. Its gradient is the derivative by the group's weight with the
    members in proportion, ``sum a_i g_i / sum a_i``; where all weigh 0, the plain mean. Every other signal is a sum
    over the members, the product of attention and gradient among them. An affine head stays one: a group's logits are
    its members' in the same proportion, so that all closed forms and the exact minimum hold for groups.

    Args:
        reading: The batch as read at a site.
        units: Number of the unit, such as the word, of each position of each document. Neighbours of the same number
            are a group.
    """
    rows = units if reading.cases is None else units[reading.cases.documents]
    groups = Groups.of(rows.gather(1, reading.positions), reading.mask)
    if isinstance(reading, AffineReading):
        return _affine(reading, groups)
    assert isinstance(reading, ReplayedReading)
    return _replayed(reading, groups)


def _affine(reading: AffineReading, groups: Groups) -> AffineReading:
    found = AffineReading.of(
        groups.sum(reading.weights),
        groups.mean(reading.component_logits, groups.share(reading.weights)),
        reading.bias,
        groups.mask,
        _positions(reading, groups),
        reading.model_decision,
        reading.cases,
    )
    # The gradients follow from the groups' own logits; whatever else the site gave is kept beside them.
    return replace(found, signals=_signals(reading, groups, found.signals), see=_see(reading, groups))


def _replayed(reading: ReplayedReading, groups: Groups) -> ReplayedReading:
    return replace(
        reading,
        weights=groups.sum(reading.weights),
        mask=groups.mask,
        positions=_positions(reading, groups),
        signals=_signals(reading, groups, {}),
        replay=GroupsReplay(reading.replay, groups),
        see=_see(reading, groups),
        shuffle=None,  # weights of tokens can be permuted there, but not those of groups
        # Each mask of groups becomes a wider one of their members.
        mask_entries=max(1, reading.mask_entries * groups.count // reading.mask.shape[1]),
    )


def _see(reading: AffineReading | ReplayedReading, groups: Groups) -> "GroupsReplay | None":
    return None if reading.see is None else GroupsReplay(reading.see, groups)


def _positions(reading: Reading, groups: Groups) -> Int[Tensor, "batch groups"]:
    return groups.sum(reading.positions * groups.first)


def _signals(reading: Reading, groups: Groups, computed: Mapping[str, Float[Tensor, "batch groups"]]) -> Signals:
    """Return the signals that are known of the groups, and those of the members, grouped when they are asked for."""
    share = groups.share(reading.weights)

    def of_groups(name: str) -> Float[Tensor, "batch groups"]:
        values = reading.signals[name]
        return groups.mean(values, share) if name in DERIVATIVES else groups.sum(values)

    later = {name: partial(of_groups, name) for name in reading.signals if name not in computed}
    missed = reading.signals.missed if isinstance(reading.signals, Signals) else None
    return Signals(computed, later, missed)


@dataclass(frozen=True)
class GroupsReplay:
    """Decides again with groups erased, by the replay of their members.

    Attributes:
        replay: Rows and keep masks of components -> logits ``[rows, erasures, classes]``, or what a head sees.
        groups: The groups.
    """

    replay: Replay
    groups: Groups

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures groups"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Return the logits of some documents with everything outside each keep mask erased."""
        return self.replay(rows, self.groups.members(rows, keep))
