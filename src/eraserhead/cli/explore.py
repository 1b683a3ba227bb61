"""``eraserhead explore``."""

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.explanation.config import ExploreConfig
from eraserhead.explanation.exploring import explore_folders
from eraserhead.showing.escapes import visible


def run(config: ExploreConfig) -> None:
    """Write the page, and print where it is."""
    disable_progress_bars()
    output = explore_folders(config)
    if PartialState().is_main_process:
        print(visible(f"page in {output}"))
