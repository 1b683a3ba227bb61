"""Derivatives of the margins by attention weights; a document's decisions take one backward pass each."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.decision import decide
from eraserhead.method.margins import rival_weights, soft_margin
from eraserhead.sites.inside.runner import Entries


def margins_in_turns(
    logits: Float[Tensor, "rows outputs"], unerased: Float[Tensor, "rows outputs"], decided: OneEach | Cases
) -> Float[Tensor, "turns rows"]:
    """Return the margins of each document's first decision, of its second, and so on."""
    decisive = decided.decisive(unerased)
    margins = soft_margin(decided.decisive(logits.double()), decide(decisive), rival_weights(decisive))
    return decided.in_turns(margins)


def slopes_in_turns(
    entries: Entries, margins: Float[Tensor, "turns rows"], gradients: bool
) -> Iterator[Sequence[Float[Tensor, "rows heads queries keys"]]]:
    """Yield the derivatives of the margins by all weights, one turn after the other; zeros without `gradients`."""
    for turn, margin in enumerate(margins):
        if gradients:
            yield torch.autograd.grad(margin.sum(), entries.weights, retain_graph=turn + 1 < len(margins))
        else:
            yield [torch.zeros_like(weights) for weights in entries.weights]
