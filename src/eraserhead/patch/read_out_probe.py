"""Which token vectors a classifier reads: found by changing one position of the last hidden states at a time."""

import inspect
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.patch.families import ReadOut, UnknownFamilyError
from eraserhead.patch.layers import Layers


def probed_read_out(model: PreTrainedModel, layers: Layers, inputs: dict[str, Tensor]) -> ReadOut:
    """Return where a model reads its decision from, which must be where its family does.

    Args:
        model: A classifier.
        layers: Its layers.
        inputs: Two documents: the second one padded, or both of one length where padding changes decisions.

    Raises:
        UnknownFamilyError: It is another place than the family's, or one that is not known.
    """
    read = read_positions(model, layers, inputs)
    places = [row.nonzero().flatten().tolist() for row in read]
    lengths = inputs["attention_mask"].sum(-1).tolist()
    expected = {
        ReadOut.FIRST: [[0] for _ in lengths],
        ReadOut.LAST: [[length - 1] for length in lengths],
        ReadOut.MEAN: [list(range(length)) for length in lengths],
    }
    found = next((read_out for read_out, positions in expected.items() if positions == places), None)
    kind, known = model.config.model_type, layers.family.read_out_of(model.config)
    if not any(places):
        raise UnknownFamilyError(
            f"the logits of this '{kind}' model do not depend on the text: its head may be all zeros, so that there is "
            "no decision to flip; train it again, or give its own weights"
        )
    if found is None:
        raise UnknownFamilyError(
            f"this '{kind}' model reads its decision from token vectors {places[0]} of {lengths[0]}, and from "
            f"{places[1]} of {lengths[1]}; known are {', '.join(each.value for each in ReadOut)}"
        )
    if known not in (None, found):
        raise UnknownFamilyError(
            f"this '{kind}' model reads its decision from the {found.value}, and '{kind}' models read it from the "
            f"{known.value}: its code is not its family's"
        )
    return found


@torch.no_grad()
def read_positions(model: PreTrainedModel, layers: Layers, inputs: dict[str, Tensor]) -> Bool[Tensor, "batch tokens"]:
    """Tell which token vectors that the last layer returns move a document's logits."""
    last, caching = len(layers) - 1, without_cache(model)
    with layers.running(watched=(last,)) as watched:
        model(**inputs, **caching)
    documents, tokens = inputs["input_ids"].shape
    copies = tokens + 1  # as it is, and with each position changed

    def change(output: Float[Tensor, "rows tokens hidden"]) -> Float[Tensor, "rows tokens hidden"]:
        one = torch.eye(copies, dtype=torch.bool, device=output.device)[:, 1:].repeat_interleave(documents, 0)
        return torch.where(one.unsqueeze(-1), -2 * output.roll(1, dims=-1), output)

    repeated = {name: values.repeat(copies, 1) for name, values in inputs.items()}
    # A decoder's last layer needs all of the encoder.
    first, hidden = (last, watched[last].repeat(copies, 1, 1)) if layers.encoder is None else (0, None)
    with layers.running(first=first, hidden=hidden, changed=change):
        logits = model(**repeated, **caching).logits.unflatten(0, (copies, documents))
    moved = (logits[1:] - logits[0]).abs().amax(-1).T
    # What a position does not reach moves by rounding at most.
    rounding = max(4 * torch.finfo(logits.dtype).eps, 1e-3)
    return moved > rounding * moved.amax(-1, keepdim=True)


def without_cache(model: PreTrainedModel) -> dict[str, Any]:
    """Return the keywords by which a model keeps no keys and values, which layers that are left out would miss."""
    return {"use_cache": False} if "use_cache" in inspect.signature(type(model).forward).parameters else {}
