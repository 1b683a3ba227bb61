"""Load encoders and classifiers from folders or the hub, with what a run's folder records about them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from eraserhead.data.config import DataConfig
from eraserhead.data.labels import LabelTable
from eraserhead.data.tokens import NO_WINDOW
from eraserhead.errors import Setting, UserError
from eraserhead.loading.checks import check_complete, check_family, check_used, check_weights, give_padding
from eraserhead.loading.defaults import stored_data
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.training_data import read_training_data
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.special_tokens import padding_id
from eraserhead.remote.downloads import locate_model

# Exceptions of transformers for files that are missing, damaged or of another kind.
LOADING_ERRORS = (
    OSError, SafetensorError, ValueError, KeyError, RuntimeError, AttributeError, AssertionError, TypeError,
)  # fmt: skip

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Checkpoint:
    """A classifier that can be erased.

    Attributes:
        model: A model with an attention-pooling layer, or of a supported family; in eval mode.
        tokenizer: Its tokenizer.
        name: Folder or hub id.
        revision: Commit that the hub resolved; null for a folder.
        data: The data that it was trained on; null if the folder does not say.
        labels: The label table of that data.
        train_split: The split that it was trained on, as written in the ids of its documents.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str | None
    data: DataConfig | None
    labels: LabelTable | None
    train_split: str | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in index order."""
        return class_names(self.model.config)

    @property
    def padding(self) -> int:
        """The id of padding."""
        return padding_id(self.model.config, self.tokenizer)


def class_names(config: PreTrainedConfig) -> tuple[str, ...]:
    """Return a model's class names in index order."""
    names: dict[Any, str] = config.id2label or {}  # its annotation is wrong: the keys are integers
    return tuple(names[index] for index in range(len(names)))


def load_checkpoint(
    name: str, revision: str | None = None, dtype: str = "float32", trust_remote_code: bool = False
) -> Checkpoint:
    """Load a classifier and its tokenizer.

    Args:
        name: Folder or hub id.
        revision: Branch, tag or commit on the hub.
        dtype: Precision to load it in.
        trust_remote_code: Whether code in the model's repository may run.

    Raises:
        UserError: The model cannot be found or loaded, has no attention that can be erased, makes no single decision,
            lacks weights, or has weights that are not finite.
    """
    check_finished(name)
    located = locate_model(name, revision)
    folder, options = located.folder, {"trust_remote_code": trust_remote_code}
    config = load(name, lambda: _config(folder, name, options))
    if not isinstance(config, AttentionPoolingConfig):
        check_family(config, name)
    model, loading = load(name, lambda: _model_and_report(folder, config, getattr(torch, dtype), options))
    check_complete(model, loading["missing_keys"], name)
    if isinstance(config, AttentionPoolingConfig):
        check_used(loading["unexpected_keys"], name)
    check_weights(model, name)
    tokenizer = load_tokenizer(folder, name, trust_remote_code)
    if not isinstance(config, AttentionPoolingConfig):
        give_padding(model, tokenizer, name)
    trained_on = read_training_data(Path(name))
    return Checkpoint(
        model=model.eval(),
        tokenizer=tokenizer,
        name=name,
        revision=located.commit,
        data=stored_data(name),
        labels=None if trained_on is None else trained_on.labels,
        train_split=None if trained_on is None else trained_on.train_split,
    )


def check_finished(name: str) -> None:
    """Refuse a folder without a model in it.

    Raises:
        UserError: There is no model; the message says whether its training is unfinished.
    """
    if os.path.isdir(name) and not (Path(name) / RUN.config).is_file():
        unfinished = (Path(name) / RUN.run).is_file()
        resume = UserError("its training is unfinished: run the same `train` with ", Setting("resume", True))
        mend = resume if unfinished else "give the folder of a finished run, or a hub id"
        raise UserError(f"{name}: not a model (no {RUN.config} in it); ", mend)


def _config(folder: str, name: str, options: Mapping[str, Any]) -> PreTrainedConfig:
    """Load a model's config; code in its repository is refused here, before transformers asks about it."""
    content, _ = PreTrainedConfig.get_config_dict(folder)
    unknown = content.get("model_type") not in CONFIG_MAPPING
    if unknown and "AutoConfig" in content.get("auto_map", {}) and not options["trust_remote_code"]:
        raise UserError(
            f"{name}: needs Python code from its repository ({content['auto_map']['AutoConfig']}), which would run on "
            "this machine with all your rights; read it, and then allow it with ",
            Setting("trust_remote_code", True),
        )
    return AutoConfig.from_pretrained(folder, **options)


def load_tokenizer(folder: str, name: str | None = None, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load the tokenizer of an encoder or classifier.

    Args:
        folder: Its folder.
        name: Its name in messages; default: the folder.
        trust_remote_code: Whether code in the folder may run.

    Raises:
        UserError: There is none.
    """
    name = name or folder
    tokenizer = load(name, lambda: AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code))
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise UserError(f"{name}: has no tokenizer (the vocabulary is empty); save the model's tokenizer beside it")
    return tokenizer


def window(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the longest input, in tokens, that both tokenizer and model accept."""
    config = model.config
    if isinstance(config, AttentionPoolingConfig) and config.architecture.encoder_layers == 0:
        return NO_WINDOW  # a table of word embeddings has no window
    inner = config.encoder_config if isinstance(config, AttentionPoolingConfig) else config.get_text_config()
    positions = getattr(inner, "max_position_embeddings", None)
    if not positions or positions < 0:
        return tokenizer.model_max_length
    # Some families number positions from their padding index + 1: 514 embeddings are then enough for 512 tokens.
    paddings = [
        module.padding_idx
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None
    ]
    return min(tokenizer.model_max_length, positions - max((padding + 1 for padding in paddings), default=0))


@contextmanager
def quiet() -> Iterator[None]:
    """Hide transformers' loading reports and progress bars; their important parts are checked here."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def load(name: str, make: Callable[[], Loaded]) -> Loaded:
    """Call `make`, which loads from files that may be missing, damaged or of another kind.

    Raises:
        UserError: It failed; the message is one line.
    """
    try:
        with quiet():
            return make()
    except (UserError, torch.OutOfMemoryError):
        raise
    except LOADING_ERRORS as error:
        reason = " ".join(str(error).split())[:300]
        if isinstance(error, OSError) and "safetensors" in reason:
            raise UserError(
                f"{name}: no weights in the safetensors format; pickled ones (pytorch_model.bin) are refused, because "
                "loading them can run code: if you trust them, load them and convert them with `save_pretrained`"
            ) from error
        where = "this folder" if os.path.isdir(name) else "the hub's files of this name"
        raise UserError(f"{name}: cannot be loaded from {where}: {reason}") from error


def _model_and_report(
    folder: str, config: PreTrainedConfig, dtype: torch.dtype, options: Mapping[str, Any]
) -> tuple[PreTrainedModel, dict[str, Any]]:
    loaded: Any = AutoModelForSequenceClassification.from_pretrained(
        folder, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
    )
    return loaded
