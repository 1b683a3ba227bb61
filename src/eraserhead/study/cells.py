"""A study: many cells, each a trained model and its erasure results, and the numbers that compare them.

What a cell's ``summary.json`` holds is taken from there and never computed again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from eraserhead.erasure.results import ResultsFolder
from eraserhead.files import read_mapping
from eraserhead.loading.checkpoints import DATA
from eraserhead.loading.config import ERASURE, RUN_CONFIG
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import CONTEXTS
from eraserhead.training.folder import METRICS, RunFolder

ARCHITECTURES = ("flan", "han")
ROLES = ("train", "validation", "test")
# Percent of documents with more than one sentence on which the gradient flips with strictly fewer removals than
# attention: constants in the authors' repository, whose column order is inferred (METHOD section 4).
AUTHORS_DOCUMENTS = {"yahoo": 49_733, "imdb": 13_493, "amazon": 589_532, "yelp": 47_557}
AUTHORS_GRADIENT_FEWER = {
    "yahoo": {"han-rnn": 8.7, "han-conv": 17.6, "flan-rnn": 65.4, "flan-conv": 79.1},
    "imdb": {"han-rnn": 45.5, "han-conv": 53.1, "flan-rnn": 64.5, "flan-conv": 54.7},
    "amazon": {"han-rnn": 24.6, "han-conv": 35.9, "flan-rnn": 71.4, "flan-conv": 53.4},
    "yelp": {"han-rnn": 31.5, "han-conv": 47.8, "flan-rnn": 70.6, "flan-conv": 63.3},
}


@dataclass(frozen=True)
class SplitStatistics:
    """How large a split is.

    Attributes:
        documents: Documents in it.
        words: Words a document, the mean.
        sentences: Sentences a document, the mean.
    """

    documents: int
    words: float
    sentences: float


@dataclass(frozen=True)
class DatasetStatistics:
    """How large a data set is.

    Attributes:
        classes: How many there are.
        splits: Statistics by role: ``train``, ``validation``, ``test``; a role without documents may be missing.
    """

    classes: int
    splits: dict[str, SplitStatistics]


@dataclass(frozen=True)
class PaperModel:
    """Where a model stands among the paper's: its architecture, and how far its encoder mixes context."""

    architecture: str
    context: str

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.architecture}-{self.context}"


@dataclass(frozen=True)
class Cell:
    """One model on one data set.

    Attributes:
        dataset: Name of the data set.
        model: Name of the model; ``flan-rnn`` and the like have a place on the context axis, others have none.
        folder: The training run's folder, with the erasure results in ``erasure``.
    """

    dataset: str
    model: str
    folder: Path

    @property
    def name(self) -> str:
        """What the cell is called."""
        return f"{self.dataset}-{self.model}"

    @property
    def paper_model(self) -> PaperModel | None:
        """Where the model stands among the paper's; null where it is none of them."""
        return next((model for model in PAPER_MODELS if model.name == self.model), None)

    @property
    def results(self) -> ResultsFolder:
        """The erasure results."""
        return ResultsFolder(self.folder / ERASURE)


PAPER_MODELS = tuple(PaperModel(architecture, context) for architecture in ARCHITECTURES for context in CONTEXTS)


@dataclass(frozen=True)
class CellResults:
    """What a finished cell's summary says, and the run's own accuracy.

    Attributes:
        cell: The cell.
        summary: Its ``summary.json``, ``pairs`` by the names of the first and the second ranking.
        test_accuracy: Share of all test documents whose class is right, in the model's own precision; null where the
            run has not been tested.
        test_documents: How many test documents that is.
        largest_class: Accuracy over the documents analysed of always answering their most frequent class; null where
            none is labelled.
        training: How the model was trained, as ``run.yaml`` says; empty where there is none.
        epochs: Epochs that it was trained for, and the best of them; null where there is no record.
    """

    cell: Cell
    summary: Mapping[str, Any]
    test_accuracy: float | None
    test_documents: int | None
    largest_class: float | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    epochs: tuple[int, int] | None = None

    @property
    def learnt(self) -> bool:
        """Whether the model's accuracy is above that of always answering the most frequent class, interval included."""
        accuracy = self.estimate("accuracy")
        if self.largest_class is None or accuracy is None or accuracy.low is None:
            return True  # nothing is known against it
        return accuracy.low > self.largest_class

    def estimate(self, *path: str) -> Estimate | None:
        """Return an estimate by its place in the summary; null where there is none or no document to estimate from."""
        found: Any = self.summary
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        estimate = Estimate(**found) if found is not None else None
        return estimate if estimate and estimate.count else None

    @cached_property
    def never(self) -> float:
        """What stands for a fraction, or a mass, that never flips: infinity, or 1 where the summary counts it so."""
        return 1.0 if self.summary.get("configuration", {}).get("count_never_as") == "all" else np.inf


def read_cells(cells: Sequence[Cell]) -> list[CellResults]:
    """Return the cells that have finished results, data sets as they come, in each the paper's models first."""
    datasets = list(dict.fromkeys(cell.dataset for cell in cells))
    order = {model.name: number for number, model in enumerate(PAPER_MODELS)}
    ordered = sorted(cells, key=lambda cell: (datasets.index(cell.dataset), order.get(cell.model, len(order))))
    return [_read_cell(cell) for cell in ordered if cell.results.complete]


def _read_cell(cell: Cell) -> CellResults:
    summary = cell.results.summary()
    pairs: dict[str, dict[str, Any]] = {}
    for pair in summary["pairs"]:
        pairs.setdefault(pair["first"], {})[pair["second"]] = pair
    metrics = RunFolder(cell.folder).metrics() if (cell.folder / METRICS).is_file() else {}
    test = metrics.get("test") or {}
    return CellResults(
        cell=cell,
        summary={**summary, "pairs": pairs},
        test_accuracy=test.get("accuracy"),
        test_documents=_test_documents(cell) if test else None,
        largest_class=_largest_class(cell),
        training=_mapping(cell, RUN_CONFIG),
        epochs=(len(metrics["epochs"]), metrics["best_epoch"]) if "epochs" in metrics else None,
    )


def _largest_class(cell: Cell) -> float | None:
    documents = cell.results.table("documents", ["label", "n"]).to_pandas()
    shares = documents.label[documents.n >= 2].value_counts(normalize=True)
    return float(shares.max()) if len(shares) else None


def _test_documents(cell: Cell) -> int | None:
    data = _mapping(cell, DATA)
    return data.get("documents", {}).get("test", {}).get("documents")


def _mapping(cell: Cell, name: str) -> dict[str, Any]:
    path = cell.folder / name
    return read_mapping(path, f"delete {cell.folder} and train again") if path.is_file() else {}
