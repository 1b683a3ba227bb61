"""The one table of model families: how their attention is reached, and where their decision is read from.

Everything else about a model is found by a dry run (`eraserhead.patch.dry_run.find_layers`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedConfig

from eraserhead.errors import UserError


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


@dataclass(frozen=True)
class NamedReadOut:
    """A read-out that a model's config names.

    Attributes:
        setting: Name of the config value.
        known: The read-out that each of its values stands for.
    """

    setting: str
    known: Mapping[str, ReadOut]

    def of(self, config: PreTrainedConfig) -> ReadOut:
        """Return the read-out of a model.

        Raises:
            UnknownFamilyError: It is none of those that are known.
        """
        value = str(getattr(config, self.setting, None))
        if value not in self.known:
            raise UnknownFamilyError(
                f"a '{config.model_type}' model with {self.setting} = {value!r} reads its decision in an unknown way; "
                f"known are {', '.join(self.known)}"
            )
        return self.known[value]


# ``late`` averages the tokens' logits.
POOLING = NamedReadOut(
    "classifier_pooling",
    {"cls": ReadOut.FIRST, "bos": ReadOut.FIRST, "mean": ReadOut.MEAN, "late": ReadOut.MEAN},
)
SUMMARY = NamedReadOut("summary_type", {"first": ReadOut.FIRST, "last": ReadOut.LAST, "mean": ReadOut.MEAN})


def _has_windows(config: PreTrainedConfig) -> bool:
    """Tell whether a layer's queries see some keys alone, by how far away they stand."""
    kinds = getattr(config, "layer_types", None) or ()
    local = any("sliding" in kind or "chunked" in kind for kind in kinds)
    return local or (not kinds and bool(getattr(config, "sliding_window", None)))


def _is_relative(config: PreTrainedConfig) -> bool:
    return getattr(config, "position_embedding_type", None) not in (None, "absolute")


@dataclass(frozen=True)
class Family:
    """What has to be known about a model family.

    Attributes:
        name: Its name in texts.
        read_out: Where the decision is read from, or how the config names it; a probe of each model must find the
            same. None in a family that is not in the table, where the probe alone tells.
        positions: Function from token ids to position ids, in families where position ids alone place a token, so
            that an invisible token can be left out of a row; None where distances or windows go by the index.
        route: How its attention is reached.
        wraps: Whether a decoder's first input is the text's last token (a language), and not a start of its own.
        layout: The axes of the hidden states that its layers pass on: which is documents, which tokens, which width.
        required: Names of config values, with the value that each must have; otherwise the attention is of another
            kind.
    """

    name: str
    read_out: ReadOut | NamedReadOut | None
    positions: Positions | None = None
    route: Route = Route.INTERFACE
    required: tuple[tuple[str, Any], ...] = ()
    wraps: bool = False
    layout: tuple[int, int, int] = (0, 1, 2)

    @property
    def listed(self) -> bool:
        """Whether the family is in the table, so that the tests prove it."""
        return self.read_out is not None

    @property
    def reads(self) -> str:
        """Where the decision is read from, in words."""
        if isinstance(self.read_out, NamedReadOut):
            return f"as {self.read_out.setting} says"
        return "found by a probe" if self.read_out is None else self.read_out.value

    def read_out_of(self, config: PreTrainedConfig) -> ReadOut | None:
        """Return where a model of this family reads its decision from; null where only a probe can tell."""
        return self.read_out.of(config) if isinstance(self.read_out, NamedReadOut) else self.read_out

    def positions_of(self, config: PreTrainedConfig) -> Positions | None:
        """Return `positions` where leaving out invisible tokens changes nothing else; otherwise None."""
        return None if _has_windows(config) or _is_relative(config) else self.positions


# By `config.model_type`.
FAMILIES: dict[str, Family] = {
    "albert": Family("ALBERT", ReadOut.FIRST, counted),
    "bert": Family("BERT", ReadOut.FIRST, counted),
    "camembert": Family("CamemBERT", ReadOut.FIRST, roberta_positions),
    "data2vec-text": Family("Data2Vec", ReadOut.FIRST, roberta_positions),
    "distilbert": Family("DistilBERT", ReadOut.FIRST, counted),
    "electra": Family("ELECTRA", ReadOut.FIRST, counted),
    "ernie": Family("ERNIE", ReadOut.FIRST, counted),
    "esm": Family("ESM", ReadOut.FIRST),  # scales its embeddings by how many tokens there are
    "eurobert": Family("EuroBERT", POOLING, counted),
    "gte": Family("GTE", ReadOut.FIRST, counted),
    "jina_embeddings_v3": Family("Jina Embeddings v3", ReadOut.FIRST, counted),
    "layoutlm": Family("LayoutLM, text alone", ReadOut.FIRST),
    "mobilebert": Family("MobileBERT", ReadOut.FIRST),  # joins each word vector to its neighbours'
    "modernbert": Family("ModernBERT", POOLING),
    "nomic_bert": Family("Nomic BERT", ReadOut.FIRST, counted),
    "roberta": Family("RoBERTa", ReadOut.FIRST, roberta_positions),
    "roberta-prelayernorm": Family("RoBERTa-PreLayerNorm", ReadOut.FIRST, roberta_positions),
    "xlm-roberta": Family("XLM-RoBERTa", ReadOut.FIRST, roberta_positions),
    "xlm-roberta-xl": Family("XLM-RoBERTa-XL", ReadOut.FIRST, roberta_positions),
    "xmod": Family("X-MOD", ReadOut.FIRST, roberta_positions),
    "biogpt": Family("BioGPT", ReadOut.LAST, counted),
    "gemma": Family("Gemma", ReadOut.LAST, counted),
    "gemma2": Family("Gemma 2", ReadOut.LAST),
    "gemma3_text": Family("Gemma 3", ReadOut.LAST),
    "gpt2": Family("GPT-2", ReadOut.LAST, counted),
    "gpt_neox": Family("GPT-NeoX", ReadOut.LAST, counted),
    "llama": Family("Llama", ReadOut.LAST, counted),
    "mistral": Family("Mistral", ReadOut.LAST, counted),
    "mixtral": Family("Mixtral", ReadOut.LAST, counted),
    "modernbert-decoder": Family("ModernBERT decoder", ReadOut.LAST),
    "olmo2": Family("OLMo 2", ReadOut.LAST, counted),
    "opt": Family("OPT", ReadOut.LAST, counted),
    "phi": Family("Phi", ReadOut.LAST, counted),
    "phi3": Family("Phi-3", ReadOut.LAST, counted),
    "qwen2": Family("Qwen2", ReadOut.LAST, counted),
    "qwen3": Family("Qwen3", ReadOut.LAST, counted),
    "qwen3_moe": Family("Qwen3 MoE", ReadOut.LAST, counted),
    "smollm3": Family("SmolLM3", ReadOut.LAST, counted),
    "starcoder2": Family("StarCoder2", ReadOut.LAST, counted),
    "bart": Family("BART", ReadOut.LAST),
    "mbart": Family("mBART", ReadOut.LAST, wraps=True),
    "mt5": Family("mT5", ReadOut.LAST),
    "plbart": Family("PLBART", ReadOut.LAST, wraps=True),
    "t5": Family("T5", ReadOut.LAST),
    "umt5": Family("UMT5", ReadOut.LAST),
    "big_bird": Family(
        "BigBird, in full attention", ReadOut.FIRST, None, Route.DROPOUT, (("attention_type", "original_full"),)
    ),
    "convbert": Family("ConvBERT", ReadOut.FIRST, None, Route.DROPOUT),  # convolves each word with its neighbours
    "deberta": Family("DeBERTa", ReadOut.FIRST, None, Route.DROPOUT),
    "deberta-v2": Family("DeBERTa-v2 and -v3", ReadOut.FIRST, None, Route.DROPOUT),
    "ibert": Family("I-BERT", ReadOut.FIRST, roberta_positions, Route.DROPOUT, (("quant_mode", False),)),
    "megatron-bert": Family("Megatron-BERT", ReadOut.FIRST, counted, Route.DROPOUT),
    "mpnet": Family("MPNet", ReadOut.FIRST, None, Route.DROPOUT),
    "rembert": Family("RemBERT", ReadOut.FIRST, counted, Route.DROPOUT),
    "roformer": Family("RoFormer", ReadOut.FIRST, None, Route.DROPOUT),
    "squeezebert": Family("SqueezeBERT", ReadOut.FIRST, counted, Route.DROPOUT, layout=(0, 2, 1)),
    "xlnet": Family("XLNet", SUMMARY, None, Route.DROPOUT, layout=(1, 0, 2)),
    "bloom": Family("BLOOM", ReadOut.LAST, None, Route.DROPOUT),
    "gpt_neo": Family("GPT-Neo", ReadOut.LAST, None, Route.DROPOUT),
    "gptj": Family("GPT-J", ReadOut.LAST, counted, Route.DROPOUT),
    "openai-gpt": Family("GPT", ReadOut.LAST, counted, Route.DROPOUT),
}


@dataclass(frozen=True)
class Refusal:
    """Why attention inside a family is not erased.

    Attributes:
        reason: What its attention does instead.
        head: Whether an attention-pooling head on such an encoder can be trained and erased.
    """

    reason: str
    head: bool = True


# By `config.model_type`; the tests train a head on each that says so.
REFUSED: dict[str, Refusal] = {
    "bigbird_pegasus": Refusal("its encoder attends to blocks of keys, some of them random"),
    "canine": Refusal("it attends in windows of characters, and among every fourth of them in between", head=False),
    "flaubert": Refusal("its attention weights pass through no module that could be reached from outside"),
    "fnet": Refusal("it mixes tokens by Fourier transforms, and has no attention weights"),
    "funnel": Refusal("its layers pool their keys, which are then no tokens any more"),
    "longformer": Refusal("its attention is computed in blocks of local windows, with no softmax over all keys"),
    "luke": Refusal("it attends to words and entities in one softmax, with other queries for each"),
    "mra": Refusal("its attention is an approximation at several resolutions, with no softmax over keys"),
    "nystromformer": Refusal("its attention goes through landmarks, with no softmax over keys"),
    "perceiver": Refusal("its decision is read from latent vectors, not from tokens", head=False),
    "reformer": Refusal("it attends within buckets of hashed keys, with no softmax over all keys", head=False),
    "xlm": Refusal("its attention weights pass through no module that could be reached from outside"),
    "yoso": Refusal("its attention weights are sampled by hashing, with no softmax over keys"),
}


class UnknownFamilyError(UserError):
    """A model whose decisions cannot be replayed; says why."""

    head = True  # whether an attention-pooling head on its encoder may do instead


class HeadlessFamilyError(UnknownFamilyError):
    """The same, where an attention-pooling head would not do either."""

    head = False


def known_families() -> str:
    """Return the model types of the table, as messages name them."""
    return ", ".join(sorted(FAMILIES))


def family_of(config: PreTrainedConfig) -> Family:
    """Return the family of a model; one that nobody has listed has to be proved by probes of the loaded model.

    Raises:
        UnknownFamilyError: Its attention is none that can be erased, or its config asks for another kind of attention
            or read-out than the family has.
    """
    refusal = REFUSED.get(config.model_type)
    if refusal is not None:
        error = UnknownFamilyError if refusal.head else HeadlessFamilyError
        raise error(f"attention inside a '{config.model_type}' model cannot be erased: {refusal.reason}")
    family = FAMILIES.get(config.model_type, Family(config.model_type, None))
    for name, value in family.required:
        if getattr(config, name, value) != value:
            raise UnknownFamilyError(
                f"attention inside a '{config.model_type}' model with {name} = {getattr(config, name)!r} cannot be "
                f"erased; set {name} to {value!r} in its config.json, or load another model"
            )
    family.read_out_of(config)
    return family


def last_ends(ids: Int[Tensor, "batch tokens"], end: int) -> Int[Tensor, " batch"]:
    """Return the position of the last end of the text in each row, which an encoder-decoder's classifier reads."""
    return (torch.arange(ids.shape[1], device=ids.device) * (ids == end)).argmax(-1)


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
