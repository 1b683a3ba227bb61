"""What a head sees with components erased (METHOD section 14)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.cases import Replay, distinct
from eraserhead.method.erasure import erase


def pooled(
    vectors: Float[Tensor, "rows components hidden"],
    weights: Float[Tensor, "rows components"],
    mask: Bool[Tensor, "rows components"],
    keep: Bool[Tensor, "rows erasures components"],
) -> Float[Tensor, "rows erasures hidden"]:
    """Return the averages of the vectors by the weights that are left, at least in float32; 0 where none is left."""
    left = erase(weights.unsqueeze(1).expand_as(keep), keep)
    wide = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    return left.to(wide) @ wide.masked_fill(~mask.unsqueeze(-1).to(wide.device), 0.0)


def replayed(
    vectors: Replay, documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
) -> Float[Tensor, "rows erasures hidden"]:
    """Run a replay that gives vectors once for each set of kept components of each document."""
    repeated, sets = documents.repeat_interleave(keep.shape[1]), keep.flatten(0, 1).unsqueeze(1)
    first, same = distinct(repeated, sets)
    return vectors(repeated[first], sets[first])[same].view(*keep.shape[:2], -1)
