"""How far a distribution moves when weights are erased."""

import torch
from jaxtyping import Float
from torch import Tensor


def js_divergence(p: Float[Tensor, "*#batch classes"], q: Float[Tensor, "*#batch classes"]) -> Float[Tensor, "..."]:
    """Return the Jensen-Shannon divergence in nats, between 0 and ln 2 (Serrano & Smith 2019, sec. 4.1).

    Probabilities of 0 count as 0 log 0 = 0. `p` and `q` broadcast against each other.
    """
    middle = (p + q) / 2
    # A subnormal probability can halve to 0; its term is 0 in the limit.
    log_middle = torch.where(middle > 0, middle, torch.ones_like(middle)).log()
    divergence = (torch.xlogy(p, p) - p * log_middle + torch.xlogy(q, q) - q * log_middle).sum(-1) / 2
    return divergence.clamp(min=0.0)
