"""Export a classifier: the graph, and beside it what a program needs to feed it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.exporting.batches import BATCHES, EXAMPLE, random_batch
from eraserhead.exporting.config import ExportConfig
from eraserhead.exporting.folder import GRAPH, ExportFolder
from eraserhead.exporting.graph import graph_of
from eraserhead.exporting.onnx_graph import check_installed, largest_difference, write_graph
from eraserhead.files import check_folder
from eraserhead.loading.boundary import quiet
from eraserhead.loading.checkpoints import Checkpoint, load_checkpoint, window
from eraserhead.loading.default_folders import onnx_folder
from eraserhead.loading.reader import DocumentReader, own_limits, reader_for
from eraserhead.loading.waiting import waiting
from eraserhead.locks import locked
from eraserhead.models.architecture import CUT, HEAD_TAIL
from eraserhead.models.long_documents import head_of
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.settings import check_settings

logger = logging.getLogger("eraserhead")

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
        _save_tokenizer(model, tokenizer, reader, unfinished)
    if reader.limits.long_documents == HEAD_TAIL:
        _tell_parts(name, reader)
    return Exported(folder, graph.inputs, graph.outputs, difference, 1 + len(batches))


def _save_tokenizer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    reader: DocumentReader,
    folder: Path,
) -> None:
    """Save a tokenizer that cuts texts, or sentences, where the model does."""
    if reader.hierarchical:
        longest = reader.limits.sentence_tokens
    elif own_limits(model).tokens is None:  # what the reader has instead is for this package alone
        longest = window(model, tokenizer)
    else:
        longest = reader.limits.tokens
    tokenizer.model_max_length = longest
    # The file says what the last call asked for, and `tokenizers` does so without transformers.
    tokenizer("", truncation=reader.limits.long_documents == CUT)
    tokenizer.save_pretrained(folder)


def _tell_parts(name: str, reader: DocumentReader) -> None:
    assert reader.limits.tokens is not None
    assert reader.framing is not None
    head = head_of(reader.limits.tokens, reader.framing)
    logger.warning(
        "%s: of a text of more than %d tokens, give the graph the first %d and the last %d, as the model reads them; "
        "the tokenizer cuts the end alone",
        name,
        reader.limits.tokens,
        head,
        reader.limits.tokens - head,
    )
