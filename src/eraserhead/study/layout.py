"""File names in a study's folder."""

import re
from dataclasses import dataclass

UNSAFE = re.compile(r"[^\w.-]+")  # characters to replace in a file name


@dataclass(frozen=True)
class StudyLayout:
    """Names in the folder of a study.

    Attributes:
        paper: The page with tables, figures and findings.
        figures: Folder of the figures, and of the numbers behind them.
        findings: The comparisons of all findings, among the figures.
        context: The figure along the context axis.
        cells: Folder of the cells, each the folder of a training run.
        failures: Folder of the tracebacks of cells that failed.
    """

    paper: str = "paper.md"
    figures: str = "figures"
    findings: str = "findings"
    context: str = "context"
    cells: str = "cells"
    failures: str = "failures"

    def cell(self, dataset: str, model: str, seed: int | None = None) -> str:
        """Return the name of a cell's folder."""
        return f"{self.cells}/{cell_name(dataset, model, seed)}"

    def failure(self, cell: str) -> str:
        """Return the name of the file with the traceback of a cell that failed."""
        return f"{self.failures}/{cell}.txt"

    def figure(self, kind: str, dataset: str) -> str:
        """Return the name of one data set's figure of a kind, without an ending."""
        return f"{kind}-{UNSAFE.sub('-', dataset)}"


def cell_name(dataset: str, model: str, seed: int | None = None) -> str:
    """Return the name of the cell of a model on a data set, trained with a further seed or with the study's own."""
    return f"{dataset}-{model}" if seed is None else f"{dataset}-{model}-seed-{seed}"


STUDY = StudyLayout()
