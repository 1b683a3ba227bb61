"""Which documents make a shard: decided by the ids of the whole data set, whatever part or process asks.

Documents are dealt by a hash of their ids within windows of consecutive documents. So a shard, and a part of several,
is a random sample of the documents, even where the source is sorted by class; and to know a shard one has to read its
window alone, not the whole data set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import xxhash
from datasets import Dataset
from numpy.typing import NDArray

SHARDS = 16  # in a window

Places = NDArray[np.int64]


@dataclass(frozen=True)
class DealtShard:
    """Documents that are analysed, written and counted together.

    Attributes:
        number: Its number, from 0.
        places: Where its documents are among all, ascending.
    """

    number: int
    places: Places

    @property
    def window(self) -> int:
        """Number of its window."""
        return self.number // SHARDS


def window(size: int) -> int:
    """Return how many consecutive documents are dealt to shards of this size together."""
    return SHARDS * size


def shards_of(documents: Dataset, size: int) -> Iterator[DealtShard]:
    """Yield the shards of documents with a column ``id``, in the order of their numbers."""
    blocks = documents.select_columns(["id"]).with_format("arrow").iter(window(size))
    for number, block in enumerate(cast(Iterator[pa.Table], blocks)):
        yield from deal(block.column("id").to_pylist(), size, number)


def deal(ids: Sequence[str], size: int, number: int = 0) -> Iterator[DealtShard]:
    """Deal the documents of one window to its shards: by a hash of their ids, as evenly as can be.

    Args:
        ids: Ids of its documents, in their order.
        size: Most documents of a shard.
        number: Number of the window.
    """
    hashes = np.array([xxhash.xxh3_64_intdigest(each.encode()) for each in ids], dtype=np.uint64)
    dealt = np.array_split(hashes.argsort(kind="stable"), -(-len(ids) // size)) if ids else []
    for place, rows in enumerate(dealt):
        yield DealtShard(number * SHARDS + place, np.sort(rows) + number * window(size))
