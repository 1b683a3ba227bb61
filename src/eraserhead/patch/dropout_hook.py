"""Erasure in families with an attention of their own, at the dropout that their attention weights pass through."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from eraserhead.patch.passes import ErasurePass, erasure_passes, mask_rows, value_rows


@contextmanager
def dropout_hooks(model: PreTrainedModel) -> Iterator[None]:
    """Erase where attention weights pass through a dropout: a 4-D tensor whose rows sum to 1, or to 0 at padding."""
    current: list[ErasurePass] = []
    with ExitStack() as hooks, erasure_passes(model, in_keywords=False, current=current):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                hooks.callback(module.register_forward_pre_hook(_erasing_hook(current)).remove)
        yield


def _erasing_hook(current: list[ErasurePass]) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Tensor, ...] | None]:
    def erase(module: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor, ...] | None:
        if not current or not _are_weights(args[0]):
            return None
        layer = current[0].layer(module)
        if current[0].outputs or current[0].record.state_layers:
            raise ValueError("only families of the attention interface let queries, keys and values be recorded")
        weights: Tensor = args[0]
        if (keep := current[0].keep.get(layer)) is not None:
            weights = renormalised(weights, mask_rows(keep, weights.shape, layer))
        if layer in current[0].record.layers:
            if torch.is_grad_enabled() and not weights.requires_grad:
                weights = weights.clone().requires_grad_()
            current[0].record.weights[layer] = weights
            # The mask itself is out of reach; what it forbids has a weight of exactly 0.
            current[0].record.allowed[layer] = args[0].detach() > 0
        if (stay := current[0].values.get(layer)) is not None:
            # A value counts as 0 where its weight does, since nothing is renormalised here.
            weights = weights * value_rows(stay, len(weights), weights.shape[3], layer)[:, None, None, :]
        return (weights,)

    return erase


def _are_weights(values: Any) -> bool:
    if not isinstance(values, Tensor) or values.dim() != 4 or not values.is_floating_point():
        return False
    sums = values.detach().sum(-1)
    # Some families compute the softmax in float32, whatever the model's precision.
    near = max(torch.finfo(values.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
    return bool((((sums - 1).abs() < near) | (sums == 0)).all())


def renormalised(weights: Tensor, keep: Tensor) -> Tensor:
    """Zero the weights outside `keep` and let the rest of each row sum to 1; zeros where nothing is left."""
    kept = weights * keep
    kept = kept / kept.detach().amax(-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)  # no sum underflows
    mass = kept.sum(-1, keepdim=True)
    return torch.where(mass > 0, kept / mass.clamp(min=torch.finfo(kept.dtype).tiny), torch.zeros_like(kept))
