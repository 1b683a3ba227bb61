"""Erasure masks for the self-attention of transformers' models; no model's code is copied or changed.

    with erasable(model):
        logits = model(**inputs, attention_keep={5: mask}).logits

`mask` is boolean, ``[batch, erasures or 1, heads or 1, queries or 1, keys]``; where it is False, layer 5 (counted from
0 in the order of calls) gives the key a weight of 0 and renormalises the query's other weights (METHOD section 6).
With several erasures a row of the model's batch is one erasure of one document, a document's erasures side by side:
``len(input_ids) == batch * erasures``.

Families that dispatch through transformers' `AttentionInterface` get one registered function, which keeps SDPA for all
that is not erased; the others a hook on the dropout that their attention weights pass through.
"""

import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from eraserhead.models.families import FAMILIES, Route

IMPLEMENTATION = "eraserhead"  # the name registered with transformers
# Keywords of model(...); the last two serve replays, which run some layers alone (`Layers.running`).
KEEP, RECORD, OUTPUTS, FIRST = "attention_keep", "attention_record", "attention_outputs", "attention_first"
PASS = "erasure_pass"  # under which one forward pass's masks travel to the attention function

_locks: "weakref.WeakKeyDictionary[nn.Module, threading.RLock]" = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


@dataclass(frozen=True)
class AttentionStates:
    """What the attention of one layer was called with.

    Attributes:
        query: ``[batch, heads, queries, head size]``, rotated already where positions are rotary.
        key: ``[batch, key heads, keys, head size]``.
        value: Like `key`.
        allowed: Which keys a query may attend to, broadcastable to ``[batch, heads, queries, keys]``; null: all.
        scaling: Factor of the scores.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    allowed: Tensor | None
    scaling: float


@dataclass
class AttentionRecord:
    """Asks for the attention of some layers and holds it after the forward pass; give it as `attention_record`.

    Attributes:
        layers: Layers whose weights are recorded.
        state_layers: Layers whose queries, keys and values are recorded (attention interface only).
        weights: The weights of each layer, ``[batch, heads, queries, keys]``, after erasure; with gradients enabled
            they are part of the graph: ``torch.autograd.grad(logit, list(record.weights.values()))``.
        states: What the attention of each layer was called with.
        modules: The module that computed each layer's attention; grows during the pass.
    """

    layers: Collection[int] = ()
    state_layers: Collection[int] = ()
    weights: dict[int, Tensor] = field(default_factory=dict)
    states: dict[int, AttentionStates] = field(default_factory=dict)
    modules: list[nn.Module] = field(default_factory=list)


@dataclass
class _Pass:
    """The erasures of one forward pass, and how far it has come.

    A layer's number is that of its call: modules do not always know theirs, and one module may serve all layers.
    Gradient checkpointing calls attention again after the pass; then the module tells the layer.
    """

    keep: Mapping[int, Tensor]
    record: AttentionRecord
    outputs: Mapping[int, Tensor]
    first: int = 0
    ended: bool = False

    @property
    def called(self) -> list[nn.Module]:
        return self.record.modules

    def layer(self, module: nn.Module) -> int:
        if not self.ended:
            self.called.append(module)
            return self.first + len(self.called) - 1
        found = [self.first + number for number, other in enumerate(self.called) if other is module]
        if len(found) != 1:
            raise RuntimeError("gradient checkpointing: one module serves several layers; switch checkpointing off")
        return found[0]

    def end(self) -> None:
        self.ended = True
        asked = {*self.keep, *self.record.layers, *self.record.state_layers, *self.outputs}
        if not asked <= set(range(self.first, self.first + len(self.called))):
            raise ValueError(
                f"attention of layers {sorted(asked)} was asked for, and {len(self.called)} attention calls of the "
                "model were seen; layers are numbered from 0"
            )


@contextmanager
def erasable(model: PreTrainedModel) -> Iterator[PreTrainedModel]:
    """Let `model` take `attention_keep` and `attention_record` in its calls, and put it back as it was.

    Nothing changes for calls without these keywords: the same SDPA, bit for bit. Two threads may use two models; a
    second thread that wants the same model waits. The names registered with transformers stay.

    Keywords of `model(...)` inside the context:
        attention_keep: Masks by layer, see above. A query whose keys are all erased gives zeros.
        attention_record: An `AttentionRecord`.

    Raises:
        ValueError: In a call: a mask's shape does not fit, or a layer does not exist or does not dispatch.
    """
    family = FAMILIES.get(model.config.model_type)
    hooked = family is not None and family.route is Route.DROPOUT
    with _lock(model), _dropout_hooks(model) if hooked else _dispatching(model):
        yield model


def _lock(model: nn.Module) -> threading.RLock:
    with _locks_guard:
        return _locks.setdefault(model, threading.RLock())


@contextmanager
def _dispatching(model: PreTrainedModel) -> Iterator[None]:
    AttentionInterface.register(IMPLEMENTATION, _attention)
    AttentionMaskInterface.register(IMPLEMENTATION, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    with implementation(model, IMPLEMENTATION), _passes(model, in_keywords=True):
        yield


@contextmanager
def implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Let the model's attention dispatch to another implementation for a while."""
    # Without `set_attn_implementation`, which checks what it knows nothing of and cannot tell what was there before.
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


@contextmanager
def _passes(model: nn.Module, in_keywords: bool, current: list[_Pass] | None = None) -> Iterator[None]:
    """Turn our keywords of a forward call into one `_Pass`: handed on in the keywords, or left in `current`."""
    running: list[_Pass] = [] if current is None else current

    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        running.clear()
        asked = {name: kwargs.pop(name, None) for name in (KEEP, RECORD, OUTPUTS, FIRST)}
        if all(asked[name] is None for name in (KEEP, RECORD, OUTPUTS)):
            return args, kwargs
        record = asked[RECORD] or AttentionRecord()
        record.modules.clear()
        running.append(_Pass(asked[KEEP] or {}, record, asked[OUTPUTS] or {}, asked[FIRST] or 0))
        return args, {**kwargs, PASS: running[0]} if in_keywords else kwargs

    def end(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        while running:
            running.pop().end()

    with ExitStack() as hooks:
        # Ours is the outermost of several contexts' hooks: later ones find no keyword of ours any more.
        hooks.callback(model.register_forward_pre_hook(begin, with_kwargs=True, prepend=True).remove)
        hooks.callback(model.register_forward_hook(end).remove)
        yield


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
    """Attend as transformers' SDPA does, or without what the pass erases: ``[batch, queries, heads, head size]``."""
    current: _Pass | None = kwargs.pop(PASS, None)
    if current is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    layer = current.layer(module)
    if layer in current.outputs:
        return current.outputs[layer], None
    keep = current.keep.get(layer)
    if keep is None and layer not in current.record.layers and layer not in current.record.state_layers:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    allowed = _allowed(module, query, key, attention_mask, kwargs.get("is_causal"))
    if layer in current.record.state_layers:
        current.record.states[layer] = AttentionStates(query, key, value, allowed, scale)
    if keep is not None:
        rows = _rows(keep, len(query), layer)
        allowed = rows if allowed is None else allowed & rows
    if layer not in current.record.layers:
        kwargs["is_causal"] = False  # the mask says it all
        attended, _ = sdpa_attention_forward(
            module, query, key, value, allowed, scaling=scale, dropout=dropout, **kwargs
        )
        return _zero_where_nothing(attended, allowed if keep is not None else None), None
    weights = attention_weights(scale * (query @ for_heads(key, query).transpose(-1, -2)), allowed)
    if torch.is_grad_enabled() and not weights.requires_grad:
        weights.requires_grad_()
    current.record.weights[layer] = weights
    return (weights @ for_heads(value, query)).transpose(1, 2).contiguous(), weights


def attention_weights(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """Return the softmax over the allowed keys; zeros for a query that is allowed none.

    Renormalising a softmax over all keys would lose the precision of what an erased, overwhelming key had left.
    """
    if allowed is None:
        return scores.softmax(-1)
    some = allowed.any(-1, keepdim=True)
    return scores.masked_fill(~allowed & some, -torch.inf).softmax(-1).masked_fill(~some, 0.0)


def _allowed(
    module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, is_causal: bool | None
) -> Tensor | None:
    """Return what SDPA's mask and its causal flag say together."""
    if mask is not None:
        return mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    queries, keys = query.shape[2], key.shape[2]
    if not causal or queries == 1:
        return None
    return torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril().view(1, 1, queries, keys)


def _rows(keep: Tensor, rows: int, layer: int) -> Tensor:
    """Return a mask ``[batch, erasures, heads, queries, keys]`` as the model's batch has it."""
    if keep.dim() != 5 or keep.dtype != torch.bool or keep.shape[0] * keep.shape[1] != rows:
        raise ValueError(
            f"attention_keep[{layer}]: {keep.dtype} {tuple(keep.shape)}; it must be boolean [batch, erasures or 1, "
            f"heads or 1, queries or 1, keys], with batch x erasures = {rows}, the rows of the model's batch"
        )
    return keep.flatten(0, 1)


def for_heads(states: Tensor, query: Tensor) -> Tensor:
    """Repeat grouped keys or values for the heads that share them."""
    groups = query.shape[1] // states.shape[1]
    return states if groups == 1 else states.repeat_interleave(groups, dim=1)


def _zero_where_nothing(attended: Tensor, allowed: Tensor | None) -> Tensor:
    if allowed is None:
        return attended
    some = allowed.any(-1, keepdim=True).transpose(1, 2)  # [batch, queries or 1, heads or 1, 1]
    return attended.masked_fill(~some, 0.0)


@contextmanager
def _dropout_hooks(model: PreTrainedModel) -> Iterator[None]:
    """Erase where attention weights pass through a dropout: a 4-D tensor whose rows sum to 1, or to 0 at padding."""
    current: list[_Pass] = []
    with ExitStack() as hooks, _passes(model, in_keywords=False, current=current):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                hooks.callback(module.register_forward_pre_hook(_erasing_hook(current)).remove)
        yield


def _erasing_hook(current: list[_Pass]) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Tensor, ...] | None]:
    def erase(module: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor, ...] | None:
        if not current or not _are_weights(args[0]):
            return None
        layer = current[0].layer(module)
        if current[0].outputs or current[0].record.state_layers:
            raise ValueError("queries, keys and values are seen in families of the attention interface alone")
        weights: Tensor = args[0]
        if (keep := current[0].keep.get(layer)) is not None:
            weights = renormalised(weights, _rows(keep, len(weights), layer))
        if layer in current[0].record.layers:
            if torch.is_grad_enabled() and not weights.requires_grad:
                weights = weights.clone().requires_grad_()
            current[0].record.weights[layer] = weights
        return (weights,)

    return erase


def _are_weights(values: Any) -> bool:
    if not isinstance(values, Tensor) or values.dim() != 4 or not values.is_floating_point():
        return False
    sums = values.detach().sum(-1)
    near = torch.finfo(values.dtype).eps ** 0.5
    return bool((((sums - 1).abs() < near) | (sums == 0)).all())


def renormalised(weights: Tensor, keep: Tensor) -> Tensor:
    """Zero the weights outside `keep` and let the rest of each row sum to 1; zeros where nothing is left."""
    kept = weights * keep
    kept = kept / kept.detach().amax(-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)  # no sum underflows
    mass = kept.sum(-1, keepdim=True)
    return torch.where(mass > 0, kept / mass.clamp(min=torch.finfo(kept.dtype).tiny), torch.zeros_like(kept))
