"""The records that a training run writes into its folder beside the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from eraserhead.environment import Environment


@dataclass(frozen=True)
class TrainingSetup:
    """What a run was made from, beside its options; a run whose setup has changed is not continued.

    Attributes:
        documents: Fingerprints of the documents by role.
        encoder: Fingerprint of the encoder's weights before training.
    """

    FORMAT: ClassVar[int] = 2

    documents: dict[str, str]
    encoder: str


@dataclass(frozen=True)
class Epoch:
    """A finished epoch.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean training loss per document.
        scores: Metrics of the validation documents by name.
        seconds: Time taken.
    """

    epoch: int
    loss: float
    scores: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class ClassScores:
    """How well one class, or one label of a multi-label model, is told from the others.

    Attributes:
        precision: Share of the documents that are said to have it that do; 0 where none is said to.
        recall: Share of the documents that have it that are said to; 0 where none has it.
        f1: The harmonic mean of the two.
        documents: Documents that have it.
    """

    precision: float
    recall: float
    f1: float
    documents: int


@dataclass(frozen=True)
class Metrics:
    """The metrics of a training run.

    Attributes:
        best_epoch: Number of the best epoch, from 1; the model has its weights.
        epochs: All epochs.
        test: Metrics of the test documents by name; null if none of them has a label.
        devices: The processes and devices that were in use.
        test_unseen: Metrics of those test documents that training did not see, the only ones that are published; null
            if there are none.
        resumed_after: Epochs after which the run was interrupted and resumed.
        classes: Scores of each class over the labelled test documents, or over the validation documents where there
            are no test documents; null where none has a label, and before training ends.
    """

    FORMAT: ClassVar[int] = 3

    best_epoch: int
    epochs: Sequence[Epoch]
    test: dict[str, float] | None
    devices: str
    test_unseen: dict[str, float] | None = None
    resumed_after: Sequence[int] = ()
    classes: dict[str, ClassScores] | None = None

    @property
    def validation(self) -> dict[str, float]:
        """Metrics of the validation documents in the best epoch."""
        return self.epochs[self.best_epoch - 1].scores

    @property
    def by_role(self) -> dict[str, dict[str, float]]:
        """Metrics by the role of the documents, for the roles that have some."""
        return {"validation": self.validation} | ({} if self.test is None else {"test": self.test})


@dataclass(frozen=True)
class EncoderSource:
    """Where the encoder came from.

    Attributes:
        name: Hub id or folder, or ``packaged``.
        revision: Commit that the hub resolved; null for a folder.
    """

    name: str
    revision: str | None

    @property
    def from_hub(self) -> bool:
        """Whether it came from the hub; only then its commit is known."""
        return self.revision is not None


@dataclass(frozen=True, kw_only=True)
class TrainingEnvironment(Environment):
    """Where a model was trained, and from which encoder.

    Attributes:
        encoder: Where the encoder came from.
    """

    FORMAT: ClassVar[int] = 2

    encoder: EncoderSource
