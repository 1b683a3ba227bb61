"""What every erasable place in a model offers: its attention, and the decision without parts of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.erasure import LIFT, Evaluation
from eraserhead.method.margins import saturation


@runtime_checkable
class State(Protocol):
    """What a site's replay starts from."""

    def select(self, documents: Int[Tensor, " rows"]) -> "State":
        """Return the state of some documents, each as often as it is named, without copying what is large."""
        ...


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
        weights: Attention weights, 0 at padding; with `outside` they sum to 1. Where a component has several weights
            (one a layer, head and query), their mean; of a word in a sentence, its own times the sentence's.
        margin_gradient: ``d/da_i`` of the decided logit minus the rivals', which orders components as
            ``d p_c / d a_i`` does (METHOD section 4). Where a component has several weights, their sum.
        whole: The decision with nothing erased, evaluated as every erasure is.
        mask: Which components exist.
        positions: Position of each component among its document's tokens, or among its sentences.
        model_decision: What the model's own forward pass decided.
        head: The closed form, where the head is affine.
        weighted_gradient: Sum over a component's weights of each times its margin gradient, where these are not
            `weights`; null where they are.
        outside: Weight on tokens that are no components and are never erased; null where there are none.
        state: What the site's replay starts from, where that is more than the above.
    """

    weights: Float[Tensor, "batch components"]
    margin_gradient: Float[Tensor, "batch components"]
    whole: Evaluation
    mask: Bool[Tensor, "batch components"]
    positions: Int[Tensor, "batch components"]
    model_decision: Int[Tensor, " batch"]
    head: AffineHead | None = None
    weighted_gradient: Float[Tensor, "batch components"] | None = None
    outside: Float[Tensor, " batch"] | None = None
    state: State | None = None

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Components a document."""
        return self.mask.sum(-1)

    @property
    def gradient(self) -> Float[Tensor, "batch components"]:
        """``d p_c / d a_i`` at the original weights, every weight a free variable."""
        return saturation(self.whole.logits).unsqueeze(1) * self.margin_gradient

    @property
    def product(self) -> Float[Tensor, "batch components"]:
        """``a_i d p_c / d a_i``, summed over a component's weights where it has several."""
        if self.weighted_gradient is None:
            return self.weights * self.gradient
        return saturation(self.whole.logits).unsqueeze(1) * self.weighted_gradient

    @property
    def product_key(self) -> Float[Tensor, "batch components"]:
        """What orders components as `product` does, and does not vanish when the softmax saturates."""
        if self.weighted_gradient is None:
            return self.weights * LIFT * self.margin_gradient
        return self.weighted_gradient

    def select(self, documents: Int[Tensor, " rows"]) -> "Attention":
        """Return the attention of some documents, each as often as it is named."""

        def rows(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[documents]

        head = self.head
        return replace(
            self,
            **{name: rows(getattr(self, name)) for name in PER_DOCUMENT},
            whole=replace(
                self.whole, **{part.name: rows(getattr(self.whole, part.name)) for part in fields(self.whole)}
            ),
            head=None if head is None else AffineHead(head.component_logits[documents], head.bias),
            state=None if self.state is None else self.state.select(documents),
        )

    def keeps_mass(self, keep: Bool[Tensor, "batch erasures components"]) -> Bool[Tensor, "batch erasures"]:
        """Tell which erasures leave a weight above 0 anywhere, outside the components included."""
        some = (keep & (self.weights > 0).unsqueeze(1)).any(-1)
        return some if self.outside is None else some | (self.outside > 0).unsqueeze(1)


PER_DOCUMENT = ("weights", "margin_gradient", "mask", "positions", "model_decision", "weighted_gradient", "outside")


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
