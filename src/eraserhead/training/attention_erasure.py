"""Erasure of attention in training, so that erased vectors are nothing new to what follows (METHOD section 14)."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from eraserhead.models.heads import AttentionLevel, FlatHead, HierarchicalHead


def erase_in_training(head: FlatHead | HierarchicalHead, probability: float) -> None:
    """Let the last attention of a head keep components at random while it is in training mode.

    What is drawn comes from the generator that dropout takes, on the same device. The weights' names stay the same,
    and with a probability of 0 nothing is changed and nothing drawn.
    """
    if probability > 0:
        head.last.register_forward_pre_hook(partial(_keep_at_random, probability))


def _keep_at_random(
    probability: float, level: AttentionLevel, given: tuple[Tensor, Tensor, Tensor | None]
) -> tuple[Any, ...] | None:
    if not level.training:
        return None
    vectors, mask, keep = given
    drawn = drawn_keep(mask, probability)
    return vectors, mask, drawn if keep is None else keep & drawn


def drawn_keep(mask: Bool[Tensor, "batch components"], probability: float) -> Bool[Tensor, "batch components"]:
    """Draw which components are kept; all of a document with the probability that is left.

    A document of n components for which it is drawn keeps 2 to n of them with a probability of 1 / (n + 1) each, and
    one with twice that. Where none would be kept, each is equally likely to be the one.

    Args:
        mask: Which components exist; the others are never kept.
        probability: Probability for each document that some of it may be erased.
    """
    drawn = torch.rand(len(mask), 1, device=mask.device) < probability
    share = torch.rand(len(mask), 1, device=mask.device)
    order = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, torch.inf)
    kept = order <= torch.maximum(share, order.amin(-1, keepdim=True))
    return mask & (kept | ~drawn)
