"""``eraserhead show``."""

import shlex
from pathlib import Path

from eraserhead.cli.atlas import print_atlas
from eraserhead.erasure.answer import answer_view
from eraserhead.erasure.config import ShowConfig
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.view import summary_view
from eraserhead.mapping.folder import AtlasFolder
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: ShowConfig) -> None:
    """Print the answer of finished results, or of an atlas, or all their tables."""
    atlas = AtlasFolder(Path(config.results))
    if atlas.has(AtlasFolder.MARK):
        print_atlas(atlas, config.details)
    else:
        print_results(ResultsFolder(Path(config.results)), config.details)


def print_results(results: ResultsFolder, details: bool = False) -> None:
    """Print finished results, and where they are."""
    screen, view = console(), summary_view if details else answer_view
    screen.print(view(results.summary()))
    if not details:
        screen.print(visible(f"all tables: eraserhead show {shlex.quote(str(results.path))} --details"), soft_wrap=True)
    screen.print(visible(f"results in {results.path}"), soft_wrap=True)
