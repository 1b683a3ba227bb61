"""What every erasable place in a model offers: its attention, and the decision without parts of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import Evaluation
from eraserhead.method.rankings import saturation


@dataclass(frozen=True)
class AffineHead:
    """The closed form of a head that is one affine map of the pooled vector.

    Attributes:
        component_logits: ``W v_i``, the logits of each component without the bias.
        bias: ``b``.
    """

    component_logits: Float[Tensor, "batch components classes"]
    bias: Float[Tensor, " classes"]


@dataclass(frozen=True)
class Attention:
    """The attention of a batch of documents at a site; components first, padding behind them. All float64.

    Attributes:
        weights: Attention weights, 0 at padding; the others sum to 1.
        margin_gradient: ``d/da_i`` of the decided logit minus the rivals', which orders components as
            ``d p_c / d a_i`` does (METHOD section 4).
        whole: The decision with nothing erased, evaluated as every erasure is.
        mask: Which components exist.
        positions: Position of each component among the batch's tokens.
        model_decision: What the model's own forward pass decided.
        head: The closed form, where the head is affine.
    """

    weights: Float[Tensor, "batch components"]
    margin_gradient: Float[Tensor, "batch components"]
    whole: Evaluation
    mask: Bool[Tensor, "batch components"]
    positions: Int[Tensor, "batch components"]
    model_decision: Int[Tensor, " batch"]
    head: AffineHead | None = None

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Components a document."""
        return self.mask.sum(-1)

    @property
    def gradient(self) -> Float[Tensor, "batch components"]:
        """``d p_c / d a_i`` at the original weights, every weight a free variable."""
        return saturation(self.whole.logits).unsqueeze(1) * self.margin_gradient


class Site(Protocol):
    """A place in a model with attention weights over components, and a decision that depends on them."""

    def read(self, batch: Mapping[str, Tensor]) -> Attention:
        """Return the attention of a batch of ``input_ids`` and ``attention_mask`` after one ordinary pass."""
        ...

    def replay(
        self, attention: Attention, keep: Bool[Tensor, "batch erasures components"]
    ) -> Float[Tensor, "batch erasures classes"]:
        """Return the logits with the weights outside each keep mask erased, all before the attention unchanged."""
        ...
