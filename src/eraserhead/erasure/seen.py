"""What the head sees of a sample of the documents: with nothing erased, and at each first flip (METHOD section 14)."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import torch
import xxhash
from datasets import Dataset
from jaxtyping import Bool, Float

from eraserhead.erasure.results import is_analysed
from eraserhead.erasure.shards import Places
from eraserhead.method.analysis import RankingFlips
from eraserhead.method.names import Outcome
from eraserhead.method.reading import Reading

SAMPLE = 2000  # documents
SAMPLED = "sampled"  # column of tokenised documents
AT_ONCE = 100_000  # ids
SEED = 14  # of the hash; shards are dealt by another, else the sample would be the first of them


def sample(documents: Dataset) -> Places:
    """Return the places of the `SAMPLE` documents whose ids have the smallest hashes, ascending; or of all."""
    blocks = cast(Iterator[pa.Table], documents.select_columns(["id"]).with_format("arrow").iter(AT_ONCE))
    hashes = [
        np.array([xxhash.xxh3_64_intdigest(each.encode(), SEED) for each in block.column("id").to_pylist()], np.uint64)
        for block in blocks
    ]
    return np.sort(np.concatenate([*hashes, np.empty(0, np.uint64)]).argsort(kind="stable")[:SAMPLE])


def seen_rows(reading: Reading, found: Sequence[RankingFlips], sampled: Bool[np.ndarray, " rows"]) -> pa.ListArray:
    """Return what the head sees of each row: with nothing erased, then at its first flip along each order.

    Null outside the sample, for rows that are not analysed, where nothing flips, and where the model does not tell.

    Args:
        reading: What was read of the rows.
        found: Their first flips along each order.
        sampled: Whether each row is in the sample.
    """
    empty = np.zeros((len(sampled), 1 + len(found)), dtype=bool)
    rows = torch.from_numpy(sampled).to(reading.mask.device) & is_analysed(reading.lengths)
    rows = rows.nonzero().squeeze(1)
    if not len(rows):
        return _lists(np.empty((0, 0), np.float32), empty)
    outcomes = torch.stack([each.flips.outcome for each in found], 1)[rows]
    keep = torch.stack([each.keep for each in found], 1)[rows]
    nothing = torch.ones_like(keep[:, :1])
    vectors = reading.seen(rows, torch.cat([nothing, keep], 1))
    if vectors is None:
        return _lists(np.empty((0, 0), np.float32), empty)
    there = torch.cat([nothing[:, :, 0], outcomes != Outcome.NEVER.value], 1)
    exists = empty.copy()
    exists[rows.numpy(force=True)] = there.numpy(force=True)
    return _lists(vectors[there].float().numpy(force=True), exists)


def _lists(vectors: Float[np.ndarray, "existing hidden"], exists: Bool[np.ndarray, "rows lists"]) -> pa.ListArray:
    """Return the vectors as lists, row after row, null where there is none."""
    ends = exists.ravel().cumsum() * vectors.shape[1]
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(vectors.ravel()), mask=pa.array(~exists.ravel()))
