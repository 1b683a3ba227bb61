"""``eraserhead explain``."""

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.explanation.view import explanation_view
from eraserhead.showing.shading import Shading
from eraserhead.showing.terminal import console


def run(config: ExplainConfig) -> None:
    """Print one explained decision."""
    disable_progress_bars()
    explanation = explain(config)
    if PartialState().is_main_process:
        screen = console()
        screen.print(explanation_view(explanation, Shading.on(screen)))
