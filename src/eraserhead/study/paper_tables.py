"""The tables of ``paper.md``: views of summaries, with a dash where a cell has no number."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isnan
from pathlib import PurePath

from eraserhead.erasure.ranking_summaries import SingleErasureTable, TestSummary
from eraserhead.erasure.view import called
from eraserhead.method.names import ATTENTION, GRADIENT, PRODUCT, RANDOM, YARDSTICKS, Outcome
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import CONTEXTS
from eraserhead.showing.escapes import markdown
from eraserhead.showing.terminal import NEVER, NONE, interval, percent
from eraserhead.study.cell_tables import ranking_names
from eraserhead.study.cells import (
    ARCHITECTURES,
    AUTHORS_DOCUMENTS,
    AUTHORS_GRADIENT_FEWER,
    PAPER_MODELS,
    ROLES,
    Cell,
    CellResults,
    DatasetStatistics,
    PaperModel,
    known,
)
from eraserhead.study.comparisons import Finding, Support
from eraserhead.study.context_figure import QUANTITIES

VERDICTS = {
    Support.HOLDS: "holds",
    Support.CONTRARY: "does not hold",
    Support.MIXED: "mixed",
    Support.UNDECIDED: "undecided",
}


@dataclass(frozen=True)
class Table:
    """A table whose first columns are names and whose other columns are numbers.

    Attributes:
        headings: Headings of the columns, as Markdown.
        rows: Texts of the cells; plain text in the columns of names, Markdown in the others.
        names: Number of columns of names.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 2


@dataclass(frozen=True)
class Grid:
    """The cells of a study by data set and model, including those without results.

    Attributes:
        datasets: All data sets.
        models: All models, the paper's first.
        cells: Results by data set and model, where they exist.
    """

    datasets: Sequence[str]
    models: Sequence[str]
    cells: Mapping[tuple[str, str], CellResults]

    def __iter__(self) -> Iterator[tuple[str, str, CellResults | None]]:
        for dataset in self.datasets:
            for model in self.models:
                yield dataset, model, self.cells.get((dataset, model))

    @property
    def rankings(self) -> list[str]:
        """The rankings in any cell's results, the smallest sets last."""
        return ranking_names(self.cells.values())

    @property
    def tested(self) -> list[str]:
        """The rankings that test 1 applies to: all except `random` and the smallest sets."""
        return [name for name in self.rankings if name not in (RANDOM, *YARDSTICKS)]

    def of(self, dataset: str, model: str, quantity: Callable[[CellResults], Estimate | None]) -> Estimate | None:
        """Return an estimate of a cell; null if the cell has no results."""
        found = self.cells.get((dataset, model))
        return found and quantity(found)


def grid(results: Sequence[CellResults], datasets: Mapping[str, DatasetStatistics], failed: Iterable[Cell]) -> Grid:
    """Return the grid of all cells: those with results, and those that failed."""
    names = dict.fromkeys([*datasets, *(found.cell.dataset for found in results)])
    models = {found.cell.model for found in results}
    models |= {cell.model for cell in failed if cell.dataset in names}
    placed = [model.name for model in PAPER_MODELS if model.name in models]
    cells = {(found.cell.dataset, found.cell.model): found for found in results}
    return Grid(list(names), placed + sorted(models.difference(placed)), cells)


def dataset_table(datasets: Mapping[str, DatasetStatistics], names: Sequence[str]) -> Table:
    """Number of classes, and for each split the number of documents and their mean words and sentences."""
    rows = []
    for name in names:
        found = datasets.get(name)
        for role in ROLES:
            split = found.splits.get(role) if found else None
            sizes = [f"{split.documents:,}", _number(split.words), _number(split.sentences)] if split else [NONE] * 3
            rows.append([name, role, str(found.classes) if found else NONE, *sizes])
    return Table(["data set", "split", "classes", "documents", "words per document", "sentences per document"], rows)


def accuracy_table(grid: Grid) -> Table:
    """Accuracy on all test documents and on those analysed, and what was left out or cut off."""
    headings = [
        "data set",
        "model",
        "accuracy, all test documents",
        "n",
        "accuracy, analysed",
        "largest class",
        "analysed",
    ]
    headings += ["left out (under 2 components)", "tokens cut off", "documents cut"]
    rows = []
    for dataset, model, found in grid:
        if found is None:
            rows.append([dataset, model, *[NONE] * 8])
            continue
        documents, cut = found.summary.documents, found.summary.truncation
        rows.append(
            [
                dataset,
                model,
                NONE if found.test_accuracy is None else f"{found.test_accuracy:.3f}",
                NONE if found.test_documents is None else f"{found.test_documents:,}",
                interval(found.summary.accuracy),
                interval(found.summary.largest_class),
                f"{documents.analysed:,}",
                f"{documents.left_out:,}",
                f"{100 * cut.share:.1f} %",
                f"{cut.truncated_documents:,} of {cut.documents:,}",
            ]
        )
    return Table(headings, rows)


def training_table(grid: Grid) -> Table:
    """How each model was trained: its encoder by name, not by folder."""
    rows = []
    for dataset, model, found in grid:
        if found is None or found.config is None:
            continue
        chosen, training = found.config.model, found.config.training
        layers = "all" if chosen.encoder_layers is None else str(chosen.encoder_layers)
        rates = f"{training.learning_rate:g}"
        rates += "" if training.freeze_encoder else f", encoder {training.encoder_learning_rate:g}"
        epochs = ", ".join(f"{run.epochs[0]} ({run.epochs[1]})" if run.epochs else NONE for run in found.runs)
        seeds = ", ".join(str(run.config.training.seed) if run.config else NONE for run in found.runs)
        encoder = PurePath(chosen.encoder)
        name = encoder.name if encoder.is_absolute() else chosen.encoder
        rows.append([dataset, model, name, layers, rates, epochs, seeds])
    return Table(["data set", "model", "encoder", "layers", "learning rate", "epochs (best)", "seed"], rows, names=4)


def flip_tables(grid: Grid) -> dict[str, Table]:
    """The 2x2 tables of test 1 by data set, one row per cell and ranking."""
    headings = ["model", "top of", "both flip", "only top flips", "only other flips", "neither flips", "one draw"]
    tables = {dataset: Table(headings, []) for dataset in grid.datasets}
    for dataset, model, found in grid:
        rows = [_flip_row(model, ranking, found and found.test(ranking)) for ranking in grid.tested]
        tables[dataset] = replace(tables[dataset], rows=[*tables[dataset].rows, *rows])
    return tables


def _flip_row(model: str, ranking: str, test: TestSummary | None) -> list[str]:
    if test is None:
        return [model, ranking, *[NONE] * (len(fields(SingleErasureTable)) + 1)]
    exact, drawn = (
        [getattr(table, cell.name) for cell in fields(SingleErasureTable)] for table in (test.exact, test.drawn)
    )
    once = " / ".join(percent(_alone(estimate)) for estimate in drawn) if all(map(known, drawn)) else NONE
    return [model, ranking, *map(percent, exact), once]


def quantity_table(grid: Grid, quantity: str) -> Table:
    """The median fraction, or mass, removed along each ranking, and how often attention never flips."""
    rankings = grid.rankings
    rows = []
    for dataset, model, found in grid:
        summaries = [found and found.ranking(name) for name in rankings]
        medians = [summary and summary.distribution(quantity).median for summary in summaries]
        attention = found and found.ranking(ATTENTION)
        never = attention and attention.share(Outcome.NEVER)
        rows.append([dataset, model, *(interval(median, absent=NEVER) for median in medians), percent(never)])
    return Table(["data set", "model", *map(called, rankings), "attention never flips, %"], rows)


def fewer_table(grid: Grid) -> Table:
    """Percent of documents on which gradient or product needs strictly fewer removals than attention."""
    rows = []
    for dataset, model, found in grid:
        gradient, product = (found and found.summary.pair(ranking, ATTENTION) for ranking in (GRADIENT, PRODUCT))
        authors = AUTHORS_GRADIENT_FEWER.get(dataset, {}).get(model)
        published = NONE if authors is None else f"{authors} (n = {AUTHORS_DOCUMENTS[dataset]:,})"
        fewer = gradient and known(gradient.fewer)
        count = f"{fewer.count:,}" if fewer else NONE
        rows.append([dataset, model, percent(fewer), published, percent(product and product.fewer), count])
    headings = ["gradient fewer, %", "gradient fewer, % (authors)", "product fewer, %", "documents"]
    return Table(["data set", "model", *headings], rows)


def excess_table(grid: Grid) -> Table:
    """Removals in excess of the exact minimum, and how often there is no excess, for each ranking."""
    names = [name for name in grid.rankings if name not in YARDSTICKS]
    rows = []
    for dataset, model, found in grid:
        cells = []
        for name in names:
            ranking = found and found.ranking(name)
            excess = ranking and known(ranking.excess)
            cells.append(f"{interval(excess, digits=1)} n={excess.count:,}" if excess else NONE)
            cells.append(percent(ranking and ranking.optimal))
        rows.append([dataset, model, *cells])
    headings = [heading for name in names for heading in (f"{name}: excess", "no excess, %")]
    return Table(["data set", "model", *headings], rows)


def context_tables(grid: Grid) -> dict[str, Table]:
    """Tables by title: each quantity along the context axis, one row per data set and architecture."""
    tables = {}
    for quantity in QUANTITIES:
        rows = []
        for dataset in grid.datasets:
            for architecture in ARCHITECTURES:
                models = [PaperModel(architecture, context).name for context in CONTEXTS]
                estimates = [grid.of(dataset, model, quantity.of) for model in models]
                if any(estimates):
                    absent, scale, digits = (NONE, 100, 1) if quantity.percent else (NEVER, 1, 3)
                    shown = [interval(estimate, absent, scale, digits) for estimate in estimates]
                    rows.append([dataset, architecture.upper(), *shown])
        tables[quantity.title] = Table(["data set", "architecture", *CONTEXTS], rows)
    return tables


def finding_table(found: Sequence[Finding]) -> Table:
    """The verdict on each finding, the counts of its comparisons, and where they are contrary."""
    rows = []
    for finding in found:
        counts = [str(finding.count(verdict)) for verdict in (Support.HOLDS, Support.CONTRARY, Support.UNDECIDED)]
        contrary = [comparison.where for comparison in finding.comparisons if comparison.support == Support.CONTRARY]
        verdict = VERDICTS[finding.support] if finding.comparisons else NONE
        rows.append([finding.claim, finding.measure, verdict, *counts, markdown(", ".join(contrary)) or NONE])
    return Table(["finding", "compared", "verdict", "holds in", "contrary in", "undecided in", "contrary where"], rows)


def comparison_table(finding: Finding) -> Table:
    """Every comparison of one finding."""
    rows = [
        [comparison.where, interval(comparison.larger), f"{comparison.deciding:,.0f}", comparison.support]
        for comparison in finding.comparisons
    ]
    return Table(["compared", "difference", "documents that differ", "verdict"], rows, names=1)


def _alone(estimate: Estimate) -> Estimate:
    """Return the estimate without its interval."""
    return replace(estimate, low=estimate.value, high=estimate.value)


def _number(value: float) -> str:
    return NONE if isnan(value) else f"{value:,.1f}"
