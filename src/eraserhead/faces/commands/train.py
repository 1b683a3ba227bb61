"""``eraserhead train``."""

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.faces.tables import console, metrics_view
from eraserhead.runs.config import TrainConfig
from eraserhead.runs.training import train


def run(config: TrainConfig) -> None:
    """Train a classifier and print its metrics."""
    disable_progress_bars()
    folder = train(config)
    if PartialState().is_main_process:
        screen = console()
        screen.print(metrics_view(folder.metrics()))
        screen.print(f"model in {folder.path}", soft_wrap=True)
    PartialState().destroy_process_group()
