"""How much the loss of each class counts."""

from collections.abc import Sequence
from math import isfinite

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.errors import Setting, UserError, nearest

BALANCED = "balanced"
OPTION = "training.class_weights"


def class_weights(
    given: Sequence[str] | None, names: Sequence[str], labels: Int[Tensor, "documents *labels"]
) -> Float[Tensor, " classes"] | None:
    """Return the weight of each class's loss; None where all count alike.

    Balanced weights are those of scikit-learn: documents / (classes x documents of the class), over the classes that
    the documents have, so that their mean over the documents is 1. Of a multi-label model, the loss of a label that
    should be on is weighted: with the number of documents where it is off, by that where it is on.

    Args:
        given: ``balanced``, or ``CLASS=WEIGHT`` pairs.
        names: Names of the classes.
        labels: Gold classes of the training documents, or rows of 0 and 1; -1 where unknown.

    Raises:
        UserError: A pair cannot be read, or names no class, or one twice.
    """
    if given is None:
        return None
    if list(given) == [BALANCED]:
        return _balanced(labels, len(names))
    weights = torch.ones(len(names), dtype=torch.float64)
    seen: set[str] = set()
    for pair in given:
        name, equals, weight = pair.rpartition("=")
        if not equals or (number := _positive(weight)) is None:
            raise UserError(Setting(OPTION, pair), f": must be {BALANCED}, or CLASS=WEIGHT with a weight above 0")
        if name not in names:
            raise UserError(Setting(OPTION, pair), f": there is no class '{name}'{nearest(name, names)}")
        if name in seen:
            raise UserError(Setting(OPTION, pair), f": the class '{name}' has a weight already; give one for each")
        seen.add(name)
        weights[list(names).index(name)] = number
    return weights


def described(weights: Float[Tensor, " classes"], names: Sequence[str]) -> str:
    """Return the weights in one line: of many classes, the smallest and the largest."""
    ranked = sorted(zip(weights.tolist(), names, strict=True))
    if len(ranked) > 6:
        (low, least), (high, most) = ranked[0], ranked[-1]
        return f"class weights: from {low:.3g} ({least}) to {high:.3g} ({most})"
    return "class weights: " + ", ".join(f"{name} {weight:.3g}" for weight, name in zip(weights, names, strict=True))


def _balanced(labels: Tensor, classes: int) -> Float[Tensor, " classes"]:
    if labels.ndim == 2:
        known = labels[(labels >= 0).all(-1)]
        on = known.sum(0).double()
        off = len(known) - on
        return torch.where((on > 0) & (off > 0), off / on.clamp(min=1), 1.0)
    counts = labels[labels >= 0].bincount(minlength=classes).double()
    present = counts > 0  # the loss of a class that no document has is never asked for
    return torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), 1.0)


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and number > 0 else None
