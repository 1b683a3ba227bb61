"""Write and read the record, in a model's folder, of the documents that it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eraserhead.data.labels import LabelTable
from eraserhead.data.provenance import Provenance, Truncation
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.run_options import MOVE_IT
from eraserhead.records import read_record, write_record


@dataclass(frozen=True)
class TrainingData:
    """The documents of a run.

    Attributes:
        labels: How raw labels became class indices.
        documents: The source of the documents, by role.
        truncation: How much of them was cut off, by role.
    """

    FORMAT: ClassVar[int] = 2

    labels: LabelTable
    documents: dict[str, Provenance]
    truncation: dict[str, Truncation]

    @property
    def train_split(self) -> str:
        """The split that was trained on, as in the ids of its documents."""
        return self.documents["train"].split


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
