"""A pretrained encoder, attention pooling over its token vectors, and one affine head.

This module is pushed as remote code: it imports torch, transformers and its neighbours alone, and its shapes stand in
the docstrings.
"""

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from .configuration_attention_pooling import AttentionPoolingConfig, cut_layers
from .pooling import AttentionPooling


@dataclass
class AttentionPoolingOutput(SequenceClassifierOutput):
    """Loss where labels were given, logits ``[batch, classes]`` and pooling weights ``[batch, tokens]``.

    The weights are 0 at padding, at special tokens that are not pooled, and at erased tokens.
    """

    pooling_weights: Tensor | None = None


class AttentionPoolingHead(nn.Module):
    """Attention pooling over token vectors and one affine map: all that is trained on a frozen encoder."""

    def __init__(self, config: AttentionPoolingConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.dropout)
        self.pooling = AttentionPooling(config.vector_size, config.attention_size)
        self.classifier = nn.Linear(config.vector_size, len(config.id2label or ()))

    def forward(self, vectors: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``[batch, classes]`` and weights ``[batch, tokens]`` of vectors ``[batch, tokens, hidden]``."""
        pooled, weights = self.pooling(self.dropout(vectors), mask)
        return self.classifier(pooled), weights


class AttentionPoolingForSequenceClassification(PreTrainedModel):
    """Additive attention with a context vector over an encoder's token vectors, then one affine head.

    Yang et al. 2016; the flat attention networks (FLAN) of Serrano & Smith 2019 are this with a context encoder in
    between.
    """

    config_class = AttentionPoolingConfig
    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    # The encoder decides for itself: it knows what it supports.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    def __init__(self, config: AttentionPoolingConfig) -> None:
        super().__init__(config)
        classes = len(config.id2label or ())
        if classes < 2:
            raise ValueError(f"a classifier has two classes or more, not {classes}: there is nothing to decide")
        self.encoder = _empty_encoder(config)
        self.head = AttentionPoolingHead(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    @classmethod
    def from_encoder(
        cls,
        encoder: str,
        labels: Sequence[str],
        *,
        encoder_layers: int | None = None,
        attention_size: int | None = None,
        dropout: float = 0.1,
        pool_special_tokens: bool = False,
        revision: str | None = None,
    ) -> "AttentionPoolingForSequenceClassification":
        """Put a fresh attention-pooling head on a pretrained encoder.

        Args:
            encoder: Hub id or folder of the encoder and its tokenizer.
            labels: Class names in index order.
            encoder_layers: Layers that are kept, None for all; 0 keeps the word-embedding table alone.
            attention_size: Size of the attention's hidden layer; default: the vector size.
            dropout: Share of token-vector entries that the head does not see in training.
            pool_special_tokens: Whether tokens such as [CLS] are pooled.
            revision: Branch, tag or commit of the encoder.

        Raises:
            ValueError: Fewer than two labels, labels that repeat, more layers than the encoder has, or a checkpoint
                that lacks weights.
            OSError: The encoder cannot be found or loaded.
        """
        if len(set(labels)) != len(labels):
            raise ValueError(f"class names repeat: {', '.join(labels)}")
        full_config = AutoConfig.from_pretrained(encoder, revision=revision)
        encoder_config = cut_layers(full_config, encoder_layers)
        tokenizer = AutoTokenizer.from_pretrained(encoder, revision=revision)
        loaded = _loaded_encoder(encoder, encoder_config, revision, embeddings_alone=encoder_layers == 0)
        if os.path.isdir(encoder):
            encoder_config._name_or_path = ""  # a local path is nobody else's business
        config = AttentionPoolingConfig(
            encoder_config=encoder_config,
            encoder_layers=encoder_layers,
            vector_size=loaded.embedding_dim if isinstance(loaded, nn.Embedding) else None,
            attention_size=attention_size,
            dropout=dropout,
            pool_special_tokens=pool_special_tokens,
            special_token_ids=structural_token_ids(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            id2label=dict(enumerate(labels)),
            label2id={label: index for index, label in enumerate(labels)},
        )
        model = cls(config)
        model.encoder = loaded
        return model

    def token_vectors(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Return the encoder's vectors ``[batch, tokens, hidden]`` of ids ``[batch, tokens]``."""
        if isinstance(self.encoder, nn.Embedding):
            return self.encoder(input_ids)
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        if token_type_ids is not None and "token_type_ids" in inspect.signature(self.encoder.forward).parameters:
            inputs["token_type_ids"] = token_type_ids
        return self.encoder(**inputs, return_dict=True).last_hidden_state

    def component_mask(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Return which input positions are pooled ``[batch, tokens]``: neither padding nor special, as configured."""
        mask = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        if self.config.pool_special_tokens:
            return mask
        special = torch.tensor(self.config.special_token_ids, device=input_ids.device, dtype=input_ids.dtype)
        return mask & ~torch.isin(input_ids, special)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        keep: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> AttentionPoolingOutput | tuple[Any, ...]:
        """Classify documents.

        Args:
            input_ids: ``[batch, tokens]``.
            attention_mask: ``[batch, tokens]``, 0 at padding.
            token_type_ids: ``[batch, tokens]``, for encoders that take them.
            labels: ``[batch]``; gives the loss.
            keep: ``[batch, tokens]``, False where a token's attention weight is erased: set to 0, the others
                renormalised. What the encoder saw stays as it is. Where nothing is kept, the logits are the bias.
            return_dict: False for a plain tuple.
        """
        mask = self.component_mask(input_ids, attention_mask)
        if keep is not None:
            mask = mask & keep.bool()
        logits, weights = self.head(self.token_vectors(input_ids, attention_mask, token_type_ids), mask)
        loss = None if labels is None else cross_entropy(logits.float(), labels)
        output = AttentionPoolingOutput(loss=loss, logits=logits, pooling_weights=weights)
        return output.to_tuple() if return_dict is False else output


def structural_token_ids(tokenizer: Any) -> list[int]:
    """Return the ids of the tokens that frame a text: those of classes, separators, padding, beginning and end."""
    ids = {getattr(tokenizer, f"{role}_token_id", None) for role in ("cls", "sep", "pad", "bos", "eos")}
    return sorted(token for token in ids if token is not None)


def _empty_encoder(config: AttentionPoolingConfig) -> nn.Module:
    encoder_config = config.encoder_config
    if config.encoder_layers == 0:
        return nn.Embedding(encoder_config.vocab_size, config.vector_size)
    return _encoder_half(AutoModel.from_config(encoder_config, **_without_pooler(encoder_config)))


def _loaded_encoder(
    encoder: str, encoder_config: PreTrainedConfig, revision: str | None, embeddings_alone: bool
) -> nn.Module:
    loaded, report = AutoModel.from_pretrained(
        encoder,
        config=encoder_config,
        revision=revision,
        dtype=torch.float32,
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
