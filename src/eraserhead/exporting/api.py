"""Exporting from Python."""

from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.exporting.config import ExportConfig
from eraserhead.exporting.exporting import Exported, export_model


def export(
    model: str | Path,
    output_dir: str | Path | None = None,
    *,
    revision: str | None = None,
    weights: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write a classifier as an ONNX graph, which runs without torch, if the graph computes what the model does.

    Args:
        model: Folder of a finished run, or folder or hub id of an attention-pooling classifier.
        output_dir: Folder to write into; default: ``onnx`` in the model's folder, or in ``runs`` for a model of the
            hub.
        revision: Branch, tag or commit of a model on the hub.
        weights: Let the graph return the attention weights too, beside the logits.
        overwrite: Replace what an earlier export wrote there.

    Returns:
        The folder, the names of inputs and outputs, and the largest difference from the model's outputs.

    Raises:
        UserError: The libraries of the extra ``onnx`` are missing, the folder may not be used, the model cannot be
            exported, or the graph computes something else.
    """
    if not isinstance(model, (str, Path)):
        raise UserError(f"model is a {type(model).__name__}; give the folder that it is saved in")
    output = None if output_dir is None else str(output_dir)
    return export_model(ExportConfig(str(model), output, revision, weights, overwrite))
