"""``eraserhead show``."""

from pathlib import Path

from eraserhead.erasure.config import ShowConfig
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.view import summary_view
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: ShowConfig) -> None:
    """Print the tables of finished results."""
    print_results(ResultsFolder(Path(config.results)))


def print_results(results: ResultsFolder) -> None:
    """Print the tables of finished results, and where they are."""
    screen = console()
    screen.print(summary_view(results.summary()))
    screen.print(visible(f"results in {results.path}"), soft_wrap=True)
