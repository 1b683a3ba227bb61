"""Pretrained encoders cut after some layers, or their word embeddings alone.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone.
"""

import inspect
import os
import re
from collections.abc import Collection, Mapping

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from .configuration_attention_pooling import AttentionPoolingConfig

# Buffers that older releases stored.
LEFTOVER = r"(^|\.)(position_ids|inv_freq|(attn|attention)\.(masked_)?bias)$"


def empty_encoder(config: AttentionPoolingConfig) -> nn.Module:
    """Return the encoder that a configuration describes, without its weights."""
    encoder_config = config.encoder_config
    if config.architecture.encoder_layers == 0:
        return nn.Embedding(encoder_config.vocab_size, config.vector_size)
    return _encoder_half(AutoModel.from_config(encoder_config, **_without_pooler(encoder_config)))


def loaded_encoder(
    encoder: str,
    encoder_config: PreTrainedConfig,
    revision: str | None,
    embeddings_alone: bool,
    stored_layers: int | None = None,
    key_mapping: Mapping[str, str] | None = None,
) -> nn.Module:
    """Load a pretrained encoder in float32, without a pooler.

    A folder without safetensors is read by ``torch.load(weights_only=True)``, which runs no code of it.

    Args:
        encoder: Hub id or folder.
        encoder_config: Its configuration, with the layers that are wanted.
        revision: Branch, tag or commit.
        embeddings_alone: Whether its word embeddings are wanted alone.
        stored_layers: How many layers it has before the cut; default: none is cut off.
        key_mapping: How names of stored weights change, as `from_pretrained` takes it.

    Raises:
        ValueError: The checkpoint lacks weights, or holds weights inside the encoder that it does not have.
    """
    loaded, report = AutoModel.from_pretrained(
        encoder,
        config=encoder_config,
        revision=revision,
        dtype=torch.float32,
        use_safetensors=None if os.path.isdir(encoder) else True,
        output_loading_info=True,
        key_mapping=None if key_mapping is None else dict(key_mapping),
        **_without_pooler(encoder_config),
    )
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)  # a pooler is not used
    if missing:
        raise ValueError(
            f"{len(missing)} weights of the encoder are missing from the checkpoint, such as '{missing[0]}'"
        )
    foreign = _foreign(loaded, report["unexpected_keys"], stored_layers)
    if foreign:
        raise ValueError(
            f"its weights contain '{foreign[0]}', which its config.json lacks: the two do not belong together, or "
            "another class of model computes with it"
        )
    if not embeddings_alone:
        return _encoder_half(loaded)
    weight = loaded.get_input_embeddings().weight
    return nn.Embedding.from_pretrained(weight.detach().clone(), freeze=False)


def _foreign(model: PreTrainedModel, unexpected: Collection[str], stored_layers: int | None) -> list[str]:
    """Return stored weights inside an encoder that it does not have; a pooler, heads and layers cut off are none."""
    own = {name for name, _ in model.named_children()}
    layers = model.config.get_text_config().num_hidden_layers
    cut_off = range(layers, layers if stored_layers is None else stored_layers)
    foreign = []
    for key in sorted(unexpected):
        inner = key.removeprefix(f"{model.base_model_prefix}.")
        number = re.search(r"\.(\d+)\.", inner)
        cut = number is not None and int(number[1]) in cut_off
        if inner.partition(".")[0] in own and not cut and not re.search(LEFTOVER, inner):
            foreign.append(key)
    return foreign


def _encoder_half(model: PreTrainedModel) -> nn.Module:
    return model.get_encoder() if model.config.is_encoder_decoder else model


def _without_pooler(encoder_config: PreTrainedConfig) -> dict[str, bool]:
    """Leave out the pooler of families that have one: unused parameters break distributed training."""
    parameters = inspect.signature(MODEL_MAPPING[type(encoder_config)].__init__).parameters
    return {"add_pooling_layer": False} if "add_pooling_layer" in parameters else {}
