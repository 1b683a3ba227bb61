"""``eraserhead export``."""

from eraserhead.exporting.config import ExportConfig
from eraserhead.exporting.exporting import export_model
from eraserhead.exporting.folder import GRAPH
from eraserhead.showing.escapes import visible


def run(config: ExportConfig) -> None:
    """Export a model, and print how close the graph is and where it was written."""
    done = export_model(config)
    compared = "logits and weights" if len(done.outputs) > 1 else "logits"
    print(f"largest difference from the model: {done.difference:.1e} ({compared}, {done.batches} batches)")
    print(visible(f"{', '.join(done.inputs)} -> {', '.join(done.outputs)}: {done.folder / GRAPH}"))
