"""How far the decision is from its rivals (METHOD section 4)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.method.decision import decide


def rival_weights(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    """Return the softmax over the classes other than the decision; 0 at the decision itself."""
    decided = decide(logits).unsqueeze(-1)
    return logits.scatter(-1, decided, -torch.inf).softmax(-1)


def margins(
    logits: Float[Tensor, "*batch classes"], decision: Int[Tensor, "*batch"]
) -> Float[Tensor, "*batch classes"]:
    """Return how far the decided logit is above each logit: 0 at the decision, negative where a class is above it."""
    return logits.gather(-1, decision.unsqueeze(-1)) - logits


def log_odds(logits: Float[Tensor, "*batch classes"], decision: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Return ``log(p_c / (1 - p_c))`` of the decision, which still varies where p_c rounds to 1."""
    decided = decision.unsqueeze(-1)
    behind = (logits - logits.gather(-1, decided)).scatter(-1, decided, -torch.inf)
    top = behind.amax(-1, keepdim=True)
    return -(top.squeeze(-1) + (behind - top).exp().sum(-1).log())


def margin(
    logits: Float[Tensor, "batch components classes"], decision: Int[Tensor, " batch"]
) -> Float[Tensor, "batch components"]:
    """Return ``z_c - logsumexp_{k != c} z_k``, the log odds, of several logits for one decision (METHOD section 9)."""
    return log_odds(logits, decision.unsqueeze(1).expand(logits.shape[:2]))


def soft_margin(
    values: Float[Tensor, "batch *components classes"],
    decision: Int[Tensor, " batch"],
    rivals: Float[Tensor, "batch classes"],
) -> Float[Tensor, "batch *components"]:
    """Return ``z_c - sum_{k != c} w_k z_k``, with the decision and the weights of its rivals held fixed.

    For logits this is the margin. For component logits it is the margin's derivative with respect to each weight, which
    orders components as ``d p_c / d a_i`` does and does not vanish when the softmax saturates (METHOD section 4).

    Args:
        values: Logits, or the logits ``u_i`` of each component.
        decision: The class decided for, c.
        rivals: The weights w: `rival_weights` of the logits with nothing erased.
    """
    rows = values.unsqueeze(1) if values.dim() == 2 else values
    weighted = torch.einsum("bnk,bk->bn", rows, rivals)
    decided = rows.gather(2, decision.view(-1, 1, 1).expand(-1, rows.shape[1], 1)).squeeze(2)
    return (decided - weighted).view(values.shape[:-1])


def saturation(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
    """Return ``p_c (1 - p_c)``, the factor between the margin gradient and ``d p_c / d a_i``."""
    probabilities = logits.softmax(-1)
    decided = decide(logits).unsqueeze(-1)
    others = probabilities.scatter(-1, decided, 0.0).sum(-1)  # 1 - p_c would round to 0 first
    return probabilities.gather(-1, decided).squeeze(-1) * others
