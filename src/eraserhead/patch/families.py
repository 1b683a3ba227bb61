"""The one table of model families: how their attention is reached, and where their decision is read from.

Everything else about a model is found by a dry run (`eraserhead.patch.layers.find_layers`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedConfig


class Route(Enum):
    """How erasure masks reach a family's attention."""

    INTERFACE = "attention interface"  # the family dispatches through transformers' `AttentionInterface`
    DROPOUT = "dropout hook"  # its own attention; the weights pass through an `nn.Dropout`


class ReadOut(Enum):
    """Which token vectors the classifier reads."""

    FIRST = "first token"
    LAST = "last token"  # the rightmost id that is not padding, whatever the mask says
    MEAN = "mean over tokens"


# Returns the position ids that a family gives to token ids: (ids, padding id) -> position ids.
Positions = Callable[[Int[Tensor, "batch tokens"], int], Int[Tensor, "batch tokens"]]


def counted(ids: Int[Tensor, "batch tokens"], padding: int) -> Int[Tensor, "batch tokens"]:
    """Number positions from 0."""
    return torch.arange(ids.shape[1], device=ids.device).expand_as(ids)


def roberta_positions(ids: Int[Tensor, "batch tokens"], padding: int) -> Int[Tensor, "batch tokens"]:
    """Number the tokens that are not padding from ``padding + 1``; padding itself is at position `padding`."""
    present = ids != padding
    return present.long().cumsum(-1) * present + padding


def classifier_pooling(config: PreTrainedConfig) -> ReadOut:
    """Return the read-out that a ModernBERT or EuroBERT config names; ``late`` averages the tokens' logits."""
    chosen: str = getattr(config, "classifier_pooling", "")
    return {"cls": ReadOut.FIRST, "bos": ReadOut.FIRST, "mean": ReadOut.MEAN, "late": ReadOut.MEAN}[chosen]


@dataclass(frozen=True)
class Family:
    """What has to be known about a model family.

    Attributes:
        name: Its name in texts.
        read_out: Where the decision is read from, or a function that tells it from the config.
        positions: Function from token ids to position ids, in families where position ids alone place a token, so
            that an invisible token can be left out of a row; None where distances or windows go by the index.
        route: How its attention is reached.
        required: Names of config values, with the value that each must have; otherwise the attention is of another
            kind.
    """

    name: str
    read_out: ReadOut | Callable[[PreTrainedConfig], ReadOut]
    positions: Positions | None = None
    route: Route = Route.INTERFACE
    required: tuple[tuple[str, Any], ...] = ()

    def read_out_of(self, config: PreTrainedConfig) -> ReadOut:
        """Return where a model of this family reads its decision from."""
        return self.read_out if isinstance(self.read_out, ReadOut) else self.read_out(config)

    def positions_of(self, config: PreTrainedConfig) -> Positions | None:
        """Return `positions` where leaving out invisible tokens changes nothing else; otherwise None."""
        windows = any("sliding" in kind or "chunked" in kind for kind in getattr(config, "layer_types", None) or ())
        return None if windows or self._is_relative(config) else self.positions

    @staticmethod
    def _is_relative(config: PreTrainedConfig) -> bool:
        return getattr(config, "position_embedding_type", None) not in (None, "absolute")


# By `config.model_type`.
FAMILIES: dict[str, Family] = {
    "albert": Family("ALBERT", ReadOut.FIRST, counted),
    "bert": Family("BERT", ReadOut.FIRST, counted),
    "camembert": Family("CamemBERT", ReadOut.FIRST, roberta_positions),
    "distilbert": Family("DistilBERT", ReadOut.FIRST, counted),
    "electra": Family("ELECTRA", ReadOut.FIRST, counted),
    "eurobert": Family("EuroBERT", classifier_pooling, counted),
    "modernbert": Family("ModernBERT", classifier_pooling),
    "roberta": Family("RoBERTa", ReadOut.FIRST, roberta_positions),
    "xlm-roberta": Family("XLM-RoBERTa", ReadOut.FIRST, roberta_positions),
    "gpt2": Family("GPT-2", ReadOut.LAST, counted),
    "llama": Family("Llama", ReadOut.LAST, counted),
    "qwen2": Family("Qwen2", ReadOut.LAST, counted),
    "big_bird": Family(
        "BigBird, in full attention", ReadOut.FIRST, None, Route.DROPOUT, (("attention_type", "original_full"),)
    ),
    "deberta": Family("DeBERTa", ReadOut.FIRST, None, Route.DROPOUT),
    "deberta-v2": Family("DeBERTa-v2 and -v3", ReadOut.FIRST, None, Route.DROPOUT),
    "mpnet": Family("MPNet", ReadOut.FIRST, None, Route.DROPOUT),
    "roformer": Family("RoFormer", ReadOut.FIRST, None, Route.DROPOUT),
}


class UnknownFamilyError(ValueError):
    """A model's decisions cannot be replayed; the message says why, and which families can."""


def family_of(config: PreTrainedConfig) -> Family:
    """Return the family of a model.

    Raises:
        UnknownFamilyError: It is not in the table, or its config asks for another kind of attention or read-out.
    """
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise UnknownFamilyError(
            f"attention inside a '{config.model_type}' model cannot be erased: it is not known how to reach its "
            f"attention and where its decision is read from; known families: {', '.join(sorted(FAMILIES))}"
        )
    for name, value in family.required:
        if getattr(config, name, value) != value:
            raise UnknownFamilyError(
                f"attention inside a '{config.model_type}' model with {name} = {getattr(config, name)!r} cannot be "
                f"erased; set {name} to {value!r} in its config.json, or load another model"
            )
    try:
        family.read_out_of(config)
    except KeyError as error:
        raise UnknownFamilyError(
            f"a '{config.model_type}' model with classifier_pooling = {error.args[0]!r} reads its decision in an "
            "unknown way; known are cls, bos, mean and late"
        ) from error
    return family


def read_out_positions(
    read_out: ReadOut, ids: Int[Tensor, "batch tokens"], padding: int | None
) -> Int[Tensor, " batch"]:
    """Return the position that the decision is read from; 0 for a mean.

    Args:
        read_out: The kind of read-out.
        ids: Token ids, padding included.
        padding: Padding id in the model's config; None reads the last position, as transformers' classifiers do.
    """
    if read_out is not ReadOut.LAST:
        return torch.zeros(len(ids), dtype=torch.long, device=ids.device)
    if padding is None:
        return torch.full((len(ids),), ids.shape[1] - 1, device=ids.device)
    index = torch.arange(ids.shape[1], device=ids.device)
    return (index * (ids != padding)).argmax(-1)
