"""A study: many cells, each a trained model and its erasure results, and the numbers that compare them.

Numbers in a cell's ``summary.json`` are read from there, not computed again. Where a model was trained with several
seeds, each document's values are averaged over them first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path

from eraserhead.erasure.flip_values import FlipValues, read_flips
from eraserhead.erasure.pooled import PooledResults
from eraserhead.erasure.ranking_summaries import RankingSummary, TestSummary
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.summary import Summary
from eraserhead.erasure.verdict import VerdictKind, why_none
from eraserhead.loading.run_layout import RUN
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import CONTEXTS
from eraserhead.study.layout import cell_name
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder

ACCURACY = "accuracy"
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
        words: Mean number of words per document.
        sentences: Mean number of sentences per document.
    """

    documents: int
    words: float
    sentences: float


@dataclass(frozen=True)
class DatasetStatistics:
    """How large a data set is.

    Attributes:
        classes: Number of classes.
        splits: Statistics by role: ``train``, ``validation``, ``test``; a role without documents may be missing.
    """

    classes: int
    splits: dict[str, SplitStatistics]


@dataclass(frozen=True)
class PaperModel:
    """A model of the paper: its architecture and its context encoder."""

    architecture: str
    context: str

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.architecture}-{self.context}"


@dataclass(frozen=True)
class Cell:
    """One model on one data set, trained with one seed.

    Attributes:
        dataset: Name of the data set.
        model: Name of the model; ``flan-rnn`` and the like have a place on the context axis, others have none.
        folder: The training run's folder, with the erasure results in it.
        seed: Seed of training; null where it is the study's own.
    """

    dataset: str
    model: str
    folder: Path
    seed: int | None = None

    @property
    def name(self) -> str:
        """Name of the cell."""
        return cell_name(self.dataset, self.model, self.seed)

    @property
    def paper_model(self) -> PaperModel | None:
        """The cell's model if it is one of the paper's, else null."""
        return next((model for model in PAPER_MODELS if model.name == self.model), None)

    @property
    def results(self) -> ResultsFolder:
        """The erasure results."""
        return ResultsFolder(self.folder / RUN.erasure)


PAPER_MODELS = tuple(PaperModel(architecture, context) for architecture in ARCHITECTURES for context in CONTEXTS)


@dataclass(frozen=True)
class CellResults:
    """One model's results on one data set: of one seed, or of all of its seeds together.

    Attributes:
        cell: Its cell; of several seeds, that of the first.
        summary: Its ``summary.json``; of several seeds, over documents whose values are averaged over the seeds.
        test_accuracy: Share of all test documents that the model classifies correctly in its own precision, its mean
            over seeds; null if a run was not tested.
        test_documents: Number of all test documents.
        config: How the model was trained, with the first seed; null if there is no record.
        epochs: Number of epochs trained, and the best of them, likewise; null if there is no record.
        seeds: The results of each seed, if there are several.
    """

    cell: Cell
    summary: Summary
    test_accuracy: float | None = None
    test_documents: int | None = None
    config: TrainConfig | None = None
    epochs: tuple[int, int] | None = None
    seeds: tuple["CellResults", ...] = ()

    @property
    def name(self) -> str:
        """Name of the model on the data set, whatever the seed."""
        return cell_name(self.cell.dataset, self.cell.model)

    @property
    def runs(self) -> tuple["CellResults", ...]:
        """The results of each seed, one at least."""
        return self.seeds or (self,)

    @property
    def tables(self) -> PooledResults:
        """The tables, those of one seed after those of the other."""
        return PooledResults([run.cell.results for run in self.runs])

    @property
    def silent(self) -> VerdictKind | None:
        """Why nothing follows from the cell, by the rule for every verdict; null where something may."""
        return why_none(self.summary)

    @cached_property
    def flips(self) -> dict[str, FlipValues]:
        """First flips by ranking; documents that never flip are counted as in the summary."""
        return read_flips(self.tables, self.summary.setup.count_never_as)

    def ranking(self, name: str) -> RankingSummary | None:
        """Return test 2 along a ranking; null where there is none."""
        return self.summary.rankings.get(name)

    def test(self, name: str) -> TestSummary | None:
        """Return test 1 of a ranking; null where there is none."""
        return self.summary.tests.get(name)


def known(estimate: Estimate | None) -> Estimate | None:
    """Return an estimate over one document or more, else null."""
    return estimate if estimate is not None and estimate.count else None


def ends(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    """Return value, low and high: infinity where one is larger than everything, null for an interval there is not."""
    if not estimate.has_interval:
        return (estimate.value, None, None)
    value, low, high = (inf if number is None else number for number in (estimate.value, estimate.low, estimate.high))
    return (value, low, high)


def read_cells(cells: Sequence[Cell]) -> list[CellResults]:
    """Return the finished results by data set in the given order, the paper's models first; seeds are put together.

    Raises:
        UserError: Results are damaged, or those of two seeds are of different documents.
    """
    datasets = list(dict.fromkeys(cell.dataset for cell in cells))
    order = {model.name: number for number, model in enumerate(PAPER_MODELS)}
    ordered = sorted(cells, key=lambda cell: (datasets.index(cell.dataset), order.get(cell.model, len(order))))
    runs: dict[tuple[str, str], list[CellResults]] = {}
    for cell in ordered:
        if cell.results.complete:
            runs.setdefault((cell.dataset, cell.model), []).append(_read_cell(cell))
    return [_together(tuple(found)) for found in runs.values()]


def _together(runs: tuple[CellResults, ...]) -> CellResults:
    """Return the results of all seeds of a model on a data set, one at least."""
    if len(runs) == 1:
        return runs[0]
    accuracies = [run.test_accuracy for run in runs if run.test_accuracy is not None]
    mean = sum(accuracies) / len(runs) if len(accuracies) == len(runs) else None
    together = replace(runs[0], test_accuracy=mean, seeds=runs)
    return replace(together, summary=together.tables.summary())


def _read_cell(cell: Cell) -> CellResults:
    run = RunFolder(cell.folder)
    metrics, data = run.metrics(), run.data()
    test = None if metrics is None or metrics.test is None else metrics.test.get(ACCURACY)
    return CellResults(
        cell=cell,
        summary=cell.results.checked_summary(),
        test_accuracy=test,
        test_documents=None if test is None or data is None else data.documents["test"].documents,
        config=run.config(),
        epochs=None if metrics is None else (len(metrics.epochs), metrics.best_epoch),
    )
