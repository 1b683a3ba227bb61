"""What is counted of erasures that run a part of the model again."""

import pytest
import torch
from accelerate import Accelerator
from tqdm import tqdm

from eraserhead.loading import devices
from readings import SMALL, Toy


def test_every_erasure_of_a_replayed_batch_is_counted_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch):
    reading = Toy.draw(0, SMALL, 0.5).reading()
    bars = []
    monkeypatch.setattr(devices, "tqdm", lambda **options: bars.append(tqdm(**options | {"disable": False})) or bars[0])
    with devices.counted(reading, Accelerator(cpu=True)) as counted:
        singles = counted.singles()
    assert bars[0].n == len(SMALL) * max(SMALL)
    assert torch.equal(singles.logits, reading.singles().logits)
