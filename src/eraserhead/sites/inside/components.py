"""Replays in terms of components, which are some or all of a document's tokens."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.patch.interface import erasable
from eraserhead.sites.inside.read_out import ReadOutReplay
from eraserhead.sites.inside.runner import Replay


@dataclass(frozen=True)
class InsideReplay:
    """Decides documents again without some of their components, which are tokens.

    Attributes:
        model: The classifier, made erasable during each replay.
        replay: The way to run it again.
        mask: Which components exist.
        positions: Their positions among the tokens.
    """

    model: PreTrainedModel
    replay: Replay
    mask: Bool[Tensor, "batch components"]
    positions: Int[Tensor, "batch components"]

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures classes"]:
        """Return the model's logits with the weights outside each keep mask erased."""
        tokens = torch.ones(*keep.shape[:2], self.replay.batch.mask.shape[1], dtype=torch.bool, device=keep.device)
        # Padding among the components has positions of other tokens, which must stay kept.
        shown = keep | ~self.mask[rows].unsqueeze(1)
        tokens.scatter_(2, self.positions[rows].unsqueeze(1).expand(-1, keep.shape[1], -1), shown)
        with erasable(self.model):
            return self.replay.logits(rows, tokens)

    def shuffled(self, permutation: Int[Tensor, "batch components"]) -> "InsideReplay":
        """Return the replay in which component i has the weights of component ``permutation[i]``."""
        assert isinstance(self.replay, ReadOutReplay)
        tokens = torch.arange(self.replay.batch.mask.shape[1], device=permutation.device)
        tokens = tokens.expand(self.replay.batch.mask.shape)
        # Padding among the components stays in place, and so do the other tokens whose positions it has.
        moved = tokens.scatter(1, self.positions, self.positions.gather(1, permutation))
        return replace(self, replay=self.replay.shuffled(moved))
