"""The decision rule: which class logits decide for, and when another class takes the decision over (METHOD section 1).

Every decision in the project is taken here, but for those that the pushed models take themselves.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def decide(logits: Float[Tensor, "*batch classes"]) -> Int[Tensor, "*batch"]:
    """Return the class with the largest logit; among equals the lowest index."""
    return logits.argmax(-1)


def takes_over(
    leads: Float[Tensor, "batch classes *sets"], decision: Int[Tensor, " batch"]
) -> Bool[Tensor, "batch classes *sets"]:
    """Return which classes `decide` prefers to the decision; `leads` says how far each logit is above the decided one.

    A lead of 0 is a tie, which the lower class wins. The decision never takes over from itself.
    """
    beside = (1,) * (leads.dim() - 2)
    classes = torch.arange(leads.shape[1], device=leads.device).view(1, -1, *beside)
    decided = decision.view(-1, 1, *beside)
    return ((leads > 0) | ((leads == 0) & (classes < decided))) & (classes != decided)
