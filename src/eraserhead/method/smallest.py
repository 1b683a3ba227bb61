"""Which of several flipping sets is the smallest (METHOD section 5)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.method.names import Outcome


def smallest(
    removed: Int[Tensor, "sets batch"], mass: Float[Tensor, "sets batch"], outcome: Int[Tensor, "sets batch"]
) -> Int[Tensor, " batch"]:
    """Return the number of each document's smallest set; on ties a `FLIP` before a `BIAS_ONLY`, then the smaller mass.

    A set that flips is smaller than one that does not, whose size and mass say nothing; among equals it is the first.
    """
    never = outcome == Outcome.NEVER
    size = (removed * len(Outcome) + outcome).masked_fill(never, torch.iinfo(removed.dtype).max)
    return mass.masked_fill(never | (size > size.amin(0)), torch.inf).argmin(0)
