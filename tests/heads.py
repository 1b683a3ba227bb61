"""Random attention heads for tests: hand-made inputs to the method, no model involved."""

from typing import NamedTuple

import torch
from torch import Tensor

from eraserhead.method.erasure import evaluate_prefixes, evaluate_unerased
from eraserhead.method.test_two import Flips, first_flips


class Head(NamedTuple):
    """A padded batch of documents and an affine head, in float64."""

    scores: Tensor
    weights: Tensor
    vectors: Tensor
    weight: Tensor
    bias: Tensor
    mask: Tensor

    @property
    def component_logits(self) -> Tensor:
        return self.vectors @ self.weight.T


def random_head(
    seed: int, lengths: list[int], hidden: int = 7, classes: int = 3, bias: float = 1.0, sharpness: float = 1.0
) -> Head:
    """Draw scores, vectors and a head; padding carries garbage vectors and weight 0."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    width = max(lengths)
    mask = torch.arange(width) < torch.tensor(lengths).unsqueeze(1)
    scores = sharpness * draw(len(lengths), width)
    weights = torch.where(mask, scores.masked_fill(~mask, -1e300).softmax(-1), 0.0)
    return Head(scores, weights, draw(len(lengths), width, hidden), draw(classes, hidden), bias * draw(classes), mask)


def one(head: Head, row: int) -> Head:
    """Return one document without its padding, weights and vectors without the batch axis."""
    n = int(head.mask[row].sum())
    return Head(
        head.scores[row, :n], head.weights[row, :n], head.vectors[row, :n], head.weight, head.bias, head.mask[row, :n]
    )


def flips_along(head: Head, order: Tensor) -> Flips:
    decision = evaluate_unerased(head.weights, head.component_logits, head.bias).decision
    prefixes = evaluate_prefixes(head.weights, head.component_logits, head.bias, order)
    return first_flips(prefixes, head.weights, order, head.mask, decision)
