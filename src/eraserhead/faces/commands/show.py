"""``eraserhead show``."""

from pathlib import Path

from eraserhead.faces.escapes import visible
from eraserhead.faces.tables import console, summary_view
from eraserhead.runs.config import ShowConfig
from eraserhead.runs.results import ResultsFolder


def run(config: ShowConfig) -> None:
    """Print the tables of finished results."""
    print_results(ResultsFolder(Path(config.results)))


def print_results(results: ResultsFolder) -> None:
    """Print the tables of finished results, and where they are."""
    screen = console()
    screen.print(summary_view(results.summary()))
    screen.print(visible(f"results in {results.path}"), soft_wrap=True)
