"""What one process has to analyse: its shards, each with its documents."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datasets import Dataset

from eraserhead.data.arrow import arrow_table
from eraserhead.data.documents import Documents
from eraserhead.data.seen import SeenTexts
from eraserhead.erasure.parts import Part
from eraserhead.erasure.schemas import PLACE
from eraserhead.erasure.seen import SAMPLED, sample
from eraserhead.erasure.shard_size import FIRST
from eraserhead.erasure.shards import DealtShard, Places, shards_of
from eraserhead.erasure.tabulate import TRAINING_ROLE
from eraserhead.loading.opened import OpenedModel


@dataclass(frozen=True)
class Work:
    """The shards of an analysis, or of one part of it.

    Attributes:
        shards: The shards.
        size: Most documents of a shard.
        read: Returns the tokenised documents of a shard.
        sample: Places of the documents of which it is kept what the head sees.
    """

    shards: list[DealtShard]
    size: int
    read: Callable[[DealtShard], Dataset]
    sample: Places

    @property
    def documents(self) -> int:
        """Number of documents."""
        return sum(len(shard.places) for shard in self.shards)

    def share(self, rank: int, processes: int, finished: Collection[int]) -> list[DealtShard]:
        """Return the shards that a process still has to make.

        They are dealt by their order alone, since processes look at the folder at different moments and may see
        different shards finished.
        """
        return [shard for shard in self.shards[rank::processes] if shard.number not in finished]

    def table(self, shard: DealtShard) -> pa.Table:
        """Return a shard's documents, which know their place among all, and whether they are in the sample."""
        rows = self.read(shard)
        table = arrow_table(rows, rows.column_names).append_column(PLACE, pa.array(shard.places))
        return table.append_column(SAMPLED, pa.array(np.isin(shard.places, self.sample)))


def work_of(
    opened: OpenedModel,
    documents: Documents,
    asked_size: int | None,
    size_for: Callable[[Sequence[int]], int],
    part: Part | None = None,
) -> Work:
    """Deal the documents of an analysis, or of one part of it, to shards, and tokenise them.

    Those whose texts are on the hub are tokenised shard by shard.

    Args:
        opened: The model.
        documents: The documents.
        asked_size: Most documents of a shard, where it was given.
        size_for: Returns it otherwise, from the tokens of the first documents.
        part: The part; None for all documents.
    """
    streamed = documents.texts is not None
    whole = tokenized(opened, documents.rows) if part is None and not streamed else None
    size = asked_size
    if size is None or streamed:  # whose first documents show what is wrong with them before anything is written
        first = range(min(FIRST, len(documents.rows)))
        head = opened.tokenize(documents.read(first)) if whole is None else whole.select(first)
        size = size or size_for(head["tokens"])
    shards = [shard for shard in shards_of(documents.rows, size) if part is None or part.has(shard.number)]
    chosen = sample(documents.rows)
    if streamed:
        return Work(shards, size, Windows(opened, documents, shards).read, chosen)
    if whole is not None:
        return Work(shards, size, lambda shard: whole.select(shard.places), chosen)
    places = _places(shards)
    own = tokenized(opened, documents.rows.select(places)) if shards else documents.rows
    return Work(shards, size, lambda shard: own.select(np.searchsorted(places, shard.places)), chosen)


@dataclass(frozen=True)
class Windows:
    """Documents whose texts are on the hub; those of one window are in memory at a time.

    Attributes:
        opened: The model.
        documents: All documents.
        shards: The shards that are read.
    """

    opened: OpenedModel
    documents: Documents
    shards: list[DealtShard]
    _now: dict[int, tuple[Places, Dataset]] = field(default_factory=dict)

    def read(self, shard: DealtShard) -> Dataset:
        """Return the tokenised documents of a shard; the texts of its whole window are read with it."""
        number = shard.window
        if number not in self._now:
            self._now.clear()
            places = _places([each for each in self.shards if each.window == number])
            self._now[number] = places, self.documents.read(places)
        places, rows = self._now[number]
        return tokenized(self.opened, rows.select(np.searchsorted(places, shard.places)))


def _places(shards: Sequence[DealtShard]) -> Places:
    """Return the places of the documents of some shards, ascending."""
    return np.sort(np.concatenate([*(shard.places for shard in shards), np.empty(0, np.int64)]))


def tokenized(opened: OpenedModel, rows: Dataset) -> Dataset:
    """Add tokens, and what each document was in training, where that is known."""
    return with_training_roles(opened.tokenize(rows), opened.checkpoint.seen)


def with_training_roles(rows: Dataset, seen: SeenTexts | None) -> Dataset:
    """Add what each document was in training, where it is known."""
    return rows if seen is None else rows.add_column(TRAINING_ROLE, seen.roles(rows))  # pyright: ignore[reportCallIssue, reportArgumentType]
