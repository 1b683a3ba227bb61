"""``eraserhead merge``."""

from eraserhead.cli import show
from eraserhead.erasure.config import MergeConfig
from eraserhead.erasure.merging import merge_folders


def run(config: MergeConfig) -> None:
    """Merge parts and print the tables."""
    show.print_results(merge_folders(config))
