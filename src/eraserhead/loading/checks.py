"""Checks that a checkpoint can be erased: a complete classifier of a known family."""

import logging
from collections.abc import Collection
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.errors import Setting, UserError
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import named_padding
from eraserhead.patch.families import ReadOut, UnknownFamilyError, family_of

logger = logging.getLogger("eraserhead")


def check_family(config: PreTrainedConfig, name: str) -> None:
    """Refuse a model without a decision, or of an unknown family, before its weights are loaded.

    Raises:
        UserError: The model is refused; the message says why, and names the known families.
    """
    try:
        family_of(config)
    except UnknownFamilyError as error:
        raise UserError(f"{name}: {error}") from error
    if config.problem_type == "regression":
        raise UserError(f"{name}: a regression model ({config.num_labels} output(s)): there is no decision to flip")


def check_complete(model: PreTrainedModel, missing: Collection[str], name: str) -> None:
    """Refuse a model whose file lacks weights, such as the classification head.

    Raises:
        UserError: Weights are missing; the message names one of them.
    """
    if not missing:
        return
    first, count = sorted(missing)[0], len(missing)
    pools = isinstance(model, AttentionPoolingForSequenceClassification)
    if not pools and not any(key.startswith(f"{model.base_model_prefix}.") for key in missing):
        raise UserError(
            f"{name}: has no classification head ('{first}' is missing): it is an encoder; fine-tune it first, or put "
            "an attention-pooling head on it: `train` with ",
            Setting("model.encoder", name),
        )
    raise UserError(f"{name}: {count} weights are missing, such as '{first}'; the file is incomplete")


def check_used(unexpected: Collection[str], name: str) -> None:
    """Refuse an attention-pooling model whose file contains weights of layers that its configuration lacks.

    Raises:
        UserError: There are such weights; the message names one of them.
    """
    ours = sorted(key for key in unexpected if key.startswith(("head.", "encoder.")))
    if ours:
        raise UserError(
            f"{name}: its weights contain '{ours[0]}', which its config.json lacks: the two do not belong together"
        )


def check_weights(model: nn.Module, name: str) -> None:
    """Refuse weights that are not finite.

    Raises:
        UserError: There are such weights; the message names their first tensor.
    """
    for key, tensor in model.state_dict().items():
        # The sum is nearly always enough, and much faster.
        if tensor.is_floating_point() and not tensor.sum().isfinite() and not torch.isfinite(tensor).all():
            broken = int((~torch.isfinite(tensor)).sum())
            raise UserError(
                f"{name}: {broken} of {tensor.numel()} weights in '{key}' are NaN or infinite; the training diverged, "
                "or the file is damaged"
            )


def give_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Give a decoder without a padding token its tokenizer's; it needs one to read several documents at a time.

    Raises:
        UserError: Neither has a padding token.
    """
    if named_padding(model.config) is not None or family_of(model.config).read_out_of(model.config) is not ReadOut.LAST:
        return
    padding = named_padding(model.config, tokenizer)
    if padding is None:
        raise UserError(
            f"{name}: a decoder without a padding token cannot tell where a document ends; set pad_token_id in its "
            "config.json and pad_token in its tokenizer_config.json, to the end-of-text token for example"
        )
    logger.info(f"the model has no padding token: the tokenizer's is used ('{tokenizer.pad_token}')")
    model.config.get_text_config().pad_token_id = padding


def check_vocabulary(model: PreTrainedModel, largest: int, name: str) -> None:
    """Refuse a tokenizer of another model.

    Raises:
        UserError: `largest`, the largest token id in the documents, has no embedding.
    """
    inner: Any = model.encoder if isinstance(model, AttentionPoolingForSequenceClassification) else model
    embeddings = inner if isinstance(inner, nn.Embedding) else inner.get_input_embeddings()
    known = embeddings.weight.shape[0] if isinstance(embeddings.weight, torch.Tensor) else 0
    if largest >= known:
        raise UserError(
            f"{name}: its tokenizer gives the id {largest}, but the model knows 0 to {known - 1}: it is another "
            "model's tokenizer; save the right one beside the model"
        )


def check_types(model: PreTrainedModel, largest: int, name: str) -> None:
    """Refuse token types of sequence pairs that the model does not know.

    Raises:
        UserError: `largest`, the largest type of the documents' tokens, has no embedding.
    """
    known = getattr(model.config, "type_vocab_size", None)
    if known and largest >= known:  # 0: the model ignores token types
        raise UserError(
            f"{name}: its tokenizer gives {largest + 1} token types to pairs, but the model knows {known}: it is "
            "another model's tokenizer; save the right one beside the model"
        )
