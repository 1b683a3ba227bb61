"""Rankings: in which order components are erased (Serrano & Smith 2019, sec. 5; METHOD section 4)."""

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import decide

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

RANDOM_ORDERS, RANDOM_SINGLES = 0, 1  # separate random streams, so that one never shifts the other


def order_by(
    key: Float[Tensor, "*batch components"], mask: Bool[Tensor, "*batch components"]
) -> Int[Tensor, "*batch components"]:
    """Return component indices by descending key; ties in reading order, padding last."""
    return key.masked_fill(~mask, -torch.inf).argsort(dim=-1, descending=True, stable=True)


def rival_weights(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    """Return the softmax over the classes other than the decision; 0 at the decision itself."""
    decided = decide(logits).unsqueeze(-1)
    return logits.scatter(-1, decided, -torch.inf).softmax(-1)


def margin_gradient(
    component_logits: Float[Tensor, "batch components classes"], logits: Float[Tensor, "batch classes"]
) -> Float[Tensor, "batch components"]:
    """Return ``d/da_i (z_c - sum_{k != c} w_k z_k)`` of an affine head, `w` held fixed at the rivals' softmax.

    It orders components as ``d p_c / d a_i`` does, of which it is the part that does not vanish when the softmax
    saturates (METHOD section 4).
    """
    rivals = torch.einsum("bnk,bk->bn", component_logits, rival_weights(logits))
    decided = decide(logits).view(-1, 1, 1).expand(-1, component_logits.shape[1], 1)
    return component_logits.gather(2, decided).squeeze(2) - rivals


def saturation(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Return ``p_c (1 - p_c)``, the factor between the margin gradient and ``d p_c / d a_i``."""
    probabilities = logits.softmax(-1)
    decided = decide(logits).unsqueeze(-1)
    others = probabilities.scatter(-1, decided, 0.0).sum(-1)  # 1 - p_c would round to 0 first
    return probabilities.gather(-1, decided).squeeze(-1) * others


def document_generator(seed: int, document: str, stream: int) -> np.random.Generator:
    """Return the random stream of one document: the same whatever batch, shard or process it falls into."""
    digest = blake2b(f"{seed}\0{stream}\0{document}".encode(errors="surrogatepass"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def random_orders(documents: list[str], lengths: list[int], width: int, draws: int, seed: int) -> Int[Tensor, "..."]:
    """Return shuffles ``[batch, draws, width]`` of each document's components, padding last and in place."""
    orders = np.tile(np.arange(width), (len(documents), draws, 1))
    for row, (document, length) in enumerate(zip(documents, lengths, strict=True)):
        generator = document_generator(seed, document, RANDOM_ORDERS)
        orders[row, :, :length] = generator.permuted(orders[row, :, :length], axis=1)
    return torch.from_numpy(orders)


def random_others(documents: list[str], lengths: list[int], left_out: Int[Tensor, "batch tops"], seed: int) -> Tensor:
    """Return for each entry one component, drawn uniformly from all but the one left out ``[batch, tops]``.

    Where n < 2 there is no other: the one left out itself.
    """
    drawn = np.zeros(left_out.shape, dtype=np.int64)
    for row, (document, length) in enumerate(zip(documents, lengths, strict=True)):
        if length > 1:
            drawn[row] = document_generator(seed, document, RANDOM_SINGLES).integers(
                0, length - 1, size=left_out.shape[1]
            )
    others = torch.from_numpy(drawn).to(left_out.device)
    alone = torch.tensor(lengths, device=left_out.device).unsqueeze(1) < 2
    return torch.where(alone, left_out, others + (others >= left_out).long())
