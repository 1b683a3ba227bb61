"""What a head sees with components erased (METHOD section 14)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.cases import Replay, distinct
from eraserhead.method.erasure import erase

# Rows of a reading and keep masks -> what the head sees, ``[rows, erasures, hidden]``.
See = Callable[[Int[Tensor, " rows"], Bool[Tensor, "rows erasures components"]], Float[Tensor, "rows erasures hidden"]]


@dataclass(frozen=True)
class PooledVectors:
    """What a head sees that averages vectors by their attention weights.

    Attributes:
        vectors: ``v_i`` of each document's components, in the model's precision.
        weights: The weights of each row.
        mask: Which components of each row exist.
        documents: The document of each row.
    """

    vectors: Float[Tensor, "documents components hidden"]
    weights: Float[Tensor, "batch components"]
    mask: Bool[Tensor, "batch components"]
    documents: Int[Tensor, " batch"]

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"]:
        """Return the averages by the weights that are left, at least in float32; 0 where none is left."""
        left = erase(self.weights[rows].unsqueeze(1).expand_as(keep), keep)
        own = self.vectors[self.documents[rows].to(self.vectors.device)]
        wide = own.to(torch.promote_types(own.dtype, torch.float32))
        exists = self.mask[rows].unsqueeze(-1).to(wide.device)
        return left.to(wide) @ wide.masked_fill(~exists, 0.0)


@dataclass(frozen=True)
class ReplayedVectors:
    """What a head sees that is found by running a part of the model.

    Attributes:
        replay: As for logits, but of documents, and with what the head sees in their place.
        documents: The document of each row.
    """

    replay: Replay
    documents: Int[Tensor, " batch"]

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"]:
        """Run the replay once for each set of kept components of each document."""
        repeated, sets = self.documents[rows].repeat_interleave(keep.shape[1]), keep.flatten(0, 1).unsqueeze(1)
        first, same = distinct(repeated, sets)
        return self.replay(repeated[first], sets[first])[same].view(*keep.shape[:2], -1)
