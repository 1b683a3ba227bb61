"""The attention of one position of each document, with keys erased."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.patch.interface import capped
from eraserhead.patch.passes import AttentionStates


def scores_at(states: AttentionStates, at: Int[Tensor, " documents"]) -> Float[Tensor, "documents heads keys"]:
    """Return the attention scores of one position of each document, -inf where it may not attend."""
    heads, size = states.query.shape[1], states.query.shape[-1]
    query = states.query.gather(2, at.view(-1, 1, 1, 1).expand(-1, heads, 1, size))
    shared = (states.scaling * query.squeeze(2)).unflatten(1, (states.key.shape[1], -1))
    scores = capped((shared @ states.key.transpose(-1, -2)).flatten(1, 2), states.cap)
    if states.allowed is None:
        return scores
    allowed = rows_at(states.allowed.expand(len(at), -1, -1, -1), at)
    if states.attends_anyway:
        none = ~allowed.any(-1, keepdim=True)
        scores, allowed = scores.masked_fill(none, 0.0), allowed | none
    return scores.masked_fill(~allowed, -torch.inf)


def rows_at(masks: Bool[Tensor, "documents heads queries keys"], at: Int[Tensor, " documents"]) -> Tensor:
    """Return the rows ``[documents, heads, keys]`` of one query of each document; one row may be that of all."""
    if masks.shape[2] == 1:
        return masks.squeeze(2)
    here = at.view(-1, 1, 1, 1).expand(-1, masks.shape[1], 1, masks.shape[3])
    return masks.gather(2, here).squeeze(2)


def vectors_at(
    hidden: Float[Tensor, "documents tokens hidden"], at: Int[Tensor, " documents"]
) -> Float[Tensor, "documents 1 hidden"]:
    """Return the vector of one position of each document."""
    return hidden.gather(1, at.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1]))


def attend(
    scores: Float[Tensor, "documents heads keys"],
    keep: Bool[Tensor, "documents heads_or_1 erasures keys"],
    values: Float[Tensor, "documents key_heads keys head_size"],
) -> Float[Tensor, "documents erasures heads head_size"]:
    """Return the weighted values with all but the kept keys erased; zeros where no key is left.

    Erasures of a document share its scores and values, which are not copied.
    """
    weights, left = surviving_weights(scores, keep)
    return weighted(weights, values).masked_fill_(~left, 0.0).transpose(1, 2)


def surviving_weights(
    scores: Float[Tensor, "documents heads keys"], keep: Bool[Tensor, "documents heads_or_1 erasures keys"]
) -> tuple[Float[Tensor, "documents heads erasures keys"], Bool[Tensor, "documents heads_or_1 erasures 1"]]:
    """Return the weights of the kept keys, and whether any is left; where none is, the weights mean nothing."""
    visible = (scores != -torch.inf).any(1, keepdim=True)
    left = (keep & visible.unsqueeze(2)).any(-1, keepdim=True)
    erased = torch.zeros(keep.shape, dtype=scores.dtype, device=scores.device).masked_fill_(~keep & left, -torch.inf)
    scores = scores.masked_fill(~visible.any(-1, keepdim=True), 0.0)
    return (scores.unsqueeze(2) + erased).softmax(-1), left


def weighted(
    weights: Float[Tensor, "documents heads erasures keys"], values: Float[Tensor, "documents key_heads keys head_size"]
) -> Float[Tensor, "documents heads erasures head_size"]:
    """Return the weighted values; heads that share values are rows of one product."""
    shared = weights.unflatten(1, (values.shape[1], -1))
    return (shared.flatten(2, 3) @ values).unflatten(2, shared.shape[2:4]).flatten(1, 2)
