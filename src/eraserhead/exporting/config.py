"""Options of `export`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExportConfig:
    """A classifier to write as an ONNX graph.

    Attributes:
        model: Folder of a finished run, or folder or hub id of an attention-pooling classifier.
        output_dir: Folder to write into; default: ``onnx`` in the model's folder, or in ``runs`` for a model of the
            hub.
        revision: Branch, tag or commit of a model on the hub.
        weights: Let the graph return the attention weights too, beside the logits.
        overwrite: Replace what an earlier export wrote there.
    """

    model: str
    output_dir: str | None = None
    revision: str | None = None
    weights: bool = False
    overwrite: bool = False
