"""``eraserhead erase``."""

from accelerate import PartialState

from eraserhead.cli import show
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder


def run(config: EraseConfig) -> None:
    """Erase attention weights and print the tables."""
    results = erase_to_folder(config)
    if PartialState().is_main_process:
        show.print_results(results)
