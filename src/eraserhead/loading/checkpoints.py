"""Load encoders and classifiers from folders or the hub, with what a run's folder records about them."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from eraserhead.data.config import DataConfig
from eraserhead.data.encoding import NO_WINDOW
from eraserhead.data.labels import LabelTable
from eraserhead.data.seen import SeenTexts
from eraserhead.errors import UserError, listed
from eraserhead.loading.adapters import Adapter, find_adapter
from eraserhead.loading.boundary import load, quiet
from eraserhead.loading.checks import (
    check_complete,
    check_family,
    check_sizes,
    check_tokenizer,
    check_unexpected,
    check_weights,
    give_padding,
)
from eraserhead.loading.defaults import stored_data
from eraserhead.loading.model_config import brings_classifier, class_for, read_config
from eraserhead.loading.model_files import (
    ADAPTER,
    WeightFiles,
    check_finished,
    check_not_setfit,
    check_regular,
    check_undamaged,
    find_weights,
    is_adapter,
)
from eraserhead.loading.setup import BaseSetup
from eraserhead.loading.stored_weights import Fit, check_fit
from eraserhead.loading.tokenizer_files import naming_file
from eraserhead.loading.training_data import read_seen_texts, read_training_data
from eraserhead.models.configuration_attention_pooling import AttentionPoolingConfig
from eraserhead.models.special_tokens import padding_id
from eraserhead.remote.downloads import Located, locate_model

# Files of a tokenizer's vocabulary.
VOCABULARY = (
    "tokenizer.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "*.spm",
    "*.bpe",
    "*.codes",
    "*.tiktoken",
    "*vocab*.txt",
)
ConfigCheck = Callable[[PreTrainedConfig, str], object]  # refuses a configuration; the text is the model's name
REPOSITORY_CODE = "transformers_modules."  # package of the code that transformers takes from repositories


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
        seen: The texts that training saw; null if the folder does not say.
        unexpected: Names of weights that its file holds beside the model's, and that its decisions do not depend on.
        pickled: Whether its weights come from PyTorch's pickles, rather than from safetensors.
        lent_padding: The tokenizer's padding token, for a model that names none; null for one that names its own.
        base: The base model, where it is an adapter merged into that.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    revision: str | None
    data: DataConfig | None
    labels: LabelTable | None
    seen: SeenTexts | None
    unexpected: tuple[str, ...] = ()
    pickled: bool = False
    lent_padding: str | None = None
    base: BaseSetup | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names in index order."""
        return class_names(self.model.config)

    @property
    def padding(self) -> int:
        """The id of padding."""
        return padding_id(self.model.config, self.tokenizer)

    @property
    def runs_own_code(self) -> bool:
        """Whether the model is Python code of its repository."""
        return type(self.model).__module__.startswith(REPOSITORY_CODE)


def class_names(config: PreTrainedConfig) -> tuple[str, ...]:
    """Return a model's class names in index order."""
    names: dict[Any, str] = config.id2label or {}  # its annotation is wrong: the keys are integers
    return tuple(names[index] for index in range(len(names)))


def load_checkpoint(
    name: str,
    revision: str | None = None,
    dtype: str = "float32",
    trust_remote_code: bool = False,
    check: ConfigCheck | None = None,
) -> Checkpoint:
    """Load a classifier and its tokenizer.

    Args:
        name: Folder or hub id.
        revision: Branch, tag or commit on the hub.
        dtype: Precision to load it in.
        trust_remote_code: Whether code in the model's repository may run.
        check: What else the configuration has to pass before weights are loaded.

    Raises:
        UserError: The model cannot be found or loaded, has no attention that can be erased, makes no single decision,
            lacks weights, or has weights that are not finite.
    """
    if not is_adapter(Path(name)):
        check_finished(name)
    check_undamaged(Path(name))
    located = locate_model(name, revision)
    with quiet():
        return _loaded(name, located, dtype, trust_remote_code, check)


def _loaded(name: str, located: Located, dtype: str, trust_remote_code: bool, check: ConfigCheck | None) -> Checkpoint:
    check_regular(located.folder, name)
    adapter = load(name, lambda: find_adapter(located, name, trust_remote_code), ADAPTER)
    at, source = (name, located) if adapter is None else (adapter.base, adapter.located)
    folder = source.folder
    check_regular(folder, at)
    config = read_config(folder, at, classifier=True, trust_remote_code=trust_remote_code)
    ours = isinstance(config, AttentionPoolingConfig)
    if not ours:
        check_not_setfit(folder, at)
        check_family(config, at)
    weights = find_weights(folder, at, source.others)
    own_code = trust_remote_code and brings_classifier(config)
    kind = None if own_code else class_for(config, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING)
    if kind is None and not trust_remote_code:
        raise UserError(f"{name}: transformers has no class of sequence classifiers of the type '{config.model_type}'")
    fit = Fit() if kind is None else check_fit(config, kind, weights, at)
    if adapter is not None:
        config = load(name, partial(adapter.configured, config), ADAPTER)
    if check is not None:
        check(config, name)
    options = {"dtype": getattr(torch, dtype), "trust_remote_code": trust_remote_code, "key_mapping": fit.key_mapping}
    loader = kind or AutoModelForSequenceClassification
    model, report = load(at, lambda: _model_and_report(loader, folder, config, weights, options), weights.name)
    if adapter is None:
        unexpected = _check_report(model, report, name)
    else:
        model, unexpected = _merged(model, report, adapter)
    check_weights(model, name)
    tokenizer = load_tokenizer(folder if adapter is None else adapter.tokenizer_folder, name, trust_remote_code, config)
    lent_padding = None if ours else give_padding(model, tokenizer)
    trained_on = read_training_data(Path(name))
    return Checkpoint(
        model=model.eval(),
        tokenizer=tokenizer,
        name=name,
        revision=located.commit,
        data=stored_data(name),
        labels=None if trained_on is None else trained_on.labels,
        seen=read_seen_texts(Path(name)),
        unexpected=unexpected,
        pickled=weights.pickled,
        lent_padding=lent_padding,
        base=None if adapter is None else adapter.setup,
    )


def _check_report(model: PreTrainedModel, report: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Refuse weights that do not fit the model; return the names of those that its decisions do not depend on."""
    check_sizes(report["mismatched_keys"], name)
    check_complete(model, report["missing_keys"], report["unexpected_keys"], name)
    return check_unexpected(report["unexpected_keys"], name)


def _merged(
    model: PreTrainedModel, report: Mapping[str, Any], adapter: Adapter
) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """Merge an adapter, whose weights take the place of those that its base model lacks or has in another size."""
    replaced = [key for key, *_ in report["mismatched_keys"]]
    merged = load(adapter.name, lambda: adapter.merge_into(model, [*report["missing_keys"], *replaced]), ADAPTER)
    if not report["missing_keys"]:
        return merged, check_unexpected(report["unexpected_keys"], adapter.base)
    return merged, tuple(sorted(report["unexpected_keys"]))  # heads for what the encoder was trained on before


def load_tokenizer(
    folder: str, name: str | None = None, trust_remote_code: bool = False, config: PreTrainedConfig | None = None
) -> PreTrainedTokenizerBase:
    """Load the tokenizer of an encoder or classifier.

    Args:
        folder: Its folder.
        name: Its name in messages; default: the folder.
        trust_remote_code: Whether code in the folder may run.
        config: The model's configuration, where it was read already.

    Raises:
        UserError: There is none.
    """
    name = name or folder
    check_regular(folder, name)
    options: dict[str, Any] = {"trust_remote_code": trust_remote_code, **({} if config is None else {"config": config})}
    files = [each for each in os.listdir(folder) if any(fnmatch(each, pattern) for pattern in VOCABULARY)]
    try:
        with naming_file(folder):
            tokenizer = load(name, lambda: AutoTokenizer.from_pretrained(folder, **options), _tokenizer_of(files))
    except UserError as error:
        if files:
            raise
        raise UserError(f"{name}: has no tokenizer (no vocabulary); save the model's tokenizer beside it") from error
    load(name, lambda: check_tokenizer(tokenizer, name), _tokenizer_of(files))
    return tokenizer


def _tokenizer_of(files: Sequence[str]) -> str:
    return f"the tokenizer ({listed(sorted(files))})" if files else "the tokenizer"


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


def _model_and_report(
    loader: Any, folder: str, config: PreTrainedConfig, weights: WeightFiles, options: Mapping[str, Any]
) -> tuple[PreTrainedModel, dict[str, Any]]:
    return loader.from_pretrained(
        folder,
        config=config,
        use_safetensors=not weights.pickled,
        ignore_mismatched_sizes=True,  # the report names them
        output_loading_info=True,
        **options,
    )
