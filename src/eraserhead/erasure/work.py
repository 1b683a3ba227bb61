"""What one process has to analyse: its shards, each with its documents."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset

from eraserhead.data.documents import Documents
from eraserhead.data.seen import SeenTexts
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.joining import PLACE
from eraserhead.erasure.shard_size import FIRST, automatic_size
from eraserhead.erasure.shards import Places, Shard, shards_of
from eraserhead.loading.opened import OpenedModel

TRAINING_ROLE = "training_role"  # column of documents


@dataclass(frozen=True)
class Work:
    """The shards of an analysis, or of one part of it.

    Attributes:
        rows: Their documents, tokenised.
        places: Where each of these is among all documents, ascending.
        shards: The shards.
        size: Most documents of a shard.
    """

    rows: Dataset
    places: Places
    shards: list[Shard]
    size: int

    def share(self, rank: int, processes: int, finished: Collection[int]) -> list[Shard]:
        """Return the shards that a process still has to make.

        They are dealt by their order alone, since processes look at the folder at different moments and may see
        different shards finished.
        """
        return [shard for shard in self.shards[rank::processes] if shard.number not in finished]

    def read(self, shard: Shard) -> dict[str, list[Any]]:
        """Return the columns of a shard's documents, which know their place among all."""
        rows = self.rows[np.searchsorted(self.places, shard.places)]
        return {**rows, PLACE.name: shard.places.tolist()}


def work_of(opened: OpenedModel, documents: Documents, config: EraseConfig) -> Work:
    """Tokenise the documents of an analysis, or of one part of it, and deal them to shards."""
    rows, part = documents.rows, config.asked_part
    whole = tokenized(opened, rows) if part is None else None
    size = config.shard_size
    if size is None:
        first = range(min(FIRST, len(rows)))
        read = opened.tokenize(rows.select(first)) if whole is None else whole.select(first)
        size = automatic_size(opened, read["tokens"], len(rows), config.draws)
    shards = [shard for shard in shards_of(rows, size) if part is None or part.has(shard.number)]
    if whole is not None:
        return Work(whole, np.arange(len(rows)), shards, size)
    places = np.sort(np.concatenate([*(shard.places for shard in shards), np.empty(0, np.int64)]))
    own = rows.select(places)
    return Work(tokenized(opened, own) if shards else own, places, shards, size)


def tokenized(opened: OpenedModel, rows: Dataset) -> Dataset:
    """Add tokens, and what each document was in training, where that is known."""
    return with_training_roles(opened.tokenize(rows), opened.checkpoint.seen)


def with_training_roles(rows: Dataset, seen: SeenTexts | None) -> Dataset:
    """Add what each document was in training, where it is known."""
    return rows if seen is None else rows.add_column(TRAINING_ROLE, seen.roles(rows))  # pyright: ignore[reportCallIssue, reportArgumentType]
