"""``eraserhead compare``."""

from eraserhead.comparison.api import compare_folders
from eraserhead.comparison.config import CompareConfig
from eraserhead.comparison.view import comparison_view
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: CompareConfig) -> None:
    """Compare results and print the tables."""
    screen = console()
    screen.print(comparison_view(compare_folders(config)))
    screen.print(visible(f"comparison in {config.output}"), soft_wrap=True)
