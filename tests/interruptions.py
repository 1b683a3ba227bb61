"""Training that is interrupted, as by Ctrl-C."""

import pytest

from eraserhead.training.config import TrainConfig
from eraserhead.training.loop import Loop
from eraserhead.training.training import train


def interrupt_training(config: TrainConfig, epochs: int) -> None:
    """Train, and be interrupted in the epoch after so many finished ones."""
    epoch = Loop.epoch

    def interrupted(self, number):
        if number == epochs:
            raise KeyboardInterrupt
        return epoch(self, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(config)
