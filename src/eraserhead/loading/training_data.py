"""The documents that a model was trained on: the one writer and the one reader of their record in its folder."""

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
        documents: Where the documents come from, by role.
        truncation: What was cut off them, by role.
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
    """Write which documents a model was trained on into its folder."""
    write_record(folder / RUN.data, data)


def read_training_data(folder: Path, mend: str = MOVE_IT) -> TrainingData | None:
    """Return what a model's folder says of the documents that it was trained on; null where it does not say.

    Raises:
        UserError: The file is damaged, or something else; `mend` says what to do then.
    """
    path = folder / RUN.data
    return read_record(TrainingData, path, mend) if path.is_file() else None
