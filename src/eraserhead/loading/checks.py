"""Checks that a checkpoint can be erased: a complete classifier of a known family."""

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from eraserhead.errors import UserError, listed
from eraserhead.loading.model_files import train_on
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.models.special_tokens import named_padding
from eraserhead.patch.families import ReadOut, UnknownFamilyError, family_of

logger = logging.getLogger("eraserhead")

# Weights that no decision depends on, where the classifier itself has none of the name: buffers of older releases,
# poolers that nothing reads, heads of pretraining, and what weighs a loss.
LEFTOVER = re.compile(
    r"(^|\.)(position_ids|inv_freq|(attn|attention)\.(masked_)?bias|pooler\.dense\.(weight|bias))$"
    r"|^(\w+\.)?(cls\.(predictions|seq_relationship)|lm_head|generator_lm_head|generator_predictions"
    r"|discriminator_predictions|predictions|sop_classifier|lm_predictions|mask_predictions|vocab_transform"
    r"|vocab_layer_norm|vocab_projector)\.|^decoder\.(weight|bias)$"
    r"|^(loss_fct|loss_fn|loss|criterion)\.(pos_)?weight$|^class_weights?$"
)
LONGEST_WINDOW = 10**9  # tokens: tokenizers that know no limit give a number above it
NO_ID = -1  # of no token


def check_family(config: PreTrainedConfig, name: str) -> None:
    """Refuse, before any weights are loaded, models without a decision or of a family that is known not to work.

    Raises:
        UserError: Saying which, why, and what to do instead.
    """
    with instead_of_inside(name):
        family_of(config)
    if config.problem_type == "regression":
        raise UserError(f"{name}: a regression model ({config.num_labels} output(s)): there is no decision to flip")


@contextmanager
def instead_of_inside(name: str) -> Iterator[None]:
    """Say what can be done with a model inside of which attention cannot be erased.

    Raises:
        UserError: With the name of the model, and the command.
    """
    try:
        yield
    except UnknownFamilyError as error:
        mend = "; an attention-pooling head on its encoder can be trained and erased instead: "
        instead = (mend, train_on(name)) if error.head else ()
        raise UserError(f"{name}: ", error, *instead) from error


def check_complete(model: PreTrainedModel, missing: Collection[str], unexpected: Collection[str], name: str) -> None:
    """Refuse a model whose file lacks weights, such as the classification head.

    Raises:
        UserError: Weights are missing; the message names one of them.
    """
    if not missing:
        return
    first, count = sorted(missing)[0], len(missing)
    head = {key for key in model.state_dict() if not key.startswith(f"{model.base_model_prefix}.")}
    if not isinstance(model, AttentionPoolingForSequenceClassification) and set(missing) < head:
        raise UserError(f"{name}: '{first}' of its classification head is missing: the file is incomplete")
    if not isinstance(model, AttentionPoolingForSequenceClassification) and head.issuperset(missing):
        raise UserError(
            f"{name}: has no classification head ('{first}' is missing): it is an encoder; fine-tune it first, or put "
            "an attention-pooling head on it: ",
            train_on(name),
        )
    foreign = sorted(key for key in unexpected if not LEFTOVER.search(key))
    if foreign:
        raise UserError(
            f"{name}: its weights have names of another class of model ('{foreign[0]}', and no '{first}'): give the "
            "model that they were saved from, with its own config.json"
        )
    raise UserError(f"{name}: {count} weights are missing, such as '{first}'; the file is incomplete")


def check_sizes(mismatched: Collection[tuple[str, Any, Any]], name: str) -> None:
    """Refuse a model whose file holds a weight of another size, under a name that was translated.

    Raises:
        UserError: There are such weights; the message names one of them.
    """
    for key, held, wanted in sorted(mismatched, key=str):
        raise UserError(
            f"{name}: '{key}' has the size {tuple(held)} in the file, and {tuple(wanted)} by config.json: the two do "
            "not belong together"
        )


def check_unexpected(unexpected: Collection[str], name: str) -> tuple[str, ...]:
    """Refuse a model whose file holds weights that its configuration does not have, unless decisions ignore them.

    Returns:
        The names of the weights that decisions do not depend on; a log line names them.

    Raises:
        UserError: Naming one of the others.
    """
    foreign = sorted(key for key in unexpected if not LEFTOVER.search(key))
    if foreign:
        more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
        raise UserError(
            f"{name}: its weights contain '{foreign[0]}'{more}, which its config.json lacks: the two do not belong "
            "together, or another class of model computes with it; give the model that the weights were saved from"
        )
    left = tuple(sorted(unexpected))
    if left:
        logger.info(f"{name}: weights that decisions do not depend on are left out: {listed(left)}")
    return left


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


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer without a vocabulary, or whose limits are no numbers.

    Raises:
        UserError: Naming the field, where it is one.
    """
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise UserError(f"{name}: has no tokenizer (the vocabulary is empty); save the model's tokenizer beside it")
    longest = tokenizer.model_max_length
    if isinstance(longest, bool) or not isinstance(longest, (int, float)) or longest < 1:
        raise UserError(
            f"{name}: tokenizer_config.json: model_max_length is {longest!r}, and must be a number of tokens from 1"
        )
    if isinstance(longest, float) and longest < LONGEST_WINDOW:
        tokenizer.model_max_length = int(longest)


def give_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Give a decoder without a padding token its tokenizer's; it needs one to read documents of unequal lengths.

    Where the tokenizer has none either, the model is told of one that no text has: it then reads the last token of
    every row, as of a single document, and its dry run finds that it sees padding.

    Returns:
        The token; null if the model needs none or has its own, or there is none to give.
    """
    read_out = family_of(model.config).read_out_of(model.config)
    if named_padding(model.config) is not None or read_out not in (ReadOut.LAST, None):
        return None
    padding = named_padding(model.config, tokenizer)
    if padding is None:
        if read_out is ReadOut.LAST:  # of others, whose family is not known, a dry run tells whether they need one
            model.config.get_text_config().pad_token_id = NO_ID
        return None
    logger.info(f"the model has no padding token: the tokenizer's is used ('{tokenizer.pad_token}')")
    model.config.get_text_config().pad_token_id = padding
    return str(tokenizer.pad_token)


def check_vocabulary(model: PreTrainedModel, largest: int, name: str) -> None:
    """Refuse a tokenizer of another model.

    Raises:
        UserError: `largest`, the largest token id in the documents, has no embedding.
    """
    inner: Any = model.encoder if isinstance(model, AttentionPoolingForSequenceClassification) else model
    try:
        embeddings = inner if isinstance(inner, nn.Embedding) else inner.get_input_embeddings()
    except NotImplementedError:
        return  # it has no table of embeddings and takes any id: CANINE hashes characters
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
    pools = isinstance(model, AttentionPoolingForSequenceClassification)
    known = getattr(model.config.encoder_config if pools else model.config, "type_vocab_size", None)
    if known and largest >= known:  # 0: the model ignores token types
        raise UserError(
            f"{name}: its tokenizer gives {largest + 1} token types to pairs, but the model knows {known}: it is "
            "another model's tokenizer; save the right one beside the model"
        )


def check_ends(model: PreTrainedModel, rows: Dataset, name: str) -> None:
    """Refuse documents without an end, where a decoder beside an encoder decides at the end of the text.

    Raises:
        UserError: A document has none; the message names it.
    """
    end = model.config.eos_token_id
    without = [document for document, ids in zip(rows["id"], rows["input_ids"], strict=True) if end not in ids]
    if without:
        raise UserError(
            f"{name}: its decision is read at the end of the text (id {end}), and {len(without)} of the {len(rows)} "
            f"documents have none, the first is {without[0]}: its tokenizer does not add it; save one beside the model "
            "that does"
        )
