"""The order in which components are erased (Serrano & Smith 2019, sec. 5; METHOD section 4)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def order_by(
    key: Float[Tensor, "*batch components"], mask: Bool[Tensor, "*batch components"]
) -> Int[Tensor, "*batch components"]:
    """Return component indices by descending key; ties in reading order, padding last."""
    return key.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)
