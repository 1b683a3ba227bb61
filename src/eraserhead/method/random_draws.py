"""Random draws that depend on a seed and a document alone, not on batches, shards or processes."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from eraserhead.method.names import FEWEST_COMPONENTS

RANDOM_ORDERS, RANDOM_SINGLES, PERMUTATIONS = 0, 1, 2  # separate random streams, so that one never shifts another


def document_generator(seed: int, document: str, stream: int) -> np.random.Generator:
    """Return the random stream of one document: the same in any batch, shard or process."""
    digest = blake2b(f"{seed}\0{stream}\0{document}".encode(errors="surrogatepass"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def random_orders(
    documents: Sequence[str], lengths: Sequence[int], width: int, draws: int, seed: int, stream: int = RANDOM_ORDERS
) -> Int[Tensor, "..."]:
    """Return shuffles ``[batch, draws, width]`` of each document's components, padding last and in place."""
    orders = np.tile(np.arange(width), (len(documents), draws, 1))
    for row, (document, length) in enumerate(zip(documents, lengths, strict=True)):
        generator = document_generator(seed, document, stream)
        orders[row, :, :length] = generator.permuted(orders[row, :, :length], axis=1)
    return torch.from_numpy(orders)


def random_others(
    documents: Sequence[str], lengths: Sequence[int], left_out: Int[Tensor, "batch tops"], seed: int
) -> Tensor:
    """Draw for each entry of `left_out` one component ``[batch, tops]``, uniformly from all but that one.

    A document of fewer than two components has no other: the result is the one left out.
    """
    drawn = np.zeros(left_out.shape, dtype=np.int64)
    for row, (document, length) in enumerate(zip(documents, lengths, strict=True)):
        if length >= FEWEST_COMPONENTS:
            drawn[row] = document_generator(seed, document, RANDOM_SINGLES).integers(
                0, length - 1, size=left_out.shape[1]
            )
    others = torch.from_numpy(drawn).to(left_out.device)
    alone = torch.tensor(lengths, device=left_out.device).unsqueeze(1) < FEWEST_COMPONENTS
    return torch.where(alone, left_out, others + (others >= left_out).long())
