"""``eraserhead merge``."""

from eraserhead.cli import show
from eraserhead.erasure.config import MergeConfig
from eraserhead.erasure.merging import merge_folders
from eraserhead.loading.waiting import waiting


def run(config: MergeConfig) -> None:
    """Merge parts and print the tables."""
    with waiting("merging the parts"):
        merged = merge_folders(config)
    show.print_results(merged)
