"""A model that Python code gives as an object or by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from transformers import Pipeline, PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.loading.checkpoints import Checkpoint, ConfigCheck, load_checkpoint, window
from eraserhead.loading.checks import check_family, check_weights, give_padding
from eraserhead.loading.config import LIMITS, ReadingConfig
from eraserhead.loading.reader import is_hierarchical
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification

Dtype = Literal["float32", "float64", "bfloat16", "float16"]
GivenModel = str | Path | PreTrainedModel | Pipeline
Config = TypeVar("Config", bound=ReadingConfig)
IN_MEMORY = "in memory"  # the name of a model that was given as an object


def given_checkpoint(
    model: GivenModel,
    tokenizer: PreTrainedTokenizerBase | None,
    revision: str | None,
    dtype: Dtype | None,
    trust_remote_code: bool,
    check: ConfigCheck,
) -> Checkpoint:
    """Return the checkpoint of a model that is given by name, as an object with its tokenizer, or as a pipeline.

    Its configuration has to pass `check`, where it is given by name before weights are loaded.

    Raises:
        UserError: The model cannot be used, or an argument does not go with the way in which it is given.
    """
    if isinstance(model, (str, Path)):
        if tokenizer is not None:
            raise UserError("tokenizer: only for a model in memory; a model given by name has its own, leave it out")
        return load_checkpoint(str(model), revision, dtype or "float32", trust_remote_code, check)
    if isinstance(model, Pipeline):
        if tokenizer is not None:
            raise UserError("tokenizer: the pipeline has its own; leave it out")
        model, tokenizer = model.model, model.tokenizer
    if hasattr(model, "merge_and_unload"):
        raise UserError(f"model is a {type(model).__name__}; give model.merge_and_unload(), or the adapter's folder")
    if not isinstance(model, PreTrainedModel):
        raise UserError(
            f"model is a {type(model).__name__}; give a folder, a hub id, a classifier of transformers, or a pipeline"
        )
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UserError("tokenizer: give the model's tokenizer too, or the model by its name or folder")
    if revision is not None:
        raise UserError(f"revision '{revision}': only for a model on the hub, and this one is in memory; leave it out")
    if dtype not in (None, dtype_of(model)):
        raise UserError(f"dtype '{dtype}': the model in memory is in {dtype_of(model)}; leave it out, or convert it")
    check(model.config, IN_MEMORY)
    return _in_memory(model, tokenizer)


def _in_memory(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Checkpoint:
    lent_padding = None
    if not isinstance(model, AttentionPoolingForSequenceClassification):
        check_family(model.config, "the model")
        lent_padding = give_padding(model, tokenizer)
    check_weights(model, "the model")
    return Checkpoint(model.eval(), tokenizer, IN_MEMORY, None, None, None, None, lent_padding=lent_padding)


def for_given(config: Config, checkpoint: Checkpoint, data: DataConfig | None, max_length: int | None) -> Config:
    """Return options with the name, the precision and the limits of the given model.

    Args:
        config: The options.
        checkpoint: The model.
        data: Its limits are used, if it is given.
        max_length: The limit that the caller gives.

    Raises:
        UserError: There is no option for the model's precision.
    """
    limits = _limits(checkpoint, data, max_length)
    return replace(config, model=checkpoint.name, data=limits, dtype=dtype_of(checkpoint.model))


def _limits(checkpoint: Checkpoint, data: DataConfig | None, max_length: int | None) -> DataConfig:
    """Return how much of each document is read: the first limit of argument, data, training and the model's window."""
    if data is not None:
        limits = {name: getattr(data, name) for name in LIMITS}
        return DataConfig(**limits if max_length is None else {**limits, "max_length": max_length})
    model = checkpoint.model
    known = isinstance(model, AttentionPoolingForSequenceClassification) and model.config.reads.tokens
    if max_length is None and not known and not is_hierarchical(model):
        max_length = window(model, checkpoint.tokenizer)
    return DataConfig(max_length=max_length)


def dtype_of(model: PreTrainedModel) -> Any:
    """Return the precision of a model, as the option names it.

    Raises:
        UserError: The option has no name for it.
    """
    name = str(model.dtype).removeprefix("torch.")
    if name not in get_args(Dtype):
        raise UserError(f"the model is in {name}; convert it to one of {', '.join(get_args(Dtype))}")
    return name
