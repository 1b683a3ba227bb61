"""The layers of a loaded model, found by a dry run; some of them can run alone, on stored hidden states."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from eraserhead.models.special_tokens import padding_id, structural_token_ids
from eraserhead.patch.families import Family, Route, UnknownFamilyError, family_of
from eraserhead.patch.interface import AttentionRecord, erasable, implementation, locked

DRY_LENGTHS = (7, 4)  # tokens of the two documents of the dry run


@dataclass(frozen=True)
class Layers:
    """The transformer layers of a model in the order of their calls.

    Attributes:
        modules: One module for each call; ALBERT's single module appears once for each call.
        returned: Length of the tuple that a layer returns; None where it returns the hidden states alone.
        heads: Number of attention heads in a layer.
        projections: For each layer the linear maps to queries, keys and values, each with its width.
    """

    modules: tuple[nn.Module, ...]
    returned: int | None
    heads: int
    projections: tuple[tuple[tuple[nn.Module, int], ...], ...]

    def __len__(self) -> int:
        return len(self.modules)

    @contextmanager
    def running(
        self, first: int = 0, last: int | None = None, hidden: Tensor | None = None, watched: Collection[int] = ()
    ) -> Iterator[dict[int, Tensor]]:
        """Run only some layers in the model's next forward pass; the others pass their input on.

        Args:
            first: First layer that runs.
            last: Last layer that runs; default: the model's last.
            hidden: What the first layer gets in place of its input, ``[batch, tokens, hidden]``.
            watched: Layers whose inputs are stored in the yielded dictionary.
        """
        last = len(self) - 1 if last is None else last
        inputs: dict[int, Tensor] = {}
        calls = iter(range(len(self)))

        def run(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            layer = next(calls)
            given = args[0] if args else kwargs["hidden_states"]
            if layer == first and hidden is not None:
                given = hidden
                args, kwargs = ((given, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": given})
            if layer in watched:
                inputs[layer] = given
            if first <= layer <= last:
                return original(*args, **kwargs)
            return given if self.returned is None else (given, *[None] * (self.returned - 1))

        with _forwards({id(module): module for module in self.modules}.values(), run):
            yield inputs

    @contextmanager
    def without_projections(self, layer: int) -> Iterator[None]:
        """Replace a layer's queries, keys and values by zeros, which cost nothing, where its output is given."""
        widths = {id(module): width for module, width in self.projections[layer]}

        def zeros(module: nn.Module, original: Callable[..., Any], given: Tensor) -> Tensor:
            return given.new_zeros(()).expand(*given.shape[:-1], widths[id(module)])

        with ExitStack() as stack:
            for module, _ in self.projections[layer]:
                stack.enter_context(_forwards([module], partial(zeros, module)))
            yield


@contextmanager
def _forwards(modules: Collection[nn.Module], run: Callable[..., Any]) -> Iterator[None]:
    """Replace the forward of some modules by ``run(original, ...)`` inside the context."""
    before = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module in modules:
            module.forward = partial(run, module.forward)
        yield
    finally:
        for module, own in before:
            if own is None:
                module.__dict__.pop("forward", None)
            else:
                module.forward = own


def find_layers(model: PreTrainedModel) -> Layers:
    """Find a model's layers by a dry run, and check that erasure reaches all of them.

    Raises:
        UnknownFamilyError: The family is unknown, or the model does not behave like its family: its attention
            is not called once in each layer, or the patched attention gives other logits than the model's own.
    """
    family = family_of(model.config)
    if not any("ForSequenceClassification" in base.__name__ for base in type(model).__mro__):
        raise UnknownFamilyError(f"a {type(model).__name__} is no sequence classifier: it makes no decision to flip")
    with locked(model):
        return _find_layers(model, family)


def _find_layers(model: PreTrainedModel, family: Family) -> Layers:
    inputs = dry_inputs(model)
    probe = AttentionRecord()
    with torch.no_grad(), erasable(model):
        own = model(**inputs, attention_record=probe).logits
    homes = [_layer_of(model, module) for module in probe.modules]
    calls = _calls(model, inputs, homes)
    if (
        not homes
        or len(calls) != len(homes)
        or any(call is not home for (call, _), home in zip(calls, homes, strict=True))
    ):
        raise UnknownFamilyError(
            f"this '{model.config.model_type}' model called its attention {len(homes)} times in {len(calls)} layers: "
            "erasure would not reach all of it"
        )
    record = AttentionRecord(layers=range(len(homes)))
    with torch.no_grad(), erasable(model):
        patched = model(**inputs, attention_record=record).logits
    _compare(model, family, inputs, patched, own)
    heads = {weights.shape[1] for weights in record.weights.values()}
    return Layers(tuple(homes), calls[0][1], min(heads), _projections(model, inputs))


def _layer_of(model: nn.Module, attention: nn.Module) -> nn.Module:
    """Return the entry of the outermost module list above an attention module."""
    name = next(name for name, module in model.named_modules() if module is attention)
    parent: nn.Module = model
    for part in name.split("."):
        inside_list, parent = isinstance(parent, nn.ModuleList), parent.get_submodule(part)
        if inside_list:
            return parent
    return attention


def _calls(model: nn.Module, inputs: dict[str, Tensor], modules: list[nn.Module]) -> list[tuple[nn.Module, int | None]]:
    """Return which of the modules one forward pass calls, in order, and the length of the tuple each returns."""
    calls: list[tuple[nn.Module, int | None]] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        calls.append((module, len(output) if isinstance(output, tuple) else None))

    with ExitStack() as hooks, torch.no_grad():
        for module in dict.fromkeys(modules):
            hooks.callback(module.register_forward_hook(note).remove)
        model(**inputs)
    return calls


def _projections(model: PreTrainedModel, inputs: dict[str, Tensor]) -> tuple[tuple[tuple[nn.Module, int], ...], ...]:
    """Return the linear maps inside each layer's attention module that run before its attention is computed."""
    record = AttentionRecord()
    runs: list[tuple[int, nn.Module, int]] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        runs.append((len(record.modules), module, output.shape[-1]))

    with ExitStack() as hooks, torch.no_grad(), erasable(model):
        for module in model.modules():
            if isinstance(module, (nn.Linear, Conv1D)):
                hooks.callback(module.register_forward_hook(note).remove)
        model(**inputs, attention_record=record)
    found = []
    for attention in record.modules:
        parts = {id(part) for part in attention.modules()}
        # Only a shared module's first call counts: before later ones, its output projection runs for the layer below.
        first = next(number for number, module in enumerate(record.modules) if module is attention)
        found.append(
            tuple((module, width) for before, module, width in runs if before == first and id(module) in parts)
        )
    return tuple(found)


def dry_inputs(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return inputs of two documents of unequal lengths, for dry runs."""
    config = model.config.get_text_config()
    special = structural_token_ids(model.config)
    ids = [number for number in range(config.vocab_size) if number not in special][: sum(DRY_LENGTHS)]
    ids = (ids * sum(DRY_LENGTHS))[: sum(DRY_LENGTHS)]
    long, short = DRY_LENGTHS
    rows = [ids[:long], ids[long:] + [padding_id(model.config)] * (long - short)]
    mask = [[1] * long, [1] * short + [0] * (long - short)]
    return {
        "input_ids": torch.tensor(rows, device=model.device),
        "attention_mask": torch.tensor(mask, device=model.device),
    }


@torch.no_grad()
def _compare(
    model: PreTrainedModel, family: Family, inputs: dict[str, Tensor], patched: Tensor, unpatched: Tensor
) -> None:
    """Refuse a model whose attention does something that the patch does not know, such as capping its scores."""
    references = [unpatched]
    if family.route is Route.INTERFACE:
        try:
            with implementation(model, "eager"):
                references.append(model(**inputs).logits)
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UnknownFamilyError(f"its own eager attention fails, so ours cannot be checked: {reason}") from error
    for reference in references:
        if not same_logits(patched, reference):
            difference = float((patched - reference).abs().max())
            raise UnknownFamilyError(
                f"the attention of this '{model.config.model_type}' model is not what the patch computes: logits "
                f"differ by {difference:.2g}"
            )


def same_logits(found: Tensor, expected: Tensor) -> bool:
    """Tell whether two ways to compute logits agree within their precision.

    Some families compute norms and softmax in float32, whatever the model's precision.
    """
    near = max(torch.finfo(found.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
    return torch.allclose(found, expected, rtol=near, atol=near)
