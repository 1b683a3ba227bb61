"""The batches and the objective of the training loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from datasets import Dataset
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from eraserhead.data.encoding import TYPES
from eraserhead.loading import devices
from eraserhead.loading.reader import DocumentReader
from eraserhead.method.decision import decide
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import TrainingConfig
from eraserhead.training.stored_vectors import VectorStore
from eraserhead.training.vectors import encode


class Batches(Protocol):
    """Documents as inputs of the objective."""

    @property
    def lengths(self) -> list[int]:
        """Tokens of every document."""
        ...

    @property
    def labels(self) -> Tensor:
        """Gold classes, or rows of 0 and 1 for the labels of a multi-label model; -1 where unknown."""
        ...

    @property
    def without_encoder(self) -> bool:
        """Whether no encoder layer runs, so that larger batches fit into memory."""
        ...

    def batch(self, documents: Sequence[int]) -> dict[str, Tensor]:
        """Return the objective's arguments for some documents, on the device."""
        ...


@dataclass(frozen=True)
class TokenBatches:
    """Token ids, attention masks and, for pairs, token types, for a model whose encoder is trained too."""

    rows: Dataset
    lengths: list[int]
    labels: Tensor
    padding: int
    reader: DocumentReader
    device: torch.device
    without_encoder: bool = False

    def batch(self, documents: Sequence[int]) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` and, where the rows have them, ``token_type_ids``."""
        rows = self.rows[list(documents)]
        inputs = self.reader.pad(rows["input_ids"], self.padding, rows.get(TYPES))
        return devices.copied(inputs, self.device)


@dataclass(frozen=True)
class StoredBatches:
    """Cached token vectors of a frozen encoder."""

    store: VectorStore
    lengths: list[int]
    labels: Tensor
    device: torch.device
    without_encoder: bool = True

    def batch(self, documents: Sequence[int]) -> dict[str, Tensor]:
        """Return a head's arguments from disk."""
        return devices.copied(self.store.batch(documents), self.device)


@dataclass(frozen=True)
class EncodedBatches:
    """Token vectors of a frozen encoder, computed for each batch."""

    tokens: TokenBatches
    model: AttentionPoolingForSequenceClassification

    @property
    def lengths(self) -> list[int]:
        """Tokens of every document."""
        return self.tokens.lengths

    @property
    def labels(self) -> Tensor:
        """Gold classes."""
        return self.tokens.labels

    @property
    def without_encoder(self) -> bool:
        """Whether the encoder is only a table of embeddings."""
        return self.tokens.without_encoder

    def batch(self, documents: Sequence[int]) -> dict[str, Tensor]:
        """Return a head's arguments from one forward pass of the encoder."""
        return encode(self.model, self.tokens.batch(documents))


class Objective(nn.Module):
    """Summed loss and logits of the model, or of its head alone if the encoder is frozen.

    Args:
        model: The model.
        frozen: Whether its encoder is frozen.
        weights: Weight of each class's loss, ``[classes]``; None where all count alike.
        smoothing: Share of the target's probability that is spread over all classes.
    """

    weights: Tensor | None

    def __init__(
        self,
        model: AttentionPoolingForSequenceClassification,
        frozen: bool,
        weights: Tensor | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.trained: nn.Module = model.head if frozen else model
        self.frozen, self.smoothing = frozen, smoothing
        self.register_buffer("weights", None if weights is None else weights.float(), persistent=False)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, summed over the batch's documents, and logits ``[batch, classes]``."""
        logits = self.trained(**inputs)[0] if self.frozen else self.trained(**inputs).logits
        return self._loss(logits.float(), labels), logits

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the sum over documents; a weight is that of the document's own class, or of a label that is on.

        torch's own weights would also weigh the share of the target that smoothing gives to the other classes, so that
        documents of a common class would be trained towards a rare one.
        """
        if labels.ndim == 1:
            if self.weights is None:
                return cross_entropy(logits, labels, reduction="sum", label_smoothing=self.smoothing)
            losses = cross_entropy(logits, labels, reduction="none", label_smoothing=self.smoothing)
            return (losses * self.weights[labels]).sum()
        states = labels * (1 - self.smoothing) + self.smoothing / 2
        losses = binary_cross_entropy_with_logits(logits, states, reduction="none")
        if self.weights is not None:
            losses = torch.where(labels == 1, losses * self.weights, losses)
        return losses.sum() / labels.shape[1]


def trained_parameters(
    model: AttentionPoolingForSequenceClassification, training: TrainingConfig, adapter_rate: float | None = None
) -> list[dict[str, Any]]:
    """Return AdamW's parameter groups: own learning rates for head and encoder, and no decay of biases and norms.

    Args:
        model: The model; what is frozen in its encoder needs no gradient.
        training: How it is trained.
        adapter_rate: Learning rate of the adapter on the encoder; None where there is none.
    """
    parts: list[tuple[nn.Module, float]] = [(model.head, training.learning_rate)]
    if training.runs_encoder:
        parts.append((model.encoder, adapter_rate or training.encoder_learning_rate))
    groups = []
    for module, rate in parts:
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        matrices = [parameter for parameter in trained if parameter.ndim > 1]
        others = [parameter for parameter in trained if parameter.ndim <= 1]
        groups += [
            {"params": matrices, "lr": rate, "weight_decay": training.weight_decay},
            {"params": others, "lr": rate, "weight_decay": 0.0},
        ]
    return groups


def predict(
    objective: nn.Module, source: Batches, batches: Sequence[list[int]], accelerator: Accelerator
) -> dict[int, Any]:
    """Return the predicted class of every document, or the states of its labels; gathered from all processes."""
    # Processes have different numbers of batches, so none of them may wait for another in a forward pass.
    objective = accelerator.unwrap_model(objective)
    was_training = objective.training
    objective.eval()
    found: list[tuple[int, Any]] = []
    with torch.no_grad():
        for documents in batches[accelerator.process_index :: accelerator.num_processes]:
            labels = source.labels[documents]
            _, logits = objective(source.batch(documents), labels.clamp(min=0).to(accelerator.device))
            decided = decide(logits) if labels.ndim == 1 else (logits > 0).int()
            found += zip(documents, decided.tolist(), strict=True)
    objective.train(was_training)
    return dict(gather_object(found))
