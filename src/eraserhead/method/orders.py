"""In which order components are erased (Serrano & Smith 2019, sec. 5; METHOD section 4)."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Key = Callable[
    [Float[Tensor, "batch components"], Float[Tensor, "batch components"], Float[Tensor, "batch components"]],
    Float[Tensor, "batch components"],
]


# Signed descending keys over weights, margin gradients, and weights times margin gradients summed over each weight of a
# component. A ranking is one line here; everything after it follows.
KEYS: dict[str, Key] = {
    "attention": lambda weights, gradient, product: weights,
    "gradient": lambda weights, gradient, product: gradient,
    "product": lambda weights, gradient, product: product,
}


def order_by(
    key: Float[Tensor, "*batch components"], mask: Bool[Tensor, "*batch components"]
) -> Int[Tensor, "*batch components"]:
    """Return component indices by descending key; ties in reading order, padding last."""
    return key.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)
