"""``eraserhead explain``."""

from pathlib import Path

from accelerate import PartialState
from datasets import disable_progress_bars

from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.explanation.view import explanation_view
from eraserhead.files import replacing
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: ExplainConfig) -> None:
    """Print one explained decision."""
    disable_progress_bars()
    explanation = explain(config)
    if PartialState().is_main_process:
        screen = console()
        screen.print(explanation_view(explanation))
        if config.html is not None:
            with replacing(Path(config.html)) as unfinished:
                unfinished.write_text(explanation.page(), encoding="utf-8", newline="\n")
            screen.print(visible(f"page in {config.html}"), soft_wrap=True)
