"""``eraserhead erase``."""

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.faces.commands import show
from eraserhead.runs.config import EraseConfig
from eraserhead.runs.erasing import erase_to_folder


def run(config: EraseConfig) -> None:
    """Erase attention weights and print the tables."""
    disable_progress_bars()
    results = erase_to_folder(config)
    if PartialState().is_main_process:
        show.print_results(results)
