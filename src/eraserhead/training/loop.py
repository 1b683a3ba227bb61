"""One training loop for a CPU, one GPU, or several GPUs (`accelerate launch`)."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from transformers import get_linear_schedule_with_warmup

from eraserhead.data.batching import buckets, share, training_steps
from eraserhead.errors import DivergedError, Setting
from eraserhead.loading import devices
from eraserhead.loading.waiting import EVERY
from eraserhead.sites.budget import budget_for
from eraserhead.training.batches import Batches, predict
from eraserhead.training.config import TrainingConfig
from eraserhead.training.metrics import METRICS, class_scores, score, score_labels
from eraserhead.training.records import ClassScores, Epoch, Metrics

UNREAD = 50  # steps whose losses stay on the device before they are read and checked


@dataclass
class Progress:
    """The progress of a run; saved with every checkpoint.

    Attributes:
        epoch: Number of finished epochs.
        best: Validation metric of the best epoch.
        best_epoch: Number of the best epoch, from 1.
        history: The finished epochs.
        resumed_after: Epochs after which the run was resumed.
    """

    epoch: int = 0
    best: float | None = None
    best_epoch: int = 0
    history: list[Epoch] = field(default_factory=list)
    resumed_after: list[int] = field(default_factory=list)

    def metrics(self, devices: str, tested: "Tested | None" = None) -> Metrics:
        """Return the metrics so far as a record.

        Args:
            devices: The processes and devices in use.
            tested: What the best epoch's weights come to; None before that is known.
        """
        found = tested or Tested()
        epochs, resumed = tuple(self.history), tuple(self.resumed_after)
        return Metrics(self.best_epoch, epochs, found.test, devices, found.test_unseen, resumed, found.classes)

    def state_dict(self) -> dict[str, Any]:
        """Return the content, for `Accelerator.register_for_checkpointing`."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the content."""
        for name, value in state.items():
            setattr(self, name, [Epoch(**epoch) for epoch in value] if name == "history" else value)


@dataclass(frozen=True)
class Tested:
    """How well the finished model decides; see `Metrics`."""

    test: dict[str, float] | None = None
    test_unseen: dict[str, float] | None = None
    classes: dict[str, ClassScores] | None = None


@dataclass
class Loop:
    """The training loop and what it needs.

    Attributes:
        config: How to train.
        accelerator: Devices and processes.
        objective: What is optimised, wrapped for distribution.
        optimizer: AdamW, wrapped for distribution.
        scheduler: Steps once per optimisation step on every process, or once per epoch by the validation metric.
        batches: Documents by role.
        ordered: Whether classes are ordered.
        progress: How far the run has come.
    """

    config: TrainingConfig
    accelerator: Accelerator
    objective: nn.Module
    optimizer: Any
    scheduler: Any
    batches: dict[str, Batches]
    ordered: bool
    progress: Progress

    @property
    def uncompiled(self) -> nn.Module:
        """The objective as it was before it was wrapped: its weights have their own names."""
        return self.accelerator.unwrap_model(self.objective, keep_torch_compile=False)

    def epoch(self, epoch: int) -> float:
        """Train on every document once; returns the mean loss per document."""
        self.objective.train()
        lengths = self.batches["train"].lengths
        steps = training_steps(lengths, self.config.batch_size, self.config.seed, epoch)
        losses: list[torch.Tensor] = []
        total, checked = 0.0, 0
        for number, step in enumerate(devices.progress(steps, self.accelerator, f"epoch {epoch + 1}", "step", EVERY)):
            losses.append(self.step(step))
            if len(losses) == UNREAD or number == len(steps) - 1:
                found = self._finite(losses, epoch, checked, len(steps))
                total += sum(loss * len(each) for loss, each in zip(found, steps[checked:], strict=False))
                losses, checked = [], number + 1
        return total / len(lengths)

    def _finite(self, losses: list[torch.Tensor], epoch: int, first: int, steps: int) -> list[float]:
        """Return the mean losses over all processes of some steps, of which the first has the number `first`.

        Raises:
            DivergedError: One of them is not finite.
        """
        mean: Any = self.accelerator.reduce(torch.stack(losses), "mean")
        found: list[float] = mean.tolist()
        for number, loss in enumerate(found, first + 1):
            if not np.isfinite(loss):
                of_encoder = "adapter.learning_rate" if self.config.adapter else "training.encoder_learning_rate"
                raise DivergedError(
                    f"the loss is {loss} in epoch {epoch + 1}, step {number} of {steps}; lower ",
                    Setting("training.learning_rate"),
                    *((" and ", Setting(of_encoder)) if self.config.runs_encoder else ()),
                )
        return found

    def step(self, step: Sequence[int]) -> torch.Tensor:
        """Take one optimisation step; returns this process's part of the loss, whose mean over all is that of the step.

        It stays on the device: to read it would make the host wait for the device in every step.

        A process's share is split under the token budget and accumulated. The sum of losses is divided by the number
        of documents of the whole step, so that neither the split nor the number of processes changes the gradient.
        """
        accelerator, source = self.accelerator, self.batches["train"]
        mine = share(step, accelerator.process_index, accelerator.num_processes)
        budget = self._budget(source)
        batches = buckets(mine, source.lengths, budget, each=budget)  # few: each draws a dropout of its own
        total = torch.zeros((), device=accelerator.device)
        for number, documents in enumerate(batches or [[step[0]]]):
            last = number == max(len(batches), 1) - 1
            labels = source.labels[documents].to(accelerator.device)
            with nullcontext() if last else accelerator.no_sync(self.objective):
                loss, _ = self.objective(source.batch(documents), labels)
                # A process without a share still takes part in averaging the gradients, with a loss of 0.
                loss = loss * (accelerator.num_processes / len(step) if batches else 0.0)
                accelerator.backward(loss)
            total += loss.detach()
        if self.config.clip_norm > 0:
            accelerator.clip_grad_norm_(self.objective.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.config.schedule == "linear" and not accelerator.optimizer_step_was_skipped:
            self.scheduler.step()
        return total

    def lower_rates(self, metric: float) -> None:
        """Lower the learning rates after an epoch if the schedule is `plateau` and validation has stalled."""
        if self.config.schedule == "plateau":
            self.scheduler.step(metric)

    def evaluate(self, role: str) -> dict[str, float]:
        """Return the metrics of a role's labelled documents; they are the same on every process."""
        return self.scores(role, self.predictions(role))

    def tested(self, unseen: Sequence[bool], names: Sequence[str]) -> Tested:
        """Return the metrics of the labelled test documents, of those that training did not see, and of each class.

        Args:
            unseen: Whether training did not see each of the test documents.
            names: Names of the classes.
        """
        if "test" not in self.batches:
            return Tested(classes=self._class_scores("validation", self.predictions("validation"), names))
        predicted = self.predictions("test")
        fair = {document: found for document, found in predicted.items() if unseen[document]}
        every, others = (self.scores("test", found) if found else None for found in (predicted, fair))
        return Tested(every, others, self._class_scores("test", predicted, names))

    def predictions(self, role: str) -> dict[int, Any]:
        """Return the predicted class of each labelled document of a role; they are the same on every process."""
        source = self.batches[role]
        known = (source.labels.view(len(source.labels), -1) >= 0).all(-1).nonzero().squeeze(1).tolist()
        batches = buckets(known, source.lengths, self._budget(source))
        return predict(self.objective, source, batches, self.accelerator)

    def scores(self, role: str, predicted: dict[int, Any]) -> dict[str, float]:
        """Return the metrics of documents of a role, by number, with their predicted classes or states of labels."""
        scored = score if self.batches[role].labels.ndim == 1 else score_labels
        return scored(*self._with_gold(role, predicted), self.ordered)

    def _class_scores(
        self, role: str, predicted: dict[int, Any], names: Sequence[str]
    ) -> dict[str, ClassScores] | None:
        return class_scores(*self._with_gold(role, predicted), names)

    def _with_gold(self, role: str, predicted: dict[int, Any]) -> tuple[list[Any], list[Any]]:
        """Return predictions and true classes of the same documents."""
        labels, documents = self.batches[role].labels.tolist(), sorted(predicted)
        return [predicted[each] for each in documents], [labels[each] for each in documents]

    def _budget(self, source: Batches) -> int:
        budget = budget_for(self.accelerator.device)
        return self.config.batch_tokens or (budget.head_tokens if source.without_encoder else budget.trained_tokens)


def schedule(optimizer: torch.optim.Optimizer, training: TrainingConfig, steps: int) -> Any:
    """Return the schedule of the learning rates: step by step, or lower when validation stalls (METHOD section 7)."""
    if training.schedule == "linear":
        return get_linear_schedule_with_warmup(optimizer, round(training.warmup * steps), steps)
    better = "max" if METRICS[training.best_by].higher_is_better else "min"
    return ReduceLROnPlateau(optimizer, better, factor=0.5, patience=training.plateau_patience - 1, threshold=0.0)
