"""``eraserhead show``."""

import shlex
import sys
from pathlib import Path

from eraserhead.erasure.answer import answer_view
from eraserhead.erasure.config import ShowConfig
from eraserhead.erasure.finding import found_results
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.table import FORMATS
from eraserhead.erasure.view import summary_view
from eraserhead.errors import Setting, UserError
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: ShowConfig) -> None:
    """Print the answer of finished results, all their tables, or the main one for other programs.

    Raises:
        UserError: There are no results, several, or tables of two kinds are asked for.
    """
    if config.format is not None and config.details:
        given = Setting("format", config.format)
        raise UserError(given, ": is the main table alone; leave out ", Setting("details", True), " or it")
    results = found_results(Path(config.results))
    if config.format is None:
        print_results(results, config.details)
    else:
        sys.stdout.write(FORMATS[config.format](results.summary()))


def print_results(results: ResultsFolder, details: bool = False) -> None:
    """Print finished results, and where they are."""
    screen, view = console(), summary_view if details else answer_view
    screen.print(view(results.summary()))
    if not details:
        screen.print(visible(f"all tables: eraserhead show {shlex.quote(str(results.path))} --details"), soft_wrap=True)
    screen.print(visible(f"results in {results.path}"), soft_wrap=True)
