"""How much of each token reaches the read-out through all layers: products of one matrix a layer (METHOD section 9)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def roll_out(
    read_out: Float[Tensor, "batch tokens"], layers: Sequence[Float[Tensor, "batch tokens tokens"]]
) -> Float[Tensor, "batch tokens"]:
    """Return the read-out's row of the product of all layers' matrices, the last layer's first.

    Args:
        read_out: How much of each token's vector the decision is read from; sums to 1.
        layers: Of each layer, the first one first: how much of each token (columns) goes into each token (rows).
    """
    row = read_out
    for matrix in reversed(layers):
        row = torch.einsum("bq,bqk->bk", row, matrix)
    return row


def mixed_with_residual(weights: Float[Tensor, "batch heads tokens tokens"]) -> Float[Tensor, "batch tokens tokens"]:
    """Return ``mean_h A + I`` with each row divided by its sum (Abnar & Zuidema 2020, sec. 3)."""
    mean = weights.double().mean(1)
    mixed = mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
    return mixed / mixed.sum(-1, keepdim=True)


def relevance_step(
    weights: Float[Tensor, "batch heads tokens tokens"], slopes: Float[Tensor, "batch heads tokens tokens"]
) -> Float[Tensor, "batch tokens tokens"]:
    """Return ``I + mean_h (A * dm/dA)+``, by which a layer multiplies relevance (Chefer et al. 2021, eq. 5 and 6)."""
    step = (weights.double() * slopes.double()).clamp(min=0).mean(1)
    return step + torch.eye(step.shape[-1], dtype=step.dtype, device=step.device)


def shares_of_rows(distances: Float[Tensor, "batch tokens tokens"]) -> Float[Tensor, "batch tokens tokens"]:
    """Divide each row by its sum; a row of zeros stays one (Mohebbi et al. 2023, eq. 4)."""
    sums = distances.sum(-1, keepdim=True)
    return torch.where(sums > 0, distances / sums.clamp(min=torch.finfo(sums.dtype).tiny), 0.0)
