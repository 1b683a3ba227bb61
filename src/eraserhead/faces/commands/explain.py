"""``eraserhead explain``."""

from datasets import disable_progress_bars

from eraserhead.faces.explained import explanation_view
from eraserhead.faces.tables import console
from eraserhead.runs.config import ExplainConfig
from eraserhead.runs.explanation import explain


def run(config: ExplainConfig) -> None:
    """Print one explained decision."""
    disable_progress_bars()
    console().print(explanation_view(explain(config)))
