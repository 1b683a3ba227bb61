"""Dropout that draws few random bits.

This module is pushed as remote code: it imports torch alone, and the docstrings give its shapes.
"""

import torch
from torch import Tensor, nn

VALUES = 2**16  # of the 16 random bits of an entry
IN_A_DRAW = 4  # entries that one random number of 64 bits serves


class Dropout(nn.Dropout):
    """Dropout with 16 random bits an entry on a CPU, where torch's own takes longer than the layers beside it.

    The probability is rounded to a multiple of ``1 / 65,536``, and entries that are kept are scaled by what was
    rounded, so that their mean stays exact.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with some entries at 0 and the others scaled up; in eval mode the input itself."""
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // IN_A_DRAW), dtype=torch.int64).random_(-(2**63), None)
        values = draws.view(torch.int16)[: input.numel()].view(input.shape)
        dropped = round(self.p * VALUES)
        kept = values >= dropped - VALUES // 2
        return input * (kept.to(input.dtype) * (VALUES / (VALUES - dropped)))
