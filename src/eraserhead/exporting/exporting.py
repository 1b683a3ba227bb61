"""Export a classifier: the graph, and beside it what a program needs to feed it."""

from dataclasses import dataclass
from pathlib import Path

from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.exporting.batches import BATCHES, EXAMPLE, random_batch
from eraserhead.exporting.config import ExportConfig
from eraserhead.exporting.folder import GRAPH, ExportFolder
from eraserhead.exporting.graph import graph_of
from eraserhead.exporting.onnx_graph import check_installed, largest_difference, write_graph
from eraserhead.files import check_folder
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint
from eraserhead.loading.default_folders import onnx_folder
from eraserhead.loading.reader import reader_for
from eraserhead.loading.waiting import waiting
from eraserhead.locks import locked
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.settings import check_settings

TOLERANCE = 1e-4  # of logits and weights


@dataclass(frozen=True)
class Exported:
    """An exported classifier.

    Attributes:
        folder: Where ``model.onnx`` is, with the model's configuration and its tokenizer.
        inputs: Names of the graph's inputs.
        outputs: Names of its outputs.
        difference: Largest difference of an output from the model's, over batches of several shapes.
        batches: Number of those batches.
    """

    folder: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float
    batches: int


def export_model(config: ExportConfig) -> Exported:
    """Write a classifier as an ONNX graph, and keep the file only if it computes what the model does.

    Raises:
        UserError: The libraries are missing, the folder may not be used, the model cannot be exported, or the graph
            computes something else.
    """
    check_settings(config)
    check_installed()
    folder = ExportFolder(Path(config.output_dir or onnx_folder(config.model, config.revision)))
    check_folder(folder.path)
    with waiting("exporting"), locked(folder.path):
        folder.check(config.overwrite)
        checkpoint = load_checkpoint(config.model, config.revision)
        with folder.replacing() as unfinished:
            return _export(checkpoint, unfinished, folder.path, config.weights)


def _export(checkpoint: Checkpoint, unfinished: Path, folder: Path, weights: bool) -> Exported:
    model, tokenizer, name = checkpoint.model, checkpoint.tokenizer, checkpoint.name
    if not isinstance(model, AttentionPoolingForSequenceClassification):
        raise UserError(
            f"{name}: has no attention-pooling head, and those alone are exported here; `optimum-cli export onnx` "
            "exports other classifiers"
        )
    if model.config.windows is not None:
        raise UserError(
            f"{name}: reads long documents in windows, which an ONNX graph does not follow; train one that cuts them, "
            "and export that"
        )
    graph = graph_of(model, tokenizer, weights)
    reader = reader_for(model, tokenizer, DataConfig(), cut_to_window=True)
    example, *batches = (
        random_batch(graph, tokenizer, reader, checkpoint.padding, lengths, seed)
        for seed, lengths in enumerate((EXAMPLE, *BATCHES))
    )
    write_graph(graph, example, unfinished / GRAPH, name)
    difference = largest_difference(model, graph.outputs, unfinished / GRAPH, [example, *batches])
    if difference > TOLERANCE:
        raise UserError(
            f"{name}: the exported graph differs from the model by {difference:.1e}, and {TOLERANCE:.0e} is allowed; "
            "nothing was written"
        )
    with quiet():
        model.config.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
    return Exported(folder, graph.inputs, graph.outputs, difference, 1 + len(batches))
