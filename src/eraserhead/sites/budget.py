"""How much is processed at a time, by kind of device."""

from dataclasses import dataclass

import torch

GIGABYTE = 10**9


@dataclass(frozen=True)
class Budget:
    """How much is processed at a time on one device.

    Attributes:
        tokens: Tokens of a batch that an encoder reads without gradients, padding included.
        trained_tokens: The same in training, with gradients or for vectors that are kept.
        head_tokens: The same where no encoder runs, and no layer of one holds vectors of its own.
        replayed_tokens: Tokens of the rows in one replay; larger matrix products are no quicker.
        weights: Attention weights of single positions held at a time; a CPU's caches hold them.
        vectors: Vectors projected in float64 at a time.
        mask_entries: Approximate number of keep-mask entries held at a time.
        memory: Bytes that replays may take beside the model; at least one row is run.
    """

    tokens: int
    trained_tokens: int
    head_tokens: int
    replayed_tokens: int
    weights: int
    vectors: int
    mask_entries: int
    memory: float


def budget_for(device: torch.device, memory: float = 1.0) -> Budget:
    """Return the budget for a device.

    Args:
        device: Where the model is. On a CPU small batches waste least on padding, and fit into its caches.
        memory: Gigabytes that replays may take.
    """
    small = device.type == "cpu"
    return Budget(
        tokens=1024 if small else 32768,
        trained_tokens=2048 if small else 32768,
        head_tokens=16384 if small else 262144,
        replayed_tokens=2048 if small else 65536,
        weights=2**18 if small else 2**28,
        vectors=1024,
        mask_entries=2**26,
        memory=memory * GIGABYTE,
    )
