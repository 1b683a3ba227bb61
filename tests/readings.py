"""Readings for tests: what was read of hand-made heads and of toys, and what is computed from any reading."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eraserhead.method.affine import AffineReading
from eraserhead.method.analysis import Analysis, Draws, RankingFlips, analyse
from eraserhead.method.erasure import Evaluation
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT, Outcome, RandomOther
from eraserhead.method.orders import order_by
from eraserhead.method.reading import Reading
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.test_two import FlippingSet
from eraserhead.rankings.registry import registered
from heads import Head


def analysed(
    reading: Reading,
    ids: Sequence[str] | None = None,
    draws: int = 2,
    seed: int = 0,
    greedy: bool = False,
    random_other: RandomOther = "uniform",
) -> Analysis:
    """Analyse a reading along every registered ranking; documents are called ``test/0`` and so on."""
    ids = [f"test/{row}" for row in range(len(reading.mask))] if ids is None else ids
    orders = {ranking.name: ranking.order(reading) for ranking in registered()}
    return analyse(reading, orders, Draws(ids, seed, draws, random_other), greedy)


def analyse_along(reading: Reading, permutations: int) -> list[RankingFlips]:
    """First flips along attention, and along permuted weights; documents are called by their numbers."""
    orders = {ATTENTION: order_by(reading.weights, reading.mask)}
    ids = [str(row) for row in range(len(reading.mask))]
    return analyse(reading, orders, Draws(ids, 0, permutations, permutations=permutations)).flips


def evaluated(reading: Reading, keep: Tensor, rows: Sequence[int] | None = None) -> Tensor:
    """Logits of the documents of `rows`, by default of all, with everything outside each keep mask erased."""
    chosen = torch.arange(len(keep)) if rows is None else torch.tensor(rows)
    return reading.evaluate(chosen, keep).logits


def numbers(reading: Reading) -> dict[str, Tensor]:
    """What is known of each component, under the names of the rankings that show it."""
    return {"weights": reading.weights, "gradient": reading.signals[GRADIENT], "product": reading.signals[PRODUCT]}


def affine(head: Head, weights: Tensor | None = None) -> AffineReading:
    """The reading of a hand-made head."""
    return AffineReading.of(head.weights if weights is None else weights, head.component_logits, head.bias, head.mask)


def replayed(reading: AffineReading, mask_entries: int = 10**6) -> ReplayedReading:
    """The same documents, of which nothing is known but what a replay tells."""
    return ReplayedReading(
        weights=reading.weights,
        mask=reading.mask,
        positions=reading.positions,
        unerased=reading.unerased,
        model_decision=reading.model_decision,
        signals=reading.signals,
        outside=torch.zeros(len(reading.mask), dtype=torch.float64),
        replay=lambda rows, keep: reading.evaluate(rows, keep).logits,
        mask_entries=mask_entries,
    )


LONG, SMALL = (41, 29, 17, 8, 3, 1), (9, 8, 7, 5, 3, 2, 1)  # components of toy documents; small ones for exhaustion


@dataclass(frozen=True)
class Toy:
    """A decision over components that interact, so that nothing but a replay tells what an erasure does to it."""

    weights: Tensor
    own: Tensor
    pairs: Tensor
    mask: Tensor
    evaluated: list[int] = field(default_factory=list)

    @staticmethod
    def draw(seed: int, lengths: Sequence[int], lean: float) -> "Toy":
        """Components that lean towards class 0, some of them of weight 0."""
        generator = torch.Generator().manual_seed(seed)
        width, classes = max(lengths), 3
        own = torch.randn(len(lengths), width, classes, generator=generator, dtype=torch.float64)
        own[..., 0] += lean
        pairs = torch.randn(len(lengths), width, width, classes, generator=generator, dtype=torch.float64)
        mask = torch.arange(width) < torch.tensor(lengths).unsqueeze(1)
        weights = torch.rand(len(lengths), width, generator=generator, dtype=torch.float64) * mask
        share = torch.rand(len(lengths), 1, generator=generator)  # of components that have a weight at all
        weights = weights * (torch.rand(weights.shape, generator=generator) < share)
        return Toy(weights / weights.sum(-1, keepdim=True).clamp(min=1e-9), own, 0.5 * pairs, mask)

    def replay(self, rows: Tensor, keep: Tensor) -> Tensor:
        self.evaluated.append(keep.shape[0] * keep.shape[1])
        kept = (keep & self.mask[rows].unsqueeze(1)).double()
        logits = torch.einsum("dek,dkc->dec", kept, self.own[rows])
        return logits + torch.einsum("dek,del,dklc->dec", kept, kept, self.pairs[rows])

    def reading(self, mask_entries: int = 10**6, outside: Sequence[float] | None = None) -> ReplayedReading:
        """What is read of the toy: signals without a meaning, but different ones for each component."""
        logits = torch.stack([self.erase(row, ())[0] for row in range(len(self.mask))])
        unerased = Evaluation(logits, torch.ones_like(logits[:, 0]), (self.weights > 0).any(-1))
        slopes = torch.where(self.mask, self.own[..., 1] - self.own[..., 0], 0.0)
        signals = ("margin_gradient", slopes), ("gradient", slopes / 8), ("margin_product", self.weights * slopes)
        return ReplayedReading(
            weights=self.weights,
            mask=self.mask,
            positions=torch.arange(self.mask.shape[1]).expand(self.mask.shape),
            unerased=unerased,
            model_decision=unerased.decision,
            signals=dict([*signals, ("product", self.weights * slopes / 8)]),
            outside=torch.zeros(len(self.mask)).double() if outside is None else torch.tensor(outside).double(),
            replay=self.replay,
            mask_entries=mask_entries,
        )

    def erase(self, row: int, erased: Collection[int]) -> tuple[Tensor, bool]:
        """Logits of one document, and whether any weight is left; one erasure at a time."""
        kept = [i for i in range(int(self.mask[row].sum())) if i not in erased]
        logits = torch.zeros(3, dtype=torch.float64)
        for one in kept:
            logits = logits + self.own[row, one]
            for other in kept:
                logits = logits + self.pairs[row, one, other]
        return logits, any(self.weights[row, i] > 0 for i in kept)

    def flips_at(self, row: int, order: Sequence[int]) -> tuple[Outcome, int | None, int | None]:
        """Outcome, size and new decision of the first prefix that flips."""
        original = self.erase(row, ())[0].argmax()
        for k in range(1, len(order) + 1):
            logits, mass = self.erase(row, order[:k])
            if logits.argmax() != original:
                return (Outcome.FLIP if mass else Outcome.BIAS_ONLY), k, int(logits.argmax())
        return Outcome.NEVER, None, None

    def orders(self, seed: int, rankings: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        key = torch.rand(len(self.mask), rankings, self.mask.shape[1], generator=generator)
        return key.masked_fill(~self.mask.unsqueeze(1), 2.0).argsort(-1)

    def sets_along(self, seed: int, rankings: int) -> list[FlippingSet]:
        """The flipping prefixes of random orders."""
        orders = self.orders(seed, rankings)
        flips = self.reading().first_flips(orders)
        return [FlippingSet(orders[:, ranking], each) for ranking, each in enumerate(flips)]
