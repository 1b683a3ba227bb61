"""Test 1: one weight erased, the top of a ranking against another (Serrano & Smith 2019, sec. 4; METHOD section 3)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.divergence import js_divergence
from eraserhead.method.erasure import Evaluation

# |dJS| below this counts as zero, not by its sign (METHOD section 3): in float32, the other documents of a batch move
# divergences by up to 3e-8.
ZERO_DIFFERENCE = 1e-7


@dataclass(frozen=True)
class Singles:
    """Every component erased alone (METHOD section 3).

    Attributes:
        js: Jensen-Shannon divergence from the original distribution, in nats.
        decision: The decision without that component.
    """

    js: Float[Tensor, "batch components"]
    decision: Int[Tensor, "batch components"]


def single_keeps(
    mask: Bool[Tensor, "batch components"], erased: Int[Tensor, " erasures"] | None = None
) -> Bool[Tensor, "batch erasures components"]:
    """Return the keep masks of single erasures: one for each component of `erased`, by default for all."""
    components = torch.arange(mask.shape[1], device=mask.device)
    return mask.unsqueeze(1) & (components != (components if erased is None else erased).unsqueeze(1))


def single_erasures(unerased: Evaluation, erased: Evaluation) -> Singles:
    """Compare the unerased distribution with that after each single erasure; return both divergence and decision."""
    js = js_divergence(unerased.logits.softmax(-1).unsqueeze(1), _softmax(erased.logits))
    return Singles(js, erased.decision)


@dataclass(frozen=True)
class TopAgainstRandom:
    """Test 1 for one ranking: its top component against a random other, one row for each document.

    By default the others are all but the top. With ``position`` they are all but the first component, so that the top
    may be among them, with a difference of 0. Rows of documents with fewer than two components mean nothing.

    Attributes:
        top: Component on top of the ranking.
        random: The one drawn other component.
        delta_attention: Weight of the top minus weight of the other.
        js_top: Divergence when the top is erased.
        js_random: Divergence when the other is erased.
        top_flips: Whether erasing the top flips the decision.
        random_flips: Whether erasing the other flips it.
        expected_delta_js: Exact mean of ``js_top - js_r`` over all others r.
        share_negative: Share of others whose erasure moves the distribution more than the top's does.
        share_zero: Share of others within 1e-7 of the top's divergence.
        share_random_flips: Share of others whose erasure flips the decision.
    """

    top: Int[Tensor, " batch"]
    random: Int[Tensor, " batch"]
    delta_attention: Float[Tensor, " batch"]
    js_top: Float[Tensor, " batch"]
    js_random: Float[Tensor, " batch"]
    top_flips: Bool[Tensor, " batch"]
    random_flips: Bool[Tensor, " batch"]
    expected_delta_js: Float[Tensor, " batch"]
    share_negative: Float[Tensor, " batch"]
    share_zero: Float[Tensor, " batch"]
    share_random_flips: Float[Tensor, " batch"]


def top_against_random(
    weights: Float[Tensor, "batch components"],
    singles: Singles,
    others: Bool[Tensor, "batch components"],
    decision: Int[Tensor, " batch"],
    top: Int[Tensor, " batch"],
    random: Int[Tensor, " batch"],
) -> TopAgainstRandom:
    """Compare erasing `top` with erasing `random`, and with the exact mean over all of `others`."""
    flips = singles.decision != decision.unsqueeze(-1)
    count = others.sum(-1).clamp(min=1)  # the caller leaves out documents without another component
    delta = _at(singles.js, top).unsqueeze(1) - singles.js

    def mean(values: Tensor) -> Tensor:
        return torch.where(others, values, torch.zeros_like(values)).sum(-1).double() / count

    return TopAgainstRandom(
        top=top,
        random=random,
        delta_attention=_at(weights, top) - _at(weights, random),
        js_top=_at(singles.js, top),
        js_random=_at(singles.js, random),
        top_flips=_at(flips, top),
        random_flips=_at(flips, random),
        expected_delta_js=mean(delta),
        share_negative=mean(delta <= -ZERO_DIFFERENCE),
        share_zero=mean(delta.abs() < ZERO_DIFFERENCE),
        share_random_flips=mean(flips),
    )


def _softmax(logits: Float[Tensor, "*batch classes"]) -> Float[Tensor, "*batch classes"]:
    """Return the softmax; written out, because torch's own is four times slower over an axis of a few classes."""
    powers = (logits - logits.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


def _at(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(1, index.unsqueeze(1)).squeeze(1)
