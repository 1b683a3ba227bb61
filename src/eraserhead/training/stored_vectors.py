"""Token vectors stored on disk, and batches of them as the arguments of a head."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

VECTORS = "vectors.float32"


@dataclass(frozen=True)
class VectorStore:
    """Vectors of the pooled tokens of all documents, one document after the other, memory-mapped.

    Attributes:
        vectors: ``[components of all documents, hidden]``.
        ends: End of each sequence in `vectors`; a sequence is a document or a sentence.
        sentence_ends: End of each document in the list of sentences; null if documents are read as a whole.
    """

    vectors: np.ndarray
    ends: np.ndarray
    sentence_ends: np.ndarray | None = None

    def batch(self, documents: Sequence[int]) -> dict[str, Tensor]:
        """Return the arguments of a head; see `FlatHead` and `HierarchicalHead`."""
        return self._whole(documents) if self.sentence_ends is None else self._by_sentence(documents)

    def place(self, sequence: int) -> slice:
        """Return the rows of a sequence's vectors."""
        return _place(self.ends, sequence)

    def _whole(self, documents: Sequence[int]) -> dict[str, Tensor]:
        slices = [self.place(document) for document in documents]
        width = max(1, *(place.stop - place.start for place in slices))
        vectors = torch.zeros(len(slices), width, self.vectors.shape[1])
        mask = torch.zeros(len(slices), width, dtype=torch.bool)
        for row, place in enumerate(slices):
            length = place.stop - place.start
            if length:
                vectors[row, :length] = torch.from_numpy(np.array(self.vectors[place]))
            mask[row, :length] = True
        return {"vectors": vectors, "mask": mask}

    def _by_sentence(self, documents: Sequence[int]) -> dict[str, Tensor]:
        assert self.sentence_ends is not None
        sentences = [_place(self.sentence_ends, document) for document in documents]
        bounds = [np.append(start(self.ends, place.start), self.ends[place]) for place in sentences]
        counts = [np.diff(each) for each in bounds]
        vectors = [np.array(self.vectors[each[0] : each[-1]]) for each in bounds]
        return {
            "vectors": torch.from_numpy(np.concatenate(vectors)),
            "token_counts": torch.from_numpy(np.concatenate([each[each > 0] for each in counts])),
            "sentence_counts": torch.tensor([int((each > 0).sum()) for each in counts]),
        }


def _place(ends: np.ndarray, number: int) -> slice:
    return slice(start(ends, number), int(ends[number]))


def start(ends: np.ndarray, number: int) -> int:
    """Return the start of a sequence, which is the end of the one before it; it may be one past the last."""
    return int(ends[number - 1]) if number else 0


def open_vectors(folder: Path, shape: tuple[int, int], mode: str) -> np.ndarray:
    """Return the vectors in a folder as an array on disk; ``r`` to read them, ``r+`` to write them, too."""
    if not shape[0]:
        return np.zeros(shape, dtype=np.float32)
    return np.memmap(folder / VECTORS, dtype=np.float32, mode=mode, shape=shape)  # pyright: ignore[reportCallIssue, reportArgumentType]
