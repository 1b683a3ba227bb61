"""``eraserhead compare``."""

from eraserhead.comparison.api import compare_folders
from eraserhead.comparison.config import CompareConfig
from eraserhead.comparison.view import comparison_view
from eraserhead.loading.waiting import waiting
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: CompareConfig) -> None:
    """Compare results and print the tables."""
    screen = console()
    with waiting("comparing"):
        found = compare_folders(config)
    screen.print(comparison_view(found))
    screen.print(visible(f"comparison in {config.output}"), soft_wrap=True)
