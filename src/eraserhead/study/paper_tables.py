"""The tables of ``paper.md``: views of summaries, with a dash where a cell has no number."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isnan
from pathlib import PurePath

from eraserhead.method.names import MINIMUM
from eraserhead.method.statistics import Estimate
from eraserhead.models.architecture import CONTEXTS
from eraserhead.showing.escapes import markdown
from eraserhead.showing.terminal import NEVER, NONE
from eraserhead.showing.terminal import interval as written
from eraserhead.study.cell_tables import KEYS, RANKINGS
from eraserhead.study.cells import (
    AUTHORS_DOCUMENTS,
    AUTHORS_GRADIENT_FEWER,
    FAMILIES,
    PLACES,
    ROLES,
    CellResults,
    DatasetStatistics,
    Place,
)
from eraserhead.study.comparisons import Finding, Verdict
from eraserhead.study.context_figure import QUANTITIES

CELLS_OF_TEST_1 = ("both_flip", "top_alone_flips", "other_alone_flips", "none_flips")
VERDICTS = {
    Verdict.HOLDS: "holds",
    Verdict.CONTRARY: "does not hold",
    Verdict.MIXED: "mixed",
    Verdict.UNDECIDED: "undecided",
}


@dataclass(frozen=True)
class Table:
    """A table: what the first columns name is on the left, numbers are on the right.

    Attributes:
        headings: Headings of the columns, as Markdown.
        rows: Texts of the cells; those of the columns of names as they are, the others as Markdown.
        names: How many columns at the left hold names.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 2


@dataclass(frozen=True)
class Grid:
    """The cells of a study by data set and model, those without results included.

    Attributes:
        datasets: All data sets.
        models: All models, the paper's first.
        cells: The results that there are, by data set and model.
    """

    datasets: Sequence[str]
    models: Sequence[str]
    cells: Mapping[tuple[str, str], CellResults]

    def __iter__(self) -> Iterator[tuple[str, str, CellResults | None]]:
        for dataset in self.datasets:
            for model in self.models:
                yield dataset, model, self.cells.get((dataset, model))

    def estimate(self, dataset: str, model: str, *path: str) -> Estimate | None:
        """Return an estimate of a cell's summary; null where there is no such cell or number."""
        found = self.cells.get((dataset, model))
        return found.estimate(*path) if found else None


def grid(results: Sequence[CellResults], datasets: Mapping[str, DatasetStatistics], failed: Sequence[str]) -> Grid:
    """Return the grid of all that was asked for: what has results, and what failed."""
    names = dict.fromkeys([*datasets, *(found.cell.dataset for found in results)])
    models = {found.cell.model for found in results}
    models |= {cell.removeprefix(f"{name}-") for name in names for cell in failed if cell.startswith(f"{name}-")}
    placed = [place.model for place in PLACES if place.model in models]
    cells = {(found.cell.dataset, found.cell.model): found for found in results}
    return Grid(list(names), placed + sorted(models.difference(placed)), cells)


def dataset_table(datasets: Mapping[str, DatasetStatistics], names: Sequence[str]) -> Table:
    """Classes, and for each split the documents and the mean words and sentences of one."""
    rows = []
    for name in names:
        found = datasets.get(name)
        for role in ROLES:
            split = found.splits.get(role) if found else None
            sizes = [f"{split.documents:,}", _number(split.words), _number(split.sentences)] if split else [NONE] * 3
            rows.append([name, role, str(found.classes) if found else NONE, *sizes])
    return Table(["data set", "split", "classes", "documents", "words a document", "sentences a document"], rows)


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
    headings += ["left out (n < 2)", "tokens cut off", "of documents"]
    rows = []
    for dataset, model, found in grid:
        if found is None:
            rows.append([dataset, model, *[NONE] * 8])
            continue
        documents, cut = found.summary["documents"], found.summary["truncation"]
        tokens = cut["tokens"] + cut["truncated_tokens"]
        rows.append(
            [
                dataset,
                model,
                NONE if found.test_accuracy is None else f"{found.test_accuracy:.3f}",
                NONE if found.test_documents is None else f"{found.test_documents:,}",
                interval(found.estimate("accuracy")),
                NONE if found.largest_class is None else f"{found.largest_class:.3f}",
                f"{documents['analysed']:,}",
                f"{documents['total'] - documents['analysed']:,}",
                f"{100 * cut['truncated_tokens'] / max(tokens, 1):.1f} %",
                f"{cut['truncated_documents']:,} of {cut['documents']:,}",
            ]
        )
    return Table(headings, rows)


def training_table(grid: Grid) -> Table:
    """How each model was trained: its encoder by name, not by folder."""
    rows = []
    for dataset, model, found in grid:
        if found is None or not found.training:
            continue
        chosen, training = found.training["model"], found.training["training"]
        layers = "all" if chosen["encoder_layers"] is None else str(chosen["encoder_layers"])
        rates = f"{training['learning_rate']:g}"
        rates += "" if training["freeze_encoder"] else f", encoder {training['encoder_learning_rate']:g}"
        epochs = NONE if found.epochs is None else f"{found.epochs[0]} ({found.epochs[1]})"
        encoder = chosen["encoder"]
        name = PurePath(encoder).name if PurePath(encoder).is_absolute() else encoder
        rows.append([dataset, model, name, layers, rates, epochs, markdown(str(training["seed"]))])
    return Table(
        ["data set", "model", "encoder", "layers", "learning rate", "epochs (the best)", "seed"], rows, names=4
    )


def flip_tables(grid: Grid) -> dict[str, Table]:
    """Test 1's 2x2 table of each cell and ranking, in a row, by data set."""
    headings = ["model", "top of", "both flip", "top alone", "other alone", "neither", "one draw"]
    tables = {dataset: Table(headings, []) for dataset in grid.datasets}
    for dataset, model, _ in grid:
        rows = []
        for ranking in KEYS:
            exact, drawn = (
                [grid.estimate(dataset, model, "tests", ranking, kind, cell) for cell in CELLS_OF_TEST_1]
                for kind in ("exact", "drawn")
            )
            once = " / ".join(percent(_alone(estimate)) for estimate in drawn) if all(drawn) else NONE
            rows.append([model, ranking, *(percent(estimate) for estimate in exact), once])
        tables[dataset] = replace(tables[dataset], rows=[*tables[dataset].rows, *rows])
    return tables


def quantity_table(grid: Grid, quantity: str) -> Table:
    """The median fraction, or mass, removed along each ranking, and how often attention never flips."""
    rankings = [*RANKINGS, MINIMUM]
    rows = []
    for dataset, model, _ in grid:
        medians = [grid.estimate(dataset, model, "rankings", name, quantity, "median") for name in rankings]
        never = grid.estimate(dataset, model, "rankings", "attention", "outcomes", "never")
        rows.append([dataset, model, *(interval(median, absent=NEVER) for median in medians), percent(never)])
    return Table(["data set", "model", *rankings, "attention never flips, %"], rows)


def fewer_table(grid: Grid) -> Table:
    """Percent of documents on which gradient, and product, need strictly fewer removals than attention."""
    rows = []
    for dataset, model, _ in grid:
        gradient, product = (
            grid.estimate(dataset, model, "pairs", ranking, "attention", "fewer") for ranking in ("gradient", "product")
        )
        authors = AUTHORS_GRADIENT_FEWER.get(dataset, {}).get(model)
        published = NONE if authors is None else f"{authors} (n = {AUTHORS_DOCUMENTS[dataset]:,})"
        count = f"{gradient.count:,}" if gradient else NONE
        rows.append([dataset, model, percent(gradient), published, percent(product), count])
    headings = ["gradient fewer, %", "the authors' gradient fewer, %", "product fewer, %", "documents here"]
    return Table(["data set", "model", *headings], rows)


def excess_table(grid: Grid) -> Table:
    """Removals in excess of the exact minimum, and how often there is no excess, for each ranking."""
    rows = []
    for dataset, model, _ in grid:
        cells = []
        for ranking in RANKINGS:
            excess, optimal = (
                grid.estimate(dataset, model, "rankings", ranking, name) for name in ("excess", "optimal")
            )
            cells.append(f"{interval(excess, digits=1)} n={excess.count:,}" if excess else NONE)
            cells.append(percent(optimal))
        rows.append([dataset, model, *cells])
    names = [heading for name in RANKINGS for heading in (f"{name}: excess", "optimal, %")]
    return Table(["data set", "model", *names], rows)


def context_tables(grid: Grid) -> dict[str, Table]:
    """How each quantity moves along the context axis, a row a data set and family, by the quantity's title."""
    tables = {}
    for quantity in QUANTITIES:
        rows = []
        for dataset in grid.datasets:
            for family in FAMILIES:
                estimates = [
                    grid.estimate(dataset, Place(family, context).model, *quantity.path) for context in CONTEXTS
                ]
                if any(estimates):
                    show = percent if quantity.percent else _fraction
                    rows.append([dataset, family.upper(), *(show(estimate) for estimate in estimates)])
        tables[quantity.title] = Table(["data set", "family", *CONTEXTS], rows)
    return tables


def finding_table(found: Sequence[Finding]) -> Table:
    """What is said of each finding, on how many comparisons, and where it is contrary."""
    rows = []
    for finding in found:
        counts = [str(finding.count(verdict)) for verdict in (Verdict.HOLDS, Verdict.CONTRARY, Verdict.UNDECIDED)]
        contrary = [evidence.where for evidence in finding.evidence if evidence.verdict == Verdict.CONTRARY]
        verdict = VERDICTS[finding.verdict] if finding.evidence else NONE
        rows.append([finding.claim, finding.measure, verdict, *counts, markdown(", ".join(contrary)) or NONE])
    return Table(["finding", "compared", "verdict", "holds in", "contrary in", "undecided in", "contrary"], rows)


def evidence_table(finding: Finding) -> Table:
    """Every comparison of one finding."""
    rows = [
        [evidence.where, interval(evidence.larger), f"{evidence.deciding:,.0f}", evidence.verdict]
        for evidence in finding.evidence
    ]
    return Table(["compared", "difference", "documents that differ", "verdict"], rows, names=1)


def interval(estimate: Estimate | None, scale: float = 1, digits: int = 3, absent: str = NONE) -> str:
    """Write an estimate with its interval; `absent` for an end, or a value, that is larger than everything."""
    return NONE if estimate is None else written(asdict(estimate), absent, scale, digits)


def percent(estimate: Estimate | None) -> str:
    """Write a share in percent."""
    return interval(estimate, scale=100, digits=1)


def _fraction(estimate: Estimate | None) -> str:
    return interval(estimate, absent=NEVER)


def _alone(estimate: Estimate | None) -> Estimate | None:
    """Leave the interval out."""
    return replace(estimate, low=estimate.value, high=estimate.value) if estimate else None


def _number(value: float) -> str:
    return NONE if isnan(value) else f"{value:,.1f}"
