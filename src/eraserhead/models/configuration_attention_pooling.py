"""Configuration of attention-pooling classifiers.

This module is pushed as remote code: it imports transformers alone.
"""

import copy
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

FORMAT_VERSION = 1


class AttentionPoolingConfig(PreTrainedConfig):
    """What an attention-pooling classifier is made of.

    Args:
        encoder_config: Configuration of the encoder, a config object or its dictionary.
        encoder_layers: Layers that are kept of the encoder, or None for all; 0 keeps its word-embedding table alone.
        vector_size: Size of the token vectors; by default that of the encoder's output.
        attention_size: Size of the attention's hidden layer; by default the vector size, as in the paper.
        dropout: Share of token-vector entries that the head does not see in training.
        pool_special_tokens: Whether tokens such as [CLS] and [SEP] are pooled.
        special_token_ids: Ids of those tokens.
        format_version: Version of this configuration's format.
    """

    model_type = "attention_pooling"
    # transformers reads these two from the class.
    sub_configs = {"encoder_config": AutoConfig}  # noqa: RUF012  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]
    keys_to_ignore_at_inference = ["pooling_weights"]  # noqa: RUF012 - of another length in each batch

    def __init__(
        self,
        encoder_config: PreTrainedConfig | dict[str, Any] | None = None,
        encoder_layers: int | None = None,
        vector_size: int | None = None,
        attention_size: int | None = None,
        dropout: float = 0.1,
        pool_special_tokens: bool = False,
        special_token_ids: list[int] | None = None,
        format_version: int = FORMAT_VERSION,
        **kwargs: Any,
    ) -> None:
        if format_version > FORMAT_VERSION:
            raise ValueError(
                f"this model was saved in format {format_version}, newer than the {FORMAT_VERSION} that this version "
                "reads: upgrade eraserhead"
            )
        if isinstance(encoder_config, dict):
            encoder_config = AutoConfig.for_model(**encoder_config)
        self.encoder_config: Any = encoder_config
        self.encoder_layers = encoder_layers
        self.vector_size: Any = vector_size if vector_size is not None else output_size(encoder_config)
        self.attention_size: Any = attention_size if attention_size is not None else self.vector_size
        self.dropout = dropout
        self.pool_special_tokens = pool_special_tokens
        self.special_token_ids = sorted(special_token_ids or [])
        self.format_version = format_version
        super().__init__(**kwargs)


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
