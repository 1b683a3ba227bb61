"""Decisions along orders of the components: the first k erased, and the first k alone kept (METHOD section 10)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.margins import log_odds
from eraserhead.method.test_two import Evaluate

PERCENTS = (1, 5, 10, 20, 50)  # of the components (DeYoung et al. 2020, ERASER)


@dataclass(frozen=True)
class Steps:
    """How many components are erased, or alone kept, at each step of a curve.

    Attributes:
        k: These numbers, ascending in each row.
        exists: Which steps a row has; others repeat its last one.
    """

    k: Int[Tensor, "batch steps"]
    exists: Bool[Tensor, "batch steps"]

    @classmethod
    def every(cls, lengths: Int[Tensor, " batch"]) -> "Steps":
        """Return the steps 0, 1, ... to all components."""
        k = torch.arange(int(lengths.max()) + 1, device=lengths.device)
        return cls(torch.minimum(k, lengths[:, None]), k <= lengths[:, None])

    @classmethod
    def of_fractions(cls, lengths: Int[Tensor, " batch"]) -> "Steps":
        """Return the steps at `PERCENTS` of the components, rounded up, each once."""
        at = at_percents(lengths)
        new = torch.cat([torch.ones_like(at[:, :1], dtype=torch.bool), at[:, 1:] > at[:, :-1]], dim=1)
        first = new.logical_not().to(torch.int8).argsort(dim=1, stable=True)
        exists = torch.arange(at.shape[1], device=at.device) < new.sum(1, keepdim=True)
        return cls(torch.where(exists, at.gather(1, first), at[:, -1:]), exists)


def at_percents(lengths: Int[Tensor, " batch"]) -> Int[Tensor, "batch percents"]:
    """Return how many components the `PERCENTS` are, rounded up; in whole numbers, as .07 * 100 is more than 7."""
    percents = torch.tensor(PERCENTS, device=lengths.device)
    return (lengths[:, None] * percents + 99) // 100


@dataclass(frozen=True)
class Along:
    """Log-odds of the original decision along several orders.

    Attributes:
        removed: With the first k components of the order erased.
        kept: With these alone kept.
    """

    removed: Float[Tensor, "batch orders steps"]
    kept: Float[Tensor, "batch orders steps"]


def along_one_by_one(
    evaluate: Evaluate,
    orders: Int[Tensor, "batch orders components"],
    steps: Steps,
    decision: Int[Tensor, " batch"],
    mask_entries: int,
) -> Along:
    """Follow orders where every set must be evaluated by itself.

    Args:
        evaluate: Decides documents again with everything outside the keep masks erased.
        orders: The orders of each document, padding last.
        steps: Where to look.
        decision: The decision with nothing erased.
        mask_entries: Approximate number of keep-mask entries held at a time.
    """
    ranks, found = orders.argsort(-1), decision.new_zeros(2, *orders.shape[:2], steps.k.shape[1], dtype=torch.float64)
    at_once = max(1, mask_entries // (2 * max(ranks[0].numel(), 1)))
    for step in range(steps.k.shape[1]):
        for rows in steps.exists[:, step].nonzero().squeeze(1).split(at_once):
            first = ranks[rows] < steps.k[rows, step].view(-1, 1, 1)
            logits = evaluate(rows, torch.cat([~first, first], dim=1)).logits
            odds = log_odds(logits, decision[rows].unsqueeze(1).expand(logits.shape[:2]))
            found[:, rows, :, step] = torch.stack(odds.chunk(2, dim=1))
    return Along(found[0], found[1])
