"""What the classifier of a hub model sees: its encoder's last hidden state where the decision is read from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from eraserhead.method.cases import Replay
from eraserhead.patch.families import ReadOut
from eraserhead.patch.interface import locked
from eraserhead.patch.layers import replaced_forwards
from eraserhead.sites.inside.runner import Batch, Runner


@dataclass(frozen=True)
class SeenReplay:
    """A replay that gives what the classifier sees in place of logits.

    Attributes:
        runner: The model.
        replay: Decides documents again without some of their components.
    """

    runner: Runner
    replay: Replay

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"]:
        """Return what the classifier sees with the weights outside each keep mask erased."""
        with locked(self.runner.model), seeing(self.runner):
            return self.replay(rows, keep)


def seen_replay(runner: Runner, replay: Replay) -> SeenReplay | None:
    """Return a replay that gives what the classifier sees; None where the model has no encoder that can be named."""
    return None if encoder_of(runner.model) is None else SeenReplay(runner, replay)


@contextmanager
def seeing(runner: Runner) -> Iterator[None]:
    """Let the model return what its classifier sees in place of logits, so that every replay gives that.

    All that follows the model without its classifier counts as the classifier, such as BERT's pooler.
    """
    encoder = encoder_of(runner.model)
    assert encoder is not None
    states: list[Tensor] = []

    def encode(original: Callable[..., Any], *args: Any, **inputs: Any) -> Any:
        output = original(*args, **inputs)
        states.append(output[0])
        return output

    def see(original: Callable[..., Any], **inputs: Any) -> SequenceClassifierOutput:
        original(**inputs)
        vectors = read_from(states.pop(), runner.batch(inputs), runner.read_out)
        return SequenceClassifierOutput(logits=vectors)  # pyright: ignore[reportArgumentType]

    with replaced_forwards([encoder], encode), replaced_forwards([runner.model], see):
        yield


def encoder_of(model: PreTrainedModel) -> nn.Module | None:
    """Return the model without its classifier; None where it has no such part."""
    found = model.base_model
    return None if found is model else found


def read_from(
    hidden: Float[Tensor, "rows tokens hidden"], batch: Batch, read_out: ReadOut
) -> Float[Tensor, "rows hidden"]:
    """Return the hidden state that the decision is read from: that of one position, or the mean over all tokens."""
    if read_out is ReadOut.MEAN:
        weights = batch.mask.to(hidden.dtype)
        return torch.einsum("bn,bnh->bh", weights / weights.sum(-1, keepdim=True).clamp(min=1), hidden)
    return hidden[torch.arange(len(hidden), device=hidden.device), batch.read_out]
