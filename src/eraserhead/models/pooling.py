"""Additive attention pooling (Yang et al. 2016, "Hierarchical Attention Networks", sec. 2.2).

This module is pushed as remote code: it imports torch alone, and the docstrings give its shapes.
"""

import torch
from torch import Tensor, nn


def attend(vectors: Tensor, scores: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Average vectors by the softmax of their scores.

    Args:
        vectors: ``[batch, components, hidden]``.
        scores: ``[batch, components]``.
        mask: ``[batch, components]``, True for the components that take part. Erasing a component is leaving it out
            here: -inf on its score is the same as zeroing its weight and renormalising the rest.

    Returns:
        The pooled vectors ``[batch, hidden]`` and the weights ``[batch, components]``. A row without any component
        pools to the zero vector with all weights 0.
    """
    weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
    weights = weights * mask  # exactly 0 outside the mask, and all 0 where nothing takes part
    vectors = vectors.masked_fill(~mask.unsqueeze(-1), 0.0)  # whatever stands at padding, NaN included, takes no part
    return torch.einsum("bn,bnh->bh", weights.to(vectors.dtype), vectors), weights


class AttentionPooling(nn.Module):
    """Scores ``w . tanh(M v + m)`` with a learnt context vector ``w``, and the average that follows from them."""

    def __init__(self, vector_size: int, attention_size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(vector_size, attention_size)
        self.context = nn.Linear(attention_size, 1, bias=False)

    def scores(self, vectors: Tensor) -> Tensor:
        """Return attention scores ``[batch, components]`` of vectors ``[batch, components, hidden]``."""
        return self.context(torch.tanh(self.projection(vectors))).squeeze(-1)

    def forward(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return pooled vectors ``[batch, hidden]`` and weights ``[batch, components]``; see `attend`."""
        return attend(vectors, self.scores(vectors), mask)


def components_first(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the positions of each row's components ``[batch, components]``, in reading order, and which exist.

    Args:
        mask: ``[batch, positions]``, True for components, anywhere in the row.
    """
    if torch.compiler.is_compiling():  # or exporting: a graph's widths do not depend on masks, and ONNX sorts unstably
        places = torch.arange(mask.shape[-1], device=mask.device)
        positions = (places + mask.shape[-1] * (~mask).long()).argsort(dim=-1)
        return positions, mask.gather(1, positions)
    width = max(1, int(mask.sum(-1).max())) if len(mask) else 1
    positions = mask.to(torch.int8).argsort(dim=-1, descending=True, stable=True)[:, :width]
    return positions, mask.gather(1, positions)
