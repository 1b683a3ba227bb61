"""What a run says while it trains, and when it has learnt nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.data.labels import LabelTable
from eraserhead.data.tokens import truncation
from eraserhead.errors import listed
from eraserhead.training.class_weights import described
from eraserhead.training.folder import Saver, Split
from eraserhead.training.loop import Progress
from eraserhead.training.records import Epoch


def announced(
    splits: Mapping[str, Split], labels: LabelTable, batch_size: int, weights: Float[Tensor, " classes"] | None
) -> Iterator[str]:
    """Yield what is said before training: sizes of the data, how labels are read, and what the window cuts off."""
    sizes = ", ".join(f"{len(split.rows)} {role}" for role, split in splits.items())
    yield f"documents: {sizes}; classes: {listed(labels.names)}"
    if read := labels.describe():
        yield read
    for role, split in splits.items():
        yield f"{role}: {truncation(split.rows).describe()}"
    if weights is not None:
        yield described(weights, labels.names)
    yield f"a step is {batch_size} documents over all processes"


def epoch_line(epoch: Epoch, progress: Progress, documents: int, epochs: int) -> str:
    """Return a finished epoch in one line: its numbers, the documents a second, and how long the rest takes at most.

    Args:
        epoch: The epoch.
        progress: How far the run has come, with this epoch.
        documents: Number of training documents.
        epochs: Largest number of epochs.
    """
    numbers = ", ".join(f"{name} {value:.4f}" for name, value in {"loss": epoch.loss, **epoch.scores}.items())
    best = ", the best so far" if progress.best_epoch == progress.epoch else ""
    speed = f"{documents / max(epoch.seconds, 1e-9):,.0f} documents/s"
    return f"epoch {epoch.epoch}: {numbers} ({epoch.seconds:.1f} s, {speed}{_left(progress, epochs)}{best})"


def _left(progress: Progress, epochs: int) -> str:
    seconds = (epochs - progress.epoch) * sum(each.seconds for each in progress.history) / len(progress.history)
    if seconds < 1:
        return ""
    minutes, hours = round(seconds / 60), round(seconds / 3600, 1)
    said = f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 100 else f"{hours} h"
    return f", {said} left at most"


def chart_title(saver: Saver) -> str:
    """Return what is trained on what, in one line."""
    documents = saver.splits["train"].documents.record
    data = documents.name or (Path(documents.path).name if documents.path else "documents")
    return f"Encoder {saver.encoder.name}, {documents.documents:,} training documents of {data}"


@dataclass(frozen=True)
class LargestClass:
    """The class that most of the validation documents have: a model that always answers it has learnt nothing.

    Attributes:
        name: Its name.
        share: Share of the documents that have it.
        classes: Number of classes that the documents have.
    """

    name: str
    share: float
    classes: int

    @classmethod
    def of(cls, labels: Int[Tensor, "documents *labels"], names: Sequence[str]) -> "LargestClass | None":
        """Return the largest class; None where documents may have several labels, or all have one class."""
        known = labels[labels >= 0]
        if labels.ndim > 1 or len(known.unique()) < 2:
            return None
        counts = known.bincount(minlength=len(names))
        return cls(names[int(counts.argmax())], float(counts.max()) / len(known), int((counts > 0).sum()))

    def as_good_as(self, scores: Mapping[str, float]) -> bool:
        """Tell whether always answering this class does as well, in accuracy and in balanced accuracy.

        With rare classes a model may be less accurate than that, and yet have learnt to tell them: then its balanced
        accuracy is higher.
        """
        by_chance = 1 / self.classes
        return scores["accuracy"] <= self.share and scores["balanced_accuracy"] <= by_chance

    def warning(self, scores: Mapping[str, float]) -> str:
        """Return what to say of such a model."""
        return (
            f"the model is no better than always answering '{self.name}' (validation accuracy "
            f"{scores['accuracy']:.4f}; {self.share:.4f} of the documents have this class): it has learnt nothing; try "
            "more epochs, or another learning rate"
        )
