"""Which documents a model saw in training: fingerprints of their texts, from which no text can be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint64]
TrainingRole = Literal["train", "validation", "none"]

TRAIN, VALIDATION, UNSEEN = "train", "validation", "none"
DIGEST = 8  # bytes: among millions of texts, two different ones with one fingerprint are not to be expected
ROWS_PER_BLOCK = 8192


@dataclass(frozen=True)
class SeenTexts:
    """Texts that a model saw in training, as ascending fingerprints.

    Attributes:
        trained_on: Texts that it was trained on.
        validated_on: Texts that its best epoch was chosen with.
    """

    trained_on: Fingerprints
    validated_on: Fingerprints

    @classmethod
    def of(cls, training: Dataset, validation: Dataset) -> "SeenTexts":
        """Return the texts of training and validation documents."""
        return cls(np.unique(text_fingerprints(training)), np.unique(text_fingerprints(validation)))

    @property
    def fingerprint(self) -> str:
        """Hash of them all."""
        digest = blake2b(digest_size=16)
        for found in (self.trained_on, self.validated_on):
            digest.update(len(found).to_bytes(8, "little") + found.astype("<u8").tobytes())
        return digest.hexdigest()

    def roles(self, documents: Dataset) -> list[TrainingRole]:
        """Return what each document was in training; one with the text of a training document counts as trained on."""
        found = text_fingerprints(documents)
        validated = np.where(np.isin(found, self.validated_on), VALIDATION, UNSEEN)
        return np.where(np.isin(found, self.trained_on), TRAIN, validated).tolist()


def text_fingerprints(documents: Dataset) -> Fingerprints:
    """Return a fingerprint of each document's text; texts that differ in white space alone have the same."""
    blocks = cast(Iterator[pa.Table], documents.select_columns(["text"]).with_format("arrow").iter(ROWS_PER_BLOCK))
    found = [_fingerprint(text) for block in blocks for text in block.column("text").to_pylist()]
    return np.array(found, dtype=np.uint64)


def _fingerprint(text: str) -> int:
    return int.from_bytes(blake2b(" ".join(text.split()).encode(), digest_size=DIGEST).digest(), "little")
