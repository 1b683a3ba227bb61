"""Configuration of attention-pooling classifiers.

This module is pushed as remote code: it imports transformers and its neighbours alone.
"""

import copy
import inspect
from collections.abc import Sequence
from dataclasses import asdict, fields
from difflib import get_close_matches
from typing import Any, get_args

from transformers import AutoConfig, PreTrainedConfig

from .architecture import CONTEXTS, WINDOWS, Architecture, Limits, LongDocuments
from .long_documents import Windows, windows_of
from .special_tokens import ROLES

FORMAT_VERSION = 2
# Keys of config.json beside the fields of a config, which transformers reads or writes.
IN_FILES = {
    *("auto_map", "custom_pipelines", "transformers_version", "quantization_config", "attn_implementation"),
    *("tokenizer_class", "task_specific_params"),
}
# Arguments of every config that are not fields of it.
COMMON = {"num_labels", "torch_dtype", "model_type", *(f"{role}_token_id" for role in ROLES)}
# The installed package registers our pipeline itself; without it, config.json names the pipeline's class.
INSTALLED = __name__.startswith("eraserhead.")


class AttentionPoolingConfig(PreTrainedConfig):
    """Configuration of an attention-pooling classifier; it also takes and has each field of `Architecture`.

    Args:
        encoder_config: Configuration of the encoder, a config object or its dictionary.
        vector_size: Size of the token vectors; by default that of the encoder's output.
        special_token_ids: Ids of tokens such as [CLS] and [SEP].
        framing: How many special tokens the tokenizer puts before and after a text, which windows need; null where
            that cannot be told.
        limits: Fields of `Limits`: how much of a document the model was trained to read.
        format_version: Format that the model was saved in; only the current one is read.

    Raises:
        ValueError: A value is not allowed, or a keyword is an argument neither of this config nor of every config.
    """

    model_type = "attention_pooling"
    # transformers reads these two from the class.
    sub_configs = {"encoder_config": AutoConfig}  # noqa: RUF012  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    keys_to_ignore_at_inference = ["pooling_weights", "word_weights"]  # noqa: RUF012 - of other lengths in each batch

    def __init__(
        self,
        encoder_config: PreTrainedConfig | dict[str, Any] | None = None,
        vector_size: int | None = None,
        special_token_ids: list[int] | None = None,
        framing: Sequence[int] | None = None,
        limits: dict[str, Any] | None = None,
        format_version: int = FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        if format_version != FORMAT_VERSION:
            newer = isinstance(format_version, int) and format_version > FORMAT_VERSION
            mend = "upgrade eraserhead" if newer else "train the model again"
            raise ValueError(
                f"this model was saved in format {format_version}, and this version of eraserhead reads format "
                f"{FORMAT_VERSION} alone: {mend}"
            )
        if INSTALLED:
            kwargs.pop("custom_pipelines", None)  # transformers would ask for trust_remote_code
        if isinstance(encoder_config, dict):
            encoder_config = AutoConfig.for_model(**encoder_config)
        self.encoder_config: Any = encoder_config
        self.vector_size: Any = vector_size if vector_size is not None else output_size(encoder_config)
        self.special_token_ids = sorted(int(token) for token in special_token_ids or [])
        self.framing = None if framing is None else list(framing)
        self.limits = asdict(Limits(**_known(limits or {})))
        self.format_version = FORMAT_VERSION
        names = {option.name for option in fields(Architecture)}
        architecture = _checked(Architecture(**{name: kwargs.pop(name) for name in sorted(names & set(kwargs))}))
        for name, value in asdict(architecture).items():
            setattr(self, name, value)
        _check_windows(self)
        _refuse_unknown(kwargs, [*inspect.signature(AttentionPoolingConfig).parameters, *names])
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        """Number of the encoder's word embeddings; `resize_token_embeddings` sets it."""
        return self.encoder_config.get_text_config().vocab_size

    @vocab_size.setter
    def vocab_size(self, size: int) -> None:
        self.encoder_config.get_text_config().vocab_size = size

    @property
    def architecture(self) -> Architecture:
        """The layers between encoder and logits."""
        return Architecture.of(self)

    @property
    def reads(self) -> Limits:
        """How much of a document the model reads."""
        return Limits(**self.limits)

    @property
    def windows(self) -> Windows | None:
        """The windows in which the encoder reads long documents; null for a model that cuts them."""
        return windows_of(self.reads, self.framing)


def _refuse_unknown(given: dict[str, Any], own: list[str]) -> None:
    """Refuse keywords that transformers would keep as attributes without a meaning."""
    common = {*vars(PreTrainedConfig()), *(option.name for option in fields(PreTrainedConfig)), *COMMON, *IN_FILES}
    properties = {name for name, value in inspect.getmembers_static(PreTrainedConfig) if isinstance(value, property)}
    unknown = [name for name in given if name not in common | properties and not name.startswith("_")]
    if unknown:
        near = get_close_matches(unknown[0], own, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"AttentionPoolingConfig: no setting '{unknown[0]}'{hint}")


def _known(given: dict[str, Any]) -> dict[str, Any]:
    known = {option.name: option.default for option in fields(Limits)}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"limits: unknown key '{unknown[0]}'; there are {', '.join(known)}")
    for name, value in given.items():
        least = 0 if name == "window_overlap" else 1
        if name == "language":
            right, wanted = isinstance(value, str), "a language code"
        elif name == "long_documents":
            right, wanted = value in get_args(LongDocuments), f"one of {', '.join(get_args(LongDocuments))}"
        else:
            right, wanted = isinstance(value, int) and value >= least, f"a whole number from {least}"
        if not right and not (value is None and known[name] is None):
            raise ValueError(f"limits: {name} is {value!r}, and must be {wanted}")
    return given


def _check_windows(config: AttentionPoolingConfig) -> None:
    reads, architecture = config.reads, config.architecture
    if reads.long_documents != WINDOWS:
        return
    if architecture.hierarchical or architecture.encoder_layers == 0:
        raise ValueError("limits: windows are for models whose encoder reads a document as a whole")
    framing = config.framing
    if reads.tokens is None or framing is None or len(framing) != 2:
        raise ValueError("limits: windows need `tokens`, and the config's `framing`")
    if config.windows is not None and config.windows.stride < 1:
        raise ValueError(
            f"limits: windows of {reads.tokens} tokens, of which {sum(framing)} are special, cannot share "
            f"{reads.window_overlap}"
        )


def _checked(architecture: Architecture) -> Architecture:
    for name in ("context", "sentence_context"):
        kind = getattr(architecture, name)
        if kind not in CONTEXTS and (kind is not None or name == "context"):
            raise ValueError(f"{name}: no context encoder '{kind}'; there are {', '.join(CONTEXTS)}")
    if not architecture.filter_widths:
        raise ValueError("filter_widths is empty: give one width or more")
    return architecture


def output_size(encoder_config: PreTrainedConfig | None) -> int | None:
    """Return the size of an encoder's token vectors, where its configuration tells."""
    return None if encoder_config is None else encoder_config.get_text_config().hidden_size


def cut_layers(encoder_config: PreTrainedConfig, layers: int | None) -> PreTrainedConfig:
    """Return a copy of an encoder's configuration that keeps its first `layers` layers.

    Raises:
        ValueError: The encoder has fewer layers than that.
    """
    encoder_config = copy.deepcopy(encoder_config)
    available = encoder_config.num_hidden_layers
    if layers is None:
        return encoder_config
    if not 0 <= layers <= available:
        raise ValueError(f"encoder_layers must lie between 0 and {available}, the layers of this encoder, not {layers}")
    if layers:  # with 0 the whole configuration stays: only its vocabulary is used
        if isinstance(getattr(encoder_config, "layer_types", None), (list, tuple)):
            encoder_config.layer_types = list(encoder_config.layer_types)[:layers]
        encoder_config.num_hidden_layers = layers
    return encoder_config
