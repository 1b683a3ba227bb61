"""A batch read once at a site, which can be decided again with components erased (METHOD sections 1, 2 and 6)."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.method.along import Along, Steps
from eraserhead.method.cases import Cases
from eraserhead.method.erasure import (
    Evaluation,
)
from eraserhead.method.limits import Limits
from eraserhead.method.test_two import FlippingSet, Flips


@runtime_checkable
class Reading(Protocol):
    """A batch read at a site: its attention weights, and its decisions with components erased.

    A row is a decision: a document, or of a model that decides label by label a case (`method.cases`).
    Components come first in each row, padding behind them. All numbers are float64. Nothing here tells whether the
    weights come from a pooling layer or from inside a hub checkpoint.
    """

    @property
    def weights(self) -> Float[Tensor, "batch components"]:
        """Attention weights, 0 at padding; where a component has several (one for each head and query), their mean."""
        ...

    @property
    def mask(self) -> Bool[Tensor, "batch components"]:
        """Which components exist."""
        ...

    @property
    def positions(self) -> Int[Tensor, "batch components"]:
        """Position of each component among its document's tokens, or its sentences; of a group of tokens, its first."""
        ...

    @property
    def unerased(self) -> Evaluation:
        """The decision with nothing erased, evaluated in the same way as every erasure."""
        ...

    @property
    def model_decision(self) -> Int[Tensor, " batch"]:
        """The decision of the model's own forward pass."""
        ...

    @property
    def signals(self) -> Mapping[str, Float[Tensor, "batch components"]]:
        """Further values of each component by name, such as gradients: those requested when the batch was read."""
        ...

    @property
    def cases(self) -> Cases | None:
        """The cases that the rows are; None where each row is a document."""
        ...

    @property
    def lengths(self) -> Int[Tensor, " batch"]:
        """Number of components of each row."""
        ...

    def evaluate(self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]) -> Evaluation:
        """Decide documents again with everything outside each keep mask erased; `rows` may repeat a document."""
        ...

    def singles(self) -> Evaluation:
        """Decide with each component erased alone, ``[batch, components]``; computed once."""
        ...

    def first_flips(self, orders: Int[Tensor, "batch rankings components"]) -> list[Flips]:
        """Return for each ranking the first prefix whose erasure changes the decision."""
        ...

    def minimum(self) -> FlippingSet | None:
        """Return the smallest flipping set; None where there is no closed form."""
        ...

    def seen(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures hidden"] | None:
        """Return what the head sees with everything outside each keep mask erased; None where it is not known."""
        ...

    def shuffled(self, permutation: Int[Tensor, "batch components"]) -> "Reading | None":
        """Return the reading with permuted weights, whose decision is made anew; None where the site has none.

        Component i gets the weight of component ``permutation[i]``, and padding stays in place. Where weights sum to 1
        within sentences, those of a sentence are permuted in the order in which the permutation has them. Cases of one
        document are permuted alike. The result has no signals: it serves to erase along its weights, and at random.
        """
        ...

    def along(self, orders: Int[Tensor, "batch orders components"], steps: Steps) -> Along:
        """Return the log-odds of the decision with the first components of each order erased, and alone kept."""
        ...

    def limits(self) -> Limits | None:
        """Return the log-odds that sets of each size can reach; None where there is no closed form."""
        ...
