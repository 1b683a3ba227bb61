"""The documents that a model was trained on, as its folder records them."""

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


def training_data(model: str) -> TrainingData | None:
    """Return what a model's folder says of the documents that it was trained on; null where it does not say.

    Raises:
        UserError: The file is damaged, or something else.
    """
    path = Path(model) / RUN.data
    return read_record(TrainingData, path, "move it out of the model's folder") if path.is_file() else None
