"""How far the decision is from its rivals (METHOD section 4)."""

import torch
from jaxtyping import Float
from torch import Tensor

from eraserhead.method.erasure import decide


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
