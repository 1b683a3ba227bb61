"""Write and read what a model's folder records of the documents that training saw."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa

from eraserhead.data.labels import LabelTable
from eraserhead.data.provenance import Provenance, Truncation
from eraserhead.data.seen import TRAIN, VALIDATION, SeenTexts
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.run_options import MOVE_IT
from eraserhead.parquet import read_parquet, write_parquet
from eraserhead.records import read_record, write_record


@dataclass(frozen=True)
class TrainingData:
    """The documents of a run.

    Attributes:
        labels: How raw labels became class indices.
        documents: The source of the documents, by role.
        truncation: How much of them was cut off, by role.
        trained_on: How many validation and test documents have a text that was trained on, by role.
    """

    FORMAT: ClassVar[int] = 2

    labels: LabelTable
    documents: dict[str, Provenance]
    truncation: dict[str, Truncation]
    trained_on: dict[str, int] = field(default_factory=dict)


def write_training_data(folder: Path, data: TrainingData) -> None:
    """Write the record of the documents that a model was trained on."""
    write_record(folder / RUN.data, data)


def read_training_data(folder: Path, mend: str = MOVE_IT) -> TrainingData | None:
    """Return the record of the documents that a model was trained on; null if its folder has none.

    Raises:
        UserError: The file is damaged, or no such record; `mend` says what to do then.
    """
    path = folder / RUN.data
    return read_record(TrainingData, path, mend) if path.is_file() else None


def write_seen_texts(folder: Path, seen: SeenTexts) -> None:
    """Write the fingerprints of the texts that training saw."""
    found = {TRAIN: seen.trained_on, VALIDATION: seen.validated_on}
    roles = pa.array([role for role, texts in found.items() for _ in texts], pa.string())
    table = pa.table({"text": np.concatenate(list(found.values())), "role": roles.dictionary_encode()})
    write_parquet(folder / RUN.seen, table)


def read_seen_texts(folder: Path) -> SeenTexts | None:
    """Return the texts that training saw; null if a model's folder does not say.

    Raises:
        UserError: The file is damaged.
    """
    path = folder / RUN.seen
    if not path.is_file():
        return None
    table = read_parquet(path, MOVE_IT, ["text", "role"])
    texts, roles = table.column("text").to_numpy(), np.asarray(table.column("role").cast(pa.string()))
    return SeenTexts(texts[roles == TRAIN], texts[roles == VALIDATION])
