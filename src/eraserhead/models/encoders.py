"""Pretrained encoders cut after some layers, or their word embeddings alone.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone.
"""

import inspect

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from .configuration_attention_pooling import AttentionPoolingConfig


def empty_encoder(config: AttentionPoolingConfig) -> nn.Module:
    """Return the encoder that a configuration describes, without its weights."""
    encoder_config = config.encoder_config
    if config.architecture.encoder_layers == 0:
        return nn.Embedding(encoder_config.vocab_size, config.vector_size)
    return _encoder_half(AutoModel.from_config(encoder_config, **_without_pooler(encoder_config)))


def loaded_encoder(
    encoder: str, encoder_config: PreTrainedConfig, revision: str | None, embeddings_alone: bool
) -> nn.Module:
    """Load a pretrained encoder in float32, without a pooler.

    Raises:
        ValueError: The checkpoint lacks weights.
    """
    loaded, report = AutoModel.from_pretrained(
        encoder,
        config=encoder_config,
        revision=revision,
        dtype=torch.float32,
        use_safetensors=True,
        output_loading_info=True,
        **_without_pooler(encoder_config),
    )
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)  # a pooler is not used
    if missing:
        raise ValueError(
            f"{len(missing)} weights of the encoder are missing from the checkpoint, such as '{missing[0]}'"
        )
    if not embeddings_alone:
        return _encoder_half(loaded)
    weight = loaded.get_input_embeddings().weight
    return nn.Embedding.from_pretrained(weight.detach().clone(), freeze=False)


def _encoder_half(model: PreTrainedModel) -> nn.Module:
    return model.get_encoder() if model.config.is_encoder_decoder else model


def _without_pooler(encoder_config: PreTrainedConfig) -> dict[str, bool]:
    """Leave out the pooler of families that have one: unused parameters break distributed training."""
    parameters = inspect.signature(MODEL_MAPPING[type(encoder_config)].__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}
