"""What Python code gives to an analysis: a model and documents, each as an object or by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from transformers import PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents
from eraserhead.data.given import Content, Given, GivenColumns, check_given, given_content, given_documents
from eraserhead.errors import Setting, UserError
from eraserhead.loading.checkpoints import Checkpoint
from eraserhead.loading.given import Config, Dtype, GivenModel, for_given, given_checkpoint
from eraserhead.loading.opened import documents_for
from eraserhead.loading.targets import decides_by_label, label_setup


@dataclass(frozen=True)
class GivenInputs(Generic[Config]):
    """A checkpoint and its documents.

    Attributes:
        checkpoint: The model with its tokenizer.
        documents: The documents.
        config: The options, with the name, the precision and the limits of the model.
    """

    checkpoint: Checkpoint
    documents: Documents
    config: Config


def given_inputs(
    model: GivenModel,
    tokenizer: PreTrainedTokenizerBase | None,
    data: Given | DataConfig,
    columns: GivenColumns,
    split: str | None,
    config: Config,
    label_map: Sequence[str] | None,
    dtype: Dtype | None,
    max_length: int | None,
) -> GivenInputs[Config]:
    """Return the checkpoint and the documents that an analysis was given.

    Args:
        model: The model.
        tokenizer: Its tokenizer, where it is an object.
        data: The documents, or where they are.
        columns: The columns of documents in hand.
        split: Their split, where they are a `DatasetDict`.
        config: The options of the analysis.
        label_map: Classes of the data and of the model that mean the same.
        dtype: Precision to load a named model in.
        max_length: The limit that the caller gives.

    Raises:
        UserError: They cannot be used; what is wrong with documents in hand is said before the model is loaded.
    """
    content = _content(data, columns, split, label_map)
    checkpoint = given_checkpoint(
        *(model, tokenizer, config.revision, dtype, config.trust_remote_code),
        lambda found, name: label_setup(found, config, name),
    )
    if isinstance(data, DataConfig):
        documents, limits = documents_for(checkpoint, data, label_map), data
    else:
        assert content is not None
        names, by_label = checkpoint.class_names, decides_by_label(checkpoint.model.config)
        documents = given_documents(content, columns, len(names), names=names, label_map=label_map, by_label=by_label)
        limits = checkpoint.data
    return GivenInputs(checkpoint, documents, for_given(config, checkpoint, limits, max_length))


def _content(
    data: Given | DataConfig, columns: GivenColumns, split: str | None, label_map: Sequence[str] | None
) -> Content | None:
    """Return what is in hand; null of a `DataConfig`, whose documents are loaded when the model is.

    Raises:
        UserError: It cannot be used, or an argument belongs to the other kind of data.
    """
    if isinstance(data, DataConfig):
        for argument in (*columns.named, *(["split"] if split is not None else [])):
            raise UserError(f"{argument}: belongs to rows in memory; a DataConfig names its own columns and splits")
        return None
    content = given_content(data, columns, split)
    check_given(content, columns)
    if label_map and not content.names_classes:
        raise UserError(
            Setting("label_map"),
            ": belongs to a DataConfig, or to labels that are names; these are the model's class indices",
        )
    return content
