"""Tiny random classifiers of every family, and the slow way to erase inside them, which knows nothing of the patch."""

import copy
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from eraserhead.data.batching import pad
from eraserhead.patch.families import FAMILIES
from eraserhead.patch.interface import erasable

LAYERS, HEADS, CLASSES = 3, 4, 7
OPENS, CLOSES, VOCABULARY = 2, 3, 53  # ids of the special tokens that frame a document; how many ids there are
LENGTHS = (11, 7, 5, 3, 2)
SPREAD = 1.5  # of a layer's products with a normalised vector: large enough for decisions to flip before all is erased

# Layers by their calls, and whether the keys are erased from every query.
PLACES: dict[str, tuple[tuple[int, ...], bool]] = {
    "layer:-1": ((2,), False),
    "layer:0": ((0,), False),
    "layer:1": ((1,), False),
    "layer:1:all": ((1,), True),
    "all": ((0, 1, 2), True),
}
# And of every query of the last layer, which the patch erases as it does any layer's; its replay is of another kind.
ERASED_AT = {**PLACES, "layer:-1:all": ((2,), True)}

# What a family wants beside the names that most configs share; a family that is not named here does with those.
MOE = {"num_experts_per_tok": 2, "moe_intermediate_size": 13, "experts_implementation": "eager"}  # for float64
CONFIGS: dict[str, dict] = {
    "albert": {"embedding_size": 17},
    "big_bird": {"attention_type": "original_full"},
    "biogpt": {"pad_token_id": 1},
    "camembert": {"pad_token_id": 1},
    "data2vec-text": {"pad_token_id": 1},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False},
    "electra": {"embedding_size": 17},
    "esm": {"pad_token_id": 1, "mask_token_id": 4, "token_dropout": True},
    "eurobert": {"num_key_value_heads": 2, "mask_token_id": 4, "classifier_pooling": "late"},
    "gemma": {"num_key_value_heads": 1, "head_dim": 8},
    # Of three layers one or two see no further than three tokens back.
    # As the next; with scores up to the cap and beyond.
    "gemma2": {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "sliding_window": 4,
        "query_pre_attn_scalar": 8,
        "attn_logit_softcapping": 2.0,
    },
    "gemma3_text": {
        "num_key_value_heads": 2,
        "head_dim": 8,
        "sliding_window": 4,
        "query_pre_attn_scalar": 8,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
    "gpt_neo": {"num_layers": LAYERS, "attention_types": [[["global", "local"], 1], [["global"], 1]], "window_size": 4},
    "gptj": {"rotary_dim": 4},
    "ibert": {"pad_token_id": 1},
    "jina_embeddings_v3": {"pad_token_id": 1},
    "layoutlm": {"max_2d_position_embeddings": 41},
    "llama": {"num_key_value_heads": 2},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None},
    "mixtral": {**MOE, "num_key_value_heads": 2, "sliding_window": None, "num_local_experts": 5},
    # Its own "norm" scales alone, and random weights then overflow its pooler's tanh.
    "mobilebert": {
        "embedding_size": 17,
        "intra_bottleneck_size": 16,
        "num_feedforward_networks": 2,
        "normalization_type": "layer_norm",
        "classifier_activation": False,
    },
    "squeezebert": {
        "embedding_size": 24,
        **dict.fromkeys(("q_groups", "k_groups", "v_groups", "intermediate_groups"), 2),
        "post_attention_groups": 1,
        "output_groups": 1,
        "intermediate_size": 34,
    },
    # Of three layers the last two see no further than three tokens to either side.
    "modernbert": {"classifier_pooling": "cls", "local_attention": 6, "global_attn_every_n_layers": 3},
    "modernbert-decoder": {"local_attention": 8, "global_attn_every_n_layers": 3},
    "mpnet": {"pad_token_id": 1},
    "nomic_bert": {"head_dim": 6},
    "opt": {"ffn_dim": 37, "word_embed_proj_dim": 17},
    "phi": {"partial_rotary_factor": 0.667, "num_key_value_heads": 2},
    "phi3": {"num_key_value_heads": 2, "original_max_position_embeddings": 41},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 8},
    "qwen3_moe": {**MOE, "num_key_value_heads": 2, "head_dim": 8, "num_experts": 5},
    "rembert": {"input_embedding_size": 17},
    "roberta": {"pad_token_id": 1},
    "roberta-prelayernorm": {"pad_token_id": 1},
    "smollm3": {"num_key_value_heads": 2, "no_rope_layers": [1, 0, 1]},
    "starcoder2": {"num_key_value_heads": 2},
    "xlm-roberta": {"pad_token_id": 1},
    "xlm-roberta-xl": {"pad_token_id": 1},
    "xmod": {"pad_token_id": 1, "languages": ["en_XX"], "default_language": "en_XX"},
}
# Variants of every kind of attention and read-out: those whose tests are quick ones (conftest.py).
QUICK = {"bert", "deberta-v2, as v3", "gpt2", "llama", "modernbert, mean"}
# What proves a family, for each.
PROOFS = ("test_erasing_equals_an_edited_softmax", "test_the_table_says_what_the_classifier_reads")
# Families whose attention and read-out are written like another's: those prove each, other tests are thorough ones.
ALIKE = {
    "biogpt", "camembert", "data2vec-text", "ernie", "gemma", "gte", "jina_embeddings_v3", "layoutlm", "mbart",
    "megatron-bert", "mixtral", "mt5", "olmo2", "phi3", "plbart", "qwen3_moe", "rembert", "roberta-prelayernorm",
    "smollm3", "starcoder2", "umt5", "xlm-roberta-xl", "xmod",
}  # fmt: skip
V3 = {"share_att_key": True, "position_buckets": 5, "norm_rel_ebd": "layer_norm"}
# Families with an encoder and a decoder of two layers each have sites of their own, and tests: test_encoder_decoder.py.
_BART = {
    "d_model": 24, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": HEADS, "encoder_ffn_dim": 37,
    "decoder_attention_heads": HEADS, "decoder_ffn_dim": 37, "decoder_start_token_id": 3, "num_hidden_layers": 2,
}  # fmt: skip
_T5 = {
    "d_model": 24, "d_kv": 6, "d_ff": 37, "num_heads": HEADS, "num_layers": 2, "num_decoder_layers": 2,
    "num_hidden_layers": 2, "decoder_start_token_id": 0, "relative_attention_num_buckets": 8,
}  # fmt: skip
ENCODER_DECODERS: dict[str, dict] = {
    "bart": _BART, "mbart": _BART, "plbart": _BART, "t5": _T5, "mt5": {**_T5, "feed_forward_proj": "gated-gelu"},
    "umt5": _T5,
}  # fmt: skip
# Variants of families that see padding: documents of one length alone are read together (test_equal_lengths.py).
EQUAL_LENGTHS: dict[str, tuple[str, dict]] = {
    "convbert": ("convbert", {"embedding_size": 17, "head_ratio": 1, "conv_kernel_size": 3}),
    "mobilebert, padding not zero": ("mobilebert", {}),
    "xlnet": ("xlnet", {"d_model": 24, "n_layer": LAYERS, "n_head": HEADS, "d_inner": 37}),
    "xlnet, mean": (
        "xlnet", {"d_model": 24, "n_layer": LAYERS, "n_head": HEADS, "d_inner": 37, "summary_type": "mean"}
    ),
}  # fmt: skip
# Every family of the table, whoever adds one, and those kinds of a family that run other code of their model.
VARIANTS: dict[str, tuple[str, dict]] = {
    **{family: (family, {}) for family in FAMILIES if family not in {*ENCODER_DECODERS, *EQUAL_LENGTHS}},
    "albert, no layer shared": ("albert", {"num_hidden_groups": LAYERS}),
    "deberta-v2, as v3": ("deberta-v2", V3),
    "deberta-v2, as v3 with a convolution": ("deberta-v2", {**V3, "conv_kernel_size": 3}),
    "eurobert, bos": ("eurobert", {"classifier_pooling": "bos"}),
    "eurobert, mean": ("eurobert", {"classifier_pooling": "mean"}),
    "gpt2, padded with its end of text": ("gpt2", {"pad_token_id": CLOSES}),  # reads the token before the end
    "gpt_neox, one after the other": ("gpt_neox", {"use_parallel_residual": False}),
    "esm, rotary": ("esm", {"position_embedding_type": "rotary", "token_dropout": False}),
    "gpt2, scaled by layer": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "mistral, in windows": ("mistral", {"sliding_window": 4}),
    "modernbert, mean": ("modernbert", {"classifier_pooling": "mean"}),
    "qwen2, in windows": ("qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
}


def new_model(name: str, **config: object) -> PreTrainedModel:
    """A random float64 classifier in eval mode that decides for many classes; no dropout in training either."""
    family, more = (name, ENCODER_DECODERS[name]) if name in ENCODER_DECODERS else {**VARIANTS, **EQUAL_LENGTHS}[name]
    common = {
        "vocab_size": VOCABULARY,
        "hidden_size": 24,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": 37,
        "max_position_embeddings": 41,
        "num_labels": CLASSES,
        "pad_token_id": 0,
        "bos_token_id": OPENS,
        "cls_token_id": OPENS,
        "eos_token_id": CLOSES,
        "sep_token_id": CLOSES,
    }
    torch.manual_seed(0)
    named = {**common, **CONFIGS.get(family, {}), **more, **config}
    if family == "xlnet":
        del named["max_position_embeddings"]  # it has no limit, and takes none
    model = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(family, **named)).eval().double()
    for buffer_name, buffer in model.named_buffers():
        # As some releases have it and others not: `in_float64` leaves angles alone.
        if buffer_name.endswith("inv_freq"):
            buffer.data = buffer.data.float()
    _randomise(model)
    if name == "mobilebert":
        with torch.no_grad():  # or words would see the padding beside them
            model.get_input_embeddings().weight[0] = 0.0
    for module in model.modules():
        for dropout in ("p", "dropout", "attention_dropout"):
            if isinstance(getattr(module, dropout, None), float):
                setattr(module, dropout, 0.0)
    return model


@torch.no_grad()
def _randomise(model: PreTrainedModel) -> None:
    for parameter in model.parameters():
        noise = torch.randn_like(parameter)
        if parameter.dim() > 1:
            parameter.copy_(noise * SPREAD / 24**0.5)
        else:
            parameter.add_(0.3 * noise)  # neither norms of 1 nor biases of 0
    *_, classifier = (module for module in model.modules() if getattr(module, "out_features", None) == CLASSES)
    vectors: list[Tensor] = []
    hook = classifier.register_forward_pre_hook(lambda module, args: vectors.append(args[0]))
    logits = model(**batch_of(model, documents((7,) * 29))).logits.mean(0)
    hook.remove()
    if classifier.bias is not None:
        classifier.bias.sub_(logits)
    else:
        mean = vectors[0].mean((0, 1))
        classifier.weight.sub_(logits.outer(mean) / mean.square().sum())


@cache
def tiny(name: str) -> PreTrainedModel:
    """The one model of a variant that all tests share; what changes it takes a new one."""
    return new_model(name)


def documents(lengths: Sequence[int] = LENGTHS, seed: int = 0) -> list[list[int]]:
    """Random ids between the special tokens that frame a document."""
    generator = torch.Generator().manual_seed(seed)
    words = [torch.randint(5, VOCABULARY, (length - 2,), generator=generator).tolist() for length in lengths]
    return [[OPENS, *ids, CLOSES] for ids in words]


def batch_of(model: PreTrainedModel, texts: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    return pad(texts, model.config.pad_token_id)


@contextmanager
def in_float64() -> Iterator[None]:
    """Let float64 stay float64 inside the models' own code, patched or not.

    Llama, Qwen2, EuroBERT, ModernBERT and DeBERTa compute norms, rotations or softmax in float32 whatever the model's
    precision: rounding of 1e-7, in which differences of 1e-10 and central differences drown. All of it is written as
    `Tensor.float`, `Tensor.to(torch.float32)` or ``softmax(dtype=torch.float32)``. Rotary angles stay float32: they
    depend on the position alone.
    """
    to, as_float, softmax = torch.Tensor.to, torch.Tensor.float, torch.nn.functional.softmax

    def exact_to(values: Tensor, *args: object, **kwargs: object) -> Tensor:
        narrows = torch.float32 is kwargs.get("dtype") or any(torch.float32 is arg for arg in args)
        return values if narrows and values.dtype == torch.float64 else to(values, *args, **kwargs)

    def exact_softmax(values: Tensor, dim: int | None = None, dtype: torch.dtype | None = None, **stack: int) -> Tensor:
        return softmax(values, dim=dim, dtype=None if values.dtype == torch.float64 else dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "to", exact_to)
        patch.setattr(torch.Tensor, "float", lambda it: it if it.dtype == torch.float64 else as_float(it))
        patch.setattr(torch.nn.functional, "softmax", exact_softmax)
        yield


# Attention weights [rows, heads, queries, keys] of a layer -> the weights that the model goes on with.
Edit = Callable[[int, Tensor], Tensor]


@contextmanager
def softmax_edited(edit: Edit) -> Iterator[None]:
    """Edit what the n-th softmax over 4-D scores of a forward pass returns: the attention weights of layer n."""
    softmax, calls = torch.nn.functional.softmax, iter(range(LAYERS))

    def edited(scores: Tensor, dim: int | None = None, dtype: torch.dtype | None = None, **stack: int) -> Tensor:
        weights = softmax(scores, dim=dim, dtype=dtype)
        return edit(next(calls), weights) if weights.dim() == 4 else weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "softmax", edited)
        yield
    assert next(calls, None) is None, "the model has called softmax fewer times than it has layers"


class Slow:
    """A model's own eager attention without the patch, one document at a time and no padding, its softmax edited."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = copy.deepcopy(model)
        self.model.config._attn_implementation = "eager"

    @torch.no_grad()
    def logits(self, ids: Sequence[int], edit: Edit, rows: int = 1) -> Tensor:
        """Logits [rows, classes] of a document repeated in rows, which the edit tells apart."""
        with in_float64(), softmax_edited(edit):
            return self.model(**batch_of(self.model, [ids] * rows)).logits

    def weights(self, ids: Sequence[int]) -> Tensor:
        """All attention weights, [layers, heads, queries, keys]."""
        seen: list[Tensor] = []

        def keep(layer: int, weights: Tensor) -> Tensor:
            seen.append(weights[0])
            return weights

        self.logits(ids, keep)
        return torch.stack(seen)

    def erased(
        self, ids: Sequence[int], place: str, erased: Collection[int], heads: Sequence[int] | None = None
    ) -> Tensor:
        """Logits without the weights to some keys: zeroed, what is left of a row divided by its sum, or zeros."""
        layers, heads, queries = self.entries(ids, place, heads)
        gone = torch.zeros(HEADS, len(ids), len(ids), dtype=torch.bool)
        for head, query in itertools.product(heads, queries):
            gone[head, query, [*erased]] = True

        def erase(layer: int, weights: Tensor) -> Tensor:
            if layer not in layers or not erased:
                return weights
            kept = weights.masked_fill(gone, 0.0)
            mass = kept.sum(-1, keepdim=True)
            left = torch.where(mass > 0, kept / mass, torch.zeros_like(kept))
            return torch.where(gone.any(-1, keepdim=True), left, weights)

        return self.logits(ids, erase)[0]

    def slopes(self, ids: Sequence[int], place: str, heads: Sequence[int] | None = None, step: float = 1e-5) -> Tensor:
        """Central differences ``d p_c / d a`` of every entry of a site, [layers, heads, queries, keys] of the site."""
        axes = [*self.entries(ids, place, heads), range(len(ids))]
        entries = torch.cartesian_prod(*(torch.tensor([*axis]) for axis in axes))

        def perturb(layer: int, weights: Tensor) -> Tensor:
            weights = weights.clone()
            for sign, first in ((1, 0), (-1, len(entries))):
                rows = (entries[:, 0] == layer).nonzero().squeeze(1)
                weights[(first + rows, *entries[rows, 1:].T)] += sign * step
            return weights

        logits = self.logits(ids, perturb, rows=2 * len(entries))
        decision = self.erased(ids, place, ()).argmax()
        above, below = logits.softmax(-1)[:, decision].chunk(2)
        return ((above - below) / (2 * step)).view(*map(len, axes))

    def entries(
        self, ids: Sequence[int], place: str, heads: Sequence[int] | None = None
    ) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Layers, heads and queries of a site; of ``layer:L`` the queries whose token vectors are read."""
        layers, every_query = ERASED_AT[place]
        queries = range(len(ids)) if every_query else self.read_from(len(ids))
        return layers, range(HEADS) if heads is None else heads, queries

    @cache  # noqa: B019 - it lives as long as the session
    def read_from(self, length: int) -> tuple[int, ...]:
        """Positions of the token vectors that the classifier reads: those with a gradient."""
        vectors: list[Tensor] = []
        hook = self.model.base_model.register_forward_hook(lambda module, args, output: vectors.append(output[0]))
        logits = self.model(input_ids=torch.tensor(documents([length]))).logits
        hook.remove()
        (gradient,) = torch.autograd.grad(logits.square().sum(), vectors)
        return tuple(gradient[0].abs().sum(-1).nonzero().squeeze(1).tolist())


@cache
def slow(name: str) -> Slow:
    return Slow(tiny(name))


def erasure_masks(
    oracle: Slow,
    place: str,
    texts: Sequence[Sequence[int]],
    erased: Sequence[Sequence[Collection[int]]],
    heads: Sequence[int] | None = None,
) -> Tensor:
    """Masks of the public patch, [documents, erasures, heads, queries, keys], from positions erased a document."""
    width = max(map(len, texts))
    keep = torch.ones(len(texts), len(erased[0]), HEADS, width, width, dtype=torch.bool)
    for row, ids in enumerate(texts):
        _, chosen, queries = oracle.entries(ids, place, heads)
        for number, keys in enumerate(erased[row]):
            for head, query in itertools.product(chosen, queries):
                keep[row, number, head, query, [*keys]] = False
    return keep


@torch.no_grad()
def patched_logits(model: PreTrainedModel, place: str, texts: Sequence[Sequence[int]], keep: Tensor) -> Tensor:
    """Logits [documents, erasures, classes] of one padded forward pass of the whole model with the public patch."""
    batch = batch_of(model, texts)
    repeated = {name: values.repeat_interleave(keep.shape[1], dim=0) for name, values in batch.items()}
    with in_float64(), erasable(model):
        logits = model(**repeated, attention_keep=dict.fromkeys(ERASED_AT[place][0], keep)).logits
    return logits.unflatten(0, keep.shape[:2])
