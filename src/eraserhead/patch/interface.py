"""Erasure masks for the self-attention of transformers' models; no model's code is copied or changed.

    with erasable(model):
        logits = model(**inputs, attention_keep={5: mask}).logits

`mask` is boolean, ``[batch, erasures or 1, heads or 1, queries or 1, keys]``; where it is False, layer 5 (counted from
0 in the order of calls) gives the key a weight of 0 and renormalises the query's other weights (METHOD section 6).
With several erasures, each row of the model's batch is one erasure of one document, a document's erasures side by side:
``len(input_ids) == batch * erasures``.

Families that dispatch through transformers' `AttentionInterface` get one registered function, which keeps SDPA unless
weights are recorded or scores have a soft cap; the others get a hook on the dropout that their weights pass through.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from eraserhead.errors import UserError
from eraserhead.patch.dropout_hook import dropout_hooks
from eraserhead.patch.families import FAMILIES, Route
from eraserhead.patch.passes import (
    PASS,
    AttentionRecord,
    AttentionStates,
    ErasurePass,
    LayerLeft,
    erasure_passes,
    mask_rows,
    value_rows,
)

__all__ = ["AttentionRecord", "attention_weights", "erasable", "for_heads", "implementation", "locked"]

IMPLEMENTATION = "eraserhead"  # the name registered with transformers

# By the id of the config that dispatches attention, which two models may share; unused locks are dropped.
_locks: "weakref.WeakValueDictionary[int, _Lock]" = weakref.WeakValueDictionary()
_locks_guard = threading.Lock()


class _Lock:
    """A lock that can be referred to weakly."""

    def __init__(self) -> None:
        self.reentrant = threading.RLock()


@contextmanager
def erasable(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Let `model` take `attention_keep` and `attention_record` in its calls, and restore it afterwards.

    Calls without these keywords run transformers' SDPA, bit for bit as before where the model was loaded with it (the
    default). SDPA has no soft cap: models that cap their scores run as transformers' eager attention does. Families
    that do not dispatch through the interface run unchanged. Two threads may use two models; a second thread that wants
    the same model waits. The names registered with transformers stay registered.

    Keywords of `model(...)` inside the context:
        attention_keep: Masks by layer, see above. A query whose keys are all erased gives zeros.
        attention_record: An `AttentionRecord`.

    Raises:
        UserError: `model` is not a model of transformers.
        ValueError: In a call: a mask's shape does not fit, or a layer does not exist or does not dispatch.
    """
    if not isinstance(model, nn.Module) or not isinstance(getattr(model, "config", None), PreTrainedConfig):
        raise UserError(f"model is a {type(model).__name__}; give a model of transformers")
    family = FAMILIES.get(model.config.model_type)
    hooked = family is not None and family.route is Route.DROPOUT
    with locked(model), dropout_hooks(model) if hooked else _dispatching(model):
        yield model


@contextmanager
def locked(model: PreTrainedModel) -> Iterator[None]:
    """Keep other threads from changing how the model attends; the same thread may enter again."""
    with _locks_guard:
        lock = _locks.setdefault(id(model.config), _Lock())
    with lock.reentrant:
        yield


@contextmanager
def _dispatching(model: PreTrainedModel) -> Iterator[None]:
    AttentionInterface.register(IMPLEMENTATION, _attention)
    AttentionMaskInterface.register(IMPLEMENTATION, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    with implementation(model, IMPLEMENTATION), erasure_passes(model, in_keywords=True):
        yield


@contextmanager
def implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Let the model's attention dispatch to another implementation inside the context."""
    # Not by `set_attn_implementation`: its checks do not know ours, and it does not return the previous one.
    found = [getattr(module, "config", None) for module in model.modules()]
    configs = list({id(config): config for config in found if isinstance(config, PreTrainedConfig)}.values())
    before = [config._attn_implementation_internal for config in configs]
    try:
        for config in configs:
            config._attn_implementation_internal = name
        yield
    finally:
        for config, name_before in zip(configs, before, strict=True):
            config._attn_implementation_internal = name_before


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attend as transformers' SDPA does, minus what the pass erases: ``[batch, queries, heads, head size]``."""
    current: ErasurePass | None = kwargs.pop(PASS, None)
    cap: float | None = kwargs.pop("softcap", None)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if current is None and cap is not None:
        return _capped_attention(module, query, key, value, attention_mask, scale, cap), None
    if current is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    layer = current.layer(module)
    if layer in current.outputs:
        return current.outputs[layer], None
    keep, record = current.keep.get(layer), current.record
    if layer in current.values:
        stay = value_rows(current.values[layer], len(value), value.shape[2], layer)
        value = value.masked_fill(~stay[:, None, :, None], 0.0)
    if keep is None and layer not in (*record.layers, *record.state_layers) and cap is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    allowed = _allowed(module, query, key, attention_mask, kwargs.get("is_causal"))
    if layer in record.state_layers:
        added = attention_mask is not None and attention_mask.dtype != torch.bool
        record.states[layer] = AttentionStates(query, key, value, allowed, scale, cap, added)
        if layer == current.left:
            raise LayerLeft
    own = allowed
    if keep is not None:
        rows = mask_rows(keep, (*query.shape[:3], key.shape[2]), layer)
        allowed = rows if allowed is None else allowed & rows
    if layer not in record.layers and cap is None:
        kwargs["is_causal"] = False  # the mask covers causality
        attended, _ = sdpa_attention_forward(
            module, query, key, value, allowed, scaling=scale, dropout=dropout, **kwargs
        )
        return _zero_where_nothing(attended, allowed if keep is not None else None), None
    scores = capped((scale * query) @ for_heads(key, query).transpose(-1, -2), cap)
    bias: Tensor | None = kwargs.get("position_bias")  # T5's
    weights = attention_weights(scores if bias is None else scores + bias, allowed)
    if layer in record.layers:
        record.allowed[layer] = own
        if torch.is_grad_enabled() and not weights.requires_grad:
            weights.requires_grad_()
        record.weights[layer] = weights
    return (weights @ for_heads(value, query)).transpose(1, 2).contiguous(), weights


def capped(scores: Tensor, cap: float | None) -> Tensor:
    """Keep scores between plus and minus a soft cap, as Gemma 2 does; null: as they are."""
    return scores if cap is None else cap * (scores / cap).tanh()


def _capped_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float
) -> Tensor:
    """Attend with capped scores as transformers' eager attention does, bit for bit: SDPA has no cap."""
    scores = torch.matmul(query, for_heads(key, query).transpose(2, 3)) * scale
    scores = torch.tanh(scores / cap) * cap
    allowed = _allowed(module, query, key, mask, None)
    if allowed is not None:
        scores = scores + torch.zeros_like(scores).masked_fill(~allowed, torch.finfo(scores.dtype).min)
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    return torch.matmul(weights, for_heads(value, query)).transpose(1, 2).contiguous()


def attention_weights(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """Return the softmax over the allowed keys; zeros for a query that is allowed none.

    Renormalising a softmax over all keys would lose precision where an erased key had nearly all the weight.
    """
    if allowed is None:
        return scores.softmax(-1)
    some = allowed.any(-1, keepdim=True)
    return scores.masked_fill(~allowed & some, -torch.inf).softmax(-1).masked_fill(~some, 0.0)


def _allowed(
    module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool | None
) -> Tensor | None:
    """Return which keys SDPA's mask and its causal flag allow together; None for all."""
    if mask is not None:
        return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    queries, keys = query.shape[2], key.shape[2]
    if not causal or queries == 1:
        return None
    return torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril().view(1, 1, queries, keys)


def for_heads(states: Tensor, query: Tensor) -> Tensor:
    """Repeat grouped keys or values for the heads that share them."""
    groups = query.shape[1] // states.shape[1]
    return states if groups == 1 else states.repeat_interleave(groups, dim=1)


def _zero_where_nothing(attended: Tensor, allowed: Tensor | None) -> Tensor:
    if allowed is None:
        return attended
    some = allowed.any(-1, keepdim=True).transpose(1, 2)  # [batch, queries or 1, heads or 1, 1]
    return attended.masked_fill(~some, 0.0)
