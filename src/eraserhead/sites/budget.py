"""How much is processed at a time: one table of what suits a device, in place of constants everywhere."""

from dataclasses import dataclass

import torch

GIGABYTE = 10**9
WITHOUT_ENCODER = 8  # times as many tokens, where no encoder runs, whose layers each keep their own vectors


@dataclass(frozen=True)
class Budget:
    """What is processed at a time, on one device.

    Attributes:
        tokens: Tokens of a batch, padding included.
        replayed_tokens: Tokens of rows that are run again; larger products are no quicker.
        vectors: Vectors projected in float64 at a time.
        mask_entries: Entries of keep masks, about.
        memory: Bytes that replays may take beside the model; one row is run in any case.
    """

    tokens: int
    replayed_tokens: int
    vectors: int
    mask_entries: int
    memory: float


def budget_for(device: torch.device, memory: float = 1.0) -> Budget:
    """Return what suits a device.

    Args:
        device: Where the model is. On a CPU small batches waste least on padding, and fit into its caches.
        memory: Gigabytes that replays may take.
    """
    small = device.type == "cpu"
    return Budget(
        tokens=2048 if small else 32768,
        replayed_tokens=2048 if small else 65536,
        vectors=1024,
        mask_entries=2**26,
        memory=memory * GIGABYTE,
    )
