"""Write ``paper.md``, a page with a study's tables, figures and findings, and the files of its figures."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from eraserhead.erasure.verdict import FEWEST_DOCUMENTS, VerdictKind
from eraserhead.files import write_text
from eraserhead.showing.escapes import markdown
from eraserhead.showing.figures import Plate, numbers_table
from eraserhead.showing.templates import template
from eraserhead.showing.terminal import FEW_NOTE
from eraserhead.study.cell_figures import draw_boxes, draw_histogram, draw_scatter
from eraserhead.study.cell_tables import FRACTION, MASS
from eraserhead.study.cells import Cell, CellResults, DatasetStatistics, ends, read_cells
from eraserhead.study.comparisons import FEWEST_DIFFERING, Comparison, Finding, Support
from eraserhead.study.context_figure import contexts_of, draw_context
from eraserhead.study.findings import LATER, findings
from eraserhead.study.layout import STUDY
from eraserhead.study.over_seeds import seed_tables
from eraserhead.study.paper_tables import (
    accuracy_table,
    comparison_table,
    context_tables,
    dataset_table,
    excess_table,
    fewer_table,
    finding_table,
    flip_tables,
    grid,
    quantity_table,
    training_table,
)

TEMPLATE = "paper.md.j2"
DRAWINGS: dict[str, Callable[[Sequence[CellResults], Plate], None]] = {
    "scatter": draw_scatter,
    "histogram": draw_histogram,
    FRACTION: partial(draw_boxes, quantity=FRACTION),
    MASS: partial(draw_boxes, quantity=MASS),
}
SILENT = {
    VerdictKind.NOTHING: "no document has two components",
    VerdictKind.TOO_FEW: f"fewer than {FEWEST_DOCUMENTS} documents",
    VerdictKind.CHANCE_LEVEL: "accuracy not above that of always answering the largest class",
}
COMPARISONS = pa.schema(
    [(name, pa.string()) for name in ("finding", "where", "verdict")]
    + [(name, pa.float64()) for name in ("larger", "larger_low", "larger_high")]
    + [(name, pa.float64()) for name in ("smaller", "smaller_low", "smaller_high", "deciding")]
)
BLANK_LINES = re.compile(r"\n{3,}")
DIRECTORIES = re.compile(r"(?<![\w.])/(?:[^\s/:;,'\"]+/)+")  # the folders of an absolute path


@dataclass(frozen=True)
class Statement:
    """The findings of one verdict.

    Attributes:
        verdict: The verdict in words.
        claims: The claims, each with its counts.
    """

    verdict: str
    claims: Sequence[str]


def write_paper(
    folder: Path,
    cells: Sequence[Cell],
    datasets: Mapping[str, DatasetStatistics],
    failures: Mapping[Cell, str],
) -> Path:
    """Write ``paper.md`` and ``figures/`` and return the page's path.

    The same results give the same page and the same numbers. Cells that failed or are not finished are listed, and
    have dashes in the tables.

    Args:
        folder: Where to write.
        cells: The cells to report.
        datasets: How large each data set is.
        failures: Why cells failed, a line each.
    """
    results = read_cells(cells)
    unfinished = {cell: "no finished erasure results" for cell in cells if not cell.results.complete}
    missing = {cell: one_line(reason) for cell, reason in {**unfinished, **failures}.items()}
    figures = folder / STUDY.figures
    figures.mkdir(parents=True, exist_ok=True)
    found = findings(results)
    text = template("eraserhead.study", TEMPLATE).render(
        **_tables(results, datasets, missing),
        plates=_draw(results, figures),
        context=_draw_context(results, figures),
        numbers=_save_findings(found, figures),
        figures=STUDY.figures,
        paper_statements=statements([finding for finding in found if finding.of_paper]),
        own_statements=statements([finding for finding in found if not finding.of_paper]),
        findings=finding_table(found),
        steps=comparison_table(next(finding for finding in found if finding.key == LATER)),
        fewest=FEWEST_DOCUMENTS,
        differing=FEWEST_DIFFERING,
        few=FEW_NOTE,
        deviations=_deviations(results),
        missing={cell.name: reason for cell, reason in missing.items()},
        cells=len(results),
        several=sum(1 for found in results if found.seeds),
        silent={found.name: SILENT[found.silent] for found in results if found.silent},
        draws=sorted({str(orders.count) for found in results if (orders := found.summary.random_orders)}),
    )
    write_text(folder / STUDY.paper, BLANK_LINES.sub("\n\n", text))
    return folder / STUDY.paper


def statements(found: Sequence[Finding]) -> list[Statement]:
    """Return the findings by verdict, and last those that could not be tested."""
    words = {
        Support.HOLDS: "hold here",
        Support.CONTRARY: "do not hold here",
        Support.MIXED: "hold in some cells and are contrary in others",
        Support.UNDECIDED: "are undecided here",
    }
    looked_at = [finding for finding in found if finding.comparisons]
    grouped = [
        Statement(word, [_counted(finding) for finding in looked_at if finding.support == verdict])
        for verdict, word in words.items()
    ]
    grouped.append(
        Statement(
            "could not be tested, because cells or documents are missing", [f.claim for f in found if not f.comparisons]
        )
    )
    return [statement for statement in grouped if statement.claims]


def one_line(reason: str) -> str:
    """Return a reason as Markdown on one line, without the folders of absolute paths."""
    return markdown(DIRECTORIES.sub("", " ".join(reason.split())))


def _counted(finding: Finding) -> str:
    contrary, undecided = finding.count(Support.CONTRARY), finding.count(Support.UNDECIDED)
    rest = [f"contrary in {contrary}"] * bool(contrary) + [f"undecided in {undecided}"] * bool(undecided)
    holds = f"holds in {finding.count(Support.HOLDS)} of {len(finding.comparisons)} {finding.unit}"
    return f"{finding.claim} ({', '.join([holds, *rest])})"


def _tables(
    results: Sequence[CellResults], datasets: Mapping[str, DatasetStatistics], missing: Iterable[Cell]
) -> dict[str, Any]:
    cells = grid(results, datasets, missing)
    return {
        "datasets": dataset_table(datasets, cells.datasets),
        "accuracy": accuracy_table(cells),
        "training": training_table(cells),
        "flips": flip_tables(cells),
        "fractions": quantity_table(cells, FRACTION),
        "masses": quantity_table(cells, MASS),
        "fewer": fewer_table(cells),
        "excess": excess_table(cells),
        "along": context_tables(cells),
        "seeds": seed_tables(cells),
    }


def _draw(results: Sequence[CellResults], folder: Path) -> dict[str, dict[str, Plate]]:
    """Draw every figure of every data set from each model's first seed, and return them by kind and data set."""
    plates: dict[str, dict[str, Plate]] = {kind: {} for kind in DRAWINGS}
    for dataset in dict.fromkeys(found.cell.dataset for found in results):
        cells = [found.runs[0] for found in results if found.cell.dataset == dataset]
        for kind, draw in DRAWINGS.items():
            plate = Plate(folder, STUDY.figure(kind, dataset))
            draw(cells, plate)
            plates[kind][dataset] = plate
    return plates


def _draw_context(results: Sequence[CellResults], folder: Path) -> Plate | None:
    """Draw the context figure; nothing if the models have fewer than two contexts."""
    placed = [found for found in results if found.cell.paper_model is not None]
    plate = Plate(folder, STUDY.context)
    if len(contexts_of(placed)) < 2:
        return None
    draw_context(placed, plate)
    return plate


def _save_findings(found: Sequence[Finding], folder: Path) -> Plate:
    """Save the numbers of every comparison, for which there is no figure."""
    plate = Plate(folder, STUDY.findings)
    rows = [
        (finding.key, comparison.where, comparison.support.value, *_numbers(comparison))
        for finding in found
        for comparison in finding.comparisons
    ]
    plate.save_numbers([numbers_table(rows, COMPARISONS)], COMPARISONS)
    return plate


def _numbers(comparison: Comparison) -> tuple[float | None, ...]:
    return (*ends(comparison.larger), *ends(comparison.smaller), comparison.deciding)


def _deviations(results: Sequence[CellResults]) -> dict[str, str]:
    """Return the cells analysed by the authors' definitions instead of ours, by option."""
    options = {"random_other": "position", "count_never_as": "all"}
    cells = {
        option: ", ".join(found.name for found in results if getattr(found.summary.setup, option) == value)
        for option, value in options.items()
    }
    return {option: names for option, names in cells.items() if names}
