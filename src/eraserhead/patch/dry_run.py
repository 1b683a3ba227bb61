"""A dry run of a loaded model: finds its layers, and proves on two documents that erasure reaches all of them."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from eraserhead.models.special_tokens import padding_id, structural_token_ids
from eraserhead.patch.families import Family, ReadOut, Route, UnknownFamilyError, family_of, known_families
from eraserhead.patch.interface import AttentionRecord, erasable, implementation, locked
from eraserhead.patch.layers import Layers, replaced_forwards
from eraserhead.patch.read_out_probe import probed_read_out

DRY_LENGTHS = (7, 4)  # tokens of the two documents of the dry run


def find_layers(model: PreTrainedModel) -> Layers:
    """Find a model's layers by a dry run, and check that erasure reaches all of them.

    Raises:
        UnknownFamilyError: The model behaves otherwise than its family does, or than any that can be erased: its
            attention is not called once a layer, what the patch computes is not what the model's own attention does,
            its decisions depend on the batch, or its decision is read from an unknown place.
    """
    family = family_of(model.config)
    if not any("ForSequenceClassification" in base.__name__ for base in type(model).__mro__):
        raise UnknownFamilyError(f"a {type(model).__name__} is no sequence classifier: it makes no decision to flip")
    with locked(model), torch.no_grad():
        if family.listed:
            return _find_layers(model, family)
        try:
            return _find_layers(model, family)
        except UnknownFamilyError:
            raise
        except Exception as error:  # whatever the code of a family that nobody has looked at raises
            reason = " ".join(str(error).split())[:200]
            raise _unreached(model, f"its dry run failed ({reason})") from error


def _unreached(model: PreTrainedModel, reason: str) -> UnknownFamilyError:
    return UnknownFamilyError(
        f"attention inside a '{model.config.model_type}' model cannot be erased: {reason}; families known to work are "
        f"{known_families()}"
    )


def _find_layers(model: PreTrainedModel, family: Family) -> Layers:
    sees_padding = _sees_padding(model)
    inputs = dry_inputs(model, padded=not sees_padding)
    seen = _watched(model, inputs)
    homes = [_layer_of(model, module) for module in seen.attentions]
    calls = _calls(model, inputs, homes)
    if not homes and not family.listed:
        raise _unreached(model, "it is not called through transformers' attention interface")
    encoder = _encoder_layers(model, homes)
    expected = homes if encoder is None else homes[:encoder] + homes[encoder::2]
    if not homes or [id(call) for call, _ in calls] != [id(home) for home in expected]:
        raise UnknownFamilyError(
            f"this '{model.config.model_type}' model called its attention {len(homes)} times in {len(calls)} layers: "
            "erasure would not reach all of it"
        )
    record = AttentionRecord(layers=range(len(homes)))
    with erasable(model):
        patched = model(**inputs, attention_record=record).logits
    _compare(model, family, inputs, patched, seen.logits)
    if encoder is not None:
        _check_parts(model, encoder, [record.weights[call] for call in sorted(record.weights)])
    heads = min(weights.shape[1] for weights in record.weights.values())
    projections = _projections(seen.attentions, seen.runs)
    anywhere = Layers(family, ReadOut.MEAN, tuple(expected), calls[-1][1], heads, projections, encoder, sees_padding)
    if sees_padding:
        _compare_alone(model, inputs, seen.logits)
    return replace(anywhere, read_out=probed_read_out(model, anywhere, inputs))


def _encoder_layers(model: PreTrainedModel, homes: list[nn.Module]) -> int | None:
    """Return how many layers are an encoder's, where layers that attend twice follow them; None for other models."""
    if not model.config.is_encoder_decoder:
        return None
    counts = Counter(id(home) for home in homes)
    return sum(count == 1 for count in counts.values())


def _check_parts(model: PreTrainedModel, encoder: int, weights: list[Tensor]) -> None:
    """Refuse a model whose decoder layers do not first attend to earlier positions, and then to the whole encoder."""
    later = [bool(each.triu(1).any()) for each in weights]
    decoders = (len(weights) - encoder) // 2
    if later != [True] * encoder + [False, True] * decoders or len({each.shape[1] for each in weights}) > 1:
        raise UnknownFamilyError(
            f"this '{model.config.model_type}' model's layers are not those of an encoder and of a decoder that "
            "attends to itself and then to the encoder, with as many heads in each"
        )


@dataclass(frozen=True)
class _Pass:
    """What one forward pass showed.

    Attributes:
        logits: The model's own.
        attentions: The module of each attention call.
        runs: Of each linear map that ran: how many attention calls came before it, itself, and its width.
    """

    logits: Tensor
    attentions: list[nn.Module]
    runs: list[tuple[int, nn.Module, int]]


def _watched(model: PreTrainedModel, inputs: dict[str, Tensor]) -> _Pass:
    record = AttentionRecord()
    runs: list[tuple[int, nn.Module, int]] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        runs.append((len(record.modules), module, output.shape[-1]))

    with ExitStack() as hooks, erasable(model):
        for module in model.modules():
            if isinstance(module, (nn.Linear, Conv1D)):
                hooks.callback(module.register_forward_hook(note).remove)
        logits = model(**inputs, attention_record=record).logits
    return _Pass(logits, list(record.modules), runs)


def _layer_of(model: nn.Module, attention: nn.Module) -> nn.Module:
    """Return the entry of the outermost module list above an attention module."""
    name = next(name for name, module in model.named_modules() if module is attention)
    parent: nn.Module = model
    for part in name.split("."):
        inside_list, parent = isinstance(parent, nn.ModuleList), parent.get_submodule(part)
        if inside_list:
            return parent
    return attention


def _calls(
    model: nn.Module, inputs: dict[str, Tensor], modules: list[nn.Module]
) -> list[tuple[nn.Module, int | str | None]]:
    """Return which of the modules one forward pass calls, in order, and what each returns (`Layers.returned`)."""
    calls: list[tuple[nn.Module, int | str | None]] = []

    def note(module: nn.Module, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        calls.append((module, _returned(output)))
        return output

    with ExitStack() as stack:
        for module in dict.fromkeys(modules):  # not by hooks: SqueezeBERT calls `forward` itself
            stack.enter_context(replaced_forwards([module], partial(note, module)))
        model(**inputs)
    return calls


def _returned(output: Any) -> int | str | None:
    if isinstance(output, dict):
        return str(next(iter(output)))
    return len(output) if isinstance(output, (tuple, list)) else None


def _projections(
    attentions: list[nn.Module], runs: list[tuple[int, nn.Module, int]]
) -> tuple[tuple[tuple[nn.Module, int], ...], ...]:
    """Return the linear maps inside the module of each attention call that run before attention is computed.

    Args:
        attentions: The module of each attention call.
        runs: Of each linear map that ran: how many attention calls came before it, itself, and its width.
    """
    found = []
    for attention in attentions:
        parts = {id(part) for part in attention.modules()}
        # A shared module's first call: before a later one, its output projection has run for the layer below.
        first = next(number for number, module in enumerate(attentions) if module is attention)
        found.append(
            tuple((module, width) for before, module, width in runs if before == first and id(module) in parts)
        )
    return tuple(found)


def dry_inputs(model: PreTrainedModel, padded: bool = True) -> dict[str, Tensor]:
    """Return two documents for runs that look at how the model works: of unequal lengths, or of the shorter's."""
    config = model.config.get_text_config()
    special = structural_token_ids(model.config)
    numbers = count() if (size := getattr(config, "vocab_size", None)) is None else range(size)  # CANINE has no table
    ids = list(islice((number for number in numbers if number not in special), sum(DRY_LENGTHS)))
    ids = (ids * sum(DRY_LENGTHS))[: sum(DRY_LENGTHS)]
    long, short = DRY_LENGTHS
    width = long if padded else short
    rows, padding = [ids[:width], ids[long:]], [padding_id(model.config)] * (width - short)
    if model.config.is_encoder_decoder:  # their classifiers look for the end of the text
        for row in rows:
            row[-1] = config.eos_token_id
    return {
        "input_ids": torch.tensor([rows[0], rows[1] + padding], device=model.device),
        "attention_mask": torch.tensor([[1] * width, [1] * short + [0] * len(padding)], device=model.device),
    }


def _sees_padding(model: PreTrainedModel) -> bool:
    """Tell whether a document gives other logits beside a longer one than alone."""
    inputs, short = dry_inputs(model), DRY_LENGTHS[1]
    alone = model(**{name: values[1:, :short] for name, values in inputs.items()}).logits
    return not same_logits(alone, model(**inputs).logits[1:])


def _compare_alone(model: PreTrainedModel, inputs: dict[str, Tensor], beside: Tensor) -> None:
    """Refuse a model whose decision of a document changes with another one beside it, of the same length."""
    alone = model(**{name: values[1:] for name, values in inputs.items()}).logits
    if not same_logits(alone, beside[1:]):
        difference = float((alone - beside[1:]).abs().max())
        raise UnknownFamilyError(
            f"decisions of this '{model.config.model_type}' model depend on the batch: the logits of a document beside "
            f"another one of the same length differ by {difference:.2g} from those of the document alone"
        )


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
            raise UnknownFamilyError(f"its own eager attention fails, with which ours is compared: {reason}") from error
    for reference in references:
        if not same_logits(patched, reference):
            difference = float((patched - reference).abs().max())
            raise UnknownFamilyError(
                f"the attention of this '{model.config.model_type}' model is not what the patch computes: logits "
                f"differ by {difference:.2g}"
            )


def same_logits(found: Tensor, expected: Tensor) -> bool:
    """Tell whether two ways to compute logits agree, as far as their precision can tell.

    Some families compute norms and softmax in float32, whatever the model's precision.
    """
    near = max(torch.finfo(found.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
    return torch.allclose(found, expected, rtol=near, atol=near)
