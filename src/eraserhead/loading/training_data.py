"""The record, in a model's folder, of the documents that it was trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eraserhead.data.labels import LabelTable
from eraserhead.data.provenance import Provenance, Truncation
from eraserhead.loading.run_layout import RUN
from eraserhead.records import read_record


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


def training_data(model: str) -> TrainingData | None:
    """Return the record of the documents that a model was trained on; null if its folder has none.

    Raises:
        UserError: The file is damaged, or no such record.
    """
    path = Path(model) / RUN.data
    return read_record(TrainingData, path, "move it out of the model's folder") if path.is_file() else None
