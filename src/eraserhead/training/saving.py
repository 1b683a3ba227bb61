"""What a training run leaves beside its weights: its documents, its metrics, and where it ran."""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from eraserhead.data.documents import Documents
from eraserhead.data.tokens import truncation
from eraserhead.files import environment
from eraserhead.loading import devices
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.folder import RunFolder
from eraserhead.training.loop import Loop


@dataclass(frozen=True)
class Split:
    """Documents of one role, tokenised.

    Attributes:
        documents: As loaded.
        rows: With their tokens.
    """

    documents: Documents
    rows: Dataset

    @property
    def labels(self) -> torch.Tensor:
        """Gold classes, -1 where unknown."""
        return torch.tensor([-1 if label is None else label for label in self.rows["label"]])


@dataclass(frozen=True)
class Saver:
    """Writes the model in training, with all that a run's folder says of it.

    Attributes:
        model: The model; its weights are those of the moment.
        tokenizer: Its tokenizer.
        splits: The documents by role.
        encoder: Name of the encoder, and the commit that the hub resolved.
    """

    model: AttentionPoolingForSequenceClassification
    tokenizer: PreTrainedTokenizerBase
    splits: dict[str, Split]
    encoder: dict[str, str | None]

    def save(self, folder: RunFolder, loop: Loop, test: dict[str, float] | None = None) -> None:
        """Write a folder's model, documents, metrics and environment.

        Args:
            folder: Where.
            loop: Whose history gives the metrics.
            test: Metrics on the test documents, where they are known.
        """
        labels = self.splits["train"].documents.labels
        assert labels is not None
        data: dict[str, Any] = {
            "labels": asdict(labels),
            "documents": {role: asdict(split.documents.provenance) for role, split in self.splits.items()},
            "truncation": {role: asdict(truncation(split.rows)) for role, split in self.splits.items()},
        }
        metrics = {
            "validation": loop.progress.history[loop.progress.best_epoch - 1],
            "test": test,
            "best_epoch": loop.progress.best_epoch,
            "epochs": loop.progress.history,
            "devices": devices.describe(loop.accelerator),
        }
        folder.save_model(self.model, self.tokenizer, data, metrics, {**environment(), "encoder": self.encoder})
