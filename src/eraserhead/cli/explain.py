"""``eraserhead explain``."""

from accelerate import PartialState

from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from eraserhead.explanation.page_file import page_file, write_page
from eraserhead.explanation.view import explanation_view
from eraserhead.showing.escapes import visible
from eraserhead.showing.shading import Shading
from eraserhead.showing.terminal import console


def run(config: ExplainConfig) -> None:
    """Print one explained decision, and write its page where one is asked for."""
    page = None if config.html is None else page_file("html", config.html)
    explanation = explain(config)
    if PartialState().is_main_process:
        screen = console()
        screen.print(explanation_view(explanation, Shading.on(screen)))
        if page is not None:
            write_page(page, [explanation.page()])
            screen.print(visible(f"page in {page}"), soft_wrap=True)
