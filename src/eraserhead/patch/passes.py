"""The erasures of one forward pass, carried from the keywords of a model's call to its layers."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from eraserhead.patch.keywords import ALL, FIRST, KEEP, LEFT, OUTPUTS, RECORD, VALUES, takes_keywords

PASS = "erasure_pass"  # the keyword that carries them to the attention function


@dataclass(frozen=True)
class AttentionStates:
    """The arguments of one layer's attention call.

    Attributes:
        query: ``[batch, heads, queries, head size]``, after rotation where positions are rotary.
        key: ``[batch, key heads, keys, head size]``.
        value: Like `key`.
        allowed: Which keys a query may attend to, broadcastable to ``[batch, heads, queries, keys]``; None: all.
        scaling: Factor of the scores.
        cap: What the scaled scores are softly capped at; null: nothing.
        attends_anyway: Whether a query that may attend to no key attends to all alike, as with a mask that is added.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    allowed: Tensor | None
    scaling: float
    cap: float | None = None
    attends_anyway: bool = False


@dataclass
class AttentionRecord:
    """Requests the attention of some layers and holds it after the forward pass; pass it as `attention_record`.

    Attributes:
        layers: Layers whose weights are recorded.
        state_layers: Layers whose queries, keys and values are recorded (attention interface only).
        weights: The weights of each layer, ``[batch, heads, queries, keys]``, after erasure; with gradients enabled
            they are part of the graph: ``torch.autograd.grad(logit, list(record.weights.values()))``.
        allowed: Which of each layer's weights the model's own mask allows, broadcastable to the weights; None: all.
        states: The arguments of each layer's attention call.
        modules: The modules that computed attention, in the order of calls; grows during the pass.
    """

    layers: Collection[int] = ()
    state_layers: Collection[int] = ()
    weights: dict[int, Tensor] = field(default_factory=dict)
    allowed: dict[int, Tensor | None] = field(default_factory=dict)
    states: dict[int, AttentionStates] = field(default_factory=dict)
    modules: list[nn.Module] = field(default_factory=list)


class LayerLeft(Exception):  # noqa: N818 - no error: `Layers.running` catches it
    """Leaves a layer, all that is needed of which is recorded."""


@dataclass
class ErasurePass:
    """The erasures of one forward pass, and the attention calls made so far.

    Layers are numbered by their calls, since modules do not always know their number and one module may serve all
    layers. Gradient checkpointing calls attention again after the pass; the layer is then found by its module.
    """

    keep: Mapping[int, Tensor]
    record: AttentionRecord
    outputs: Mapping[int, Tensor]
    first: int = 0
    left: int | None = None
    values: Mapping[int, Tensor] = field(default_factory=dict)
    ended: bool = False

    @property
    def called(self) -> list[nn.Module]:
        """The modules that have computed attention so far."""
        return self.record.modules

    def layer(self, module: nn.Module) -> int:
        """Return the layer whose attention a module is about to compute."""
        if not self.ended:
            self.called.append(module)
            return self.first + len(self.called) - 1
        found = [self.first + number for number, other in enumerate(self.called) if other is module]
        if len(found) != 1:
            raise RuntimeError("gradient checkpointing: one module serves several layers; switch checkpointing off")
        return found[0]

    def end(self) -> None:
        """Check that every requested layer was reached.

        Raises:
            ValueError: A requested layer was not reached.
        """
        self.ended = True
        asked = {*self.keep, *self.record.layers, *self.record.state_layers, *self.outputs, *self.values}
        if not asked <= set(range(self.first, self.first + len(self.called))):
            raise ValueError(
                f"attention of layers {sorted(asked)} was requested, but the model made "
                f"{len(self.called)} attention calls; layers are numbered from 0"
            )


@contextmanager
def erasure_passes(model: nn.Module, in_keywords: bool, current: list[ErasurePass] | None = None) -> Iterator[None]:
    """Turn our keywords of a forward call into one `ErasurePass`, passed on in the keywords or left in `current`."""
    running: list[ErasurePass] = [] if current is None else current

    @takes_keywords
    def begin(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        running.clear()
        asked = {name: kwargs.pop(name, None) for name in ALL}
        if all(asked[name] is None for name in (KEEP, RECORD, OUTPUTS, VALUES)):
            return args, kwargs
        if not in_keywords and _recomputes(module):
            raise ValueError("gradient checkpointing would compute attention again without its erasures; switch it off")
        record = asked[RECORD] or AttentionRecord()
        record.modules.clear()
        layers = (asked[FIRST] or 0, asked[LEFT])
        running.append(
            ErasurePass(asked[KEEP] or {}, record, asked[OUTPUTS] or {}, *layers, values=asked[VALUES] or {})
        )
        return args, {**kwargs, PASS: running[0]} if in_keywords else kwargs

    def end(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        while running:
            running.pop().end()

    with ExitStack() as hooks:
        # In nested contexts the innermost hook runs first and takes the keywords; the others find none.
        hooks.callback(model.register_forward_pre_hook(begin, with_kwargs=True, prepend=True).remove)
        hooks.callback(model.register_forward_hook(end).remove)
        yield


def _recomputes(model: nn.Module) -> bool:
    """Tell whether a backward pass calls the layers again."""
    return model.training and any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def mask_rows(keep: Tensor, shape: Sequence[int], layer: int) -> Tensor:
    """Return a mask ``[batch, erasures, heads, queries, keys]`` in the weights' shape ``[rows, heads, queries, keys]``.

    Raises:
        ValueError: The mask does not fit these weights.
    """
    rows, heads, queries, keys = shape
    fits = keep.dtype == torch.bool and keep.dim() == 5 and keep.shape[0] * keep.shape[1] == rows
    if not fits or keep.shape[2] not in (1, heads) or keep.shape[3] not in (1, queries) or keep.shape[4] != keys:
        raise ValueError(
            f"attention_keep[{layer}]: {keep.dtype} {tuple(keep.shape)}; it must be boolean [batch, erasures or 1, "
            f"{heads} heads or 1, {queries} queries or 1, {keys} keys], with batch x erasures = {rows}, the rows of "
            "the model's batch"
        )
    return keep.flatten(0, 1)


def value_rows(stay: Tensor, rows: int, keys: int, layer: int) -> Tensor:
    """Return a mask of the keys whose values stay, ``[rows, keys]``.

    Raises:
        ValueError: The mask does not fit these keys.
    """
    if stay.dtype != torch.bool or stay.shape != (rows, keys):
        raise ValueError(
            f"attention_values[{layer}]: {stay.dtype} {tuple(stay.shape)}; it must be boolean "
            f"[{rows} rows, {keys} keys]"
        )
    return stay
