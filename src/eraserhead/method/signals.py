"""Signals: values of a batch's components beside their weights, which rankings score by (METHOD sections 4 and 9)."""

from collections.abc import Callable, Iterator, Mapping

from jaxtyping import Float
from torch import Tensor

from eraserhead.method.names import GRADIENT, PRODUCT

# These two order components as the gradient and the product do, and do not vanish when the softmax saturates.
MARGIN_GRADIENT, MARGIN_PRODUCT = "margin_gradient", "margin_product"
GRADIENTS = frozenset({MARGIN_GRADIENT, MARGIN_PRODUCT, GRADIENT, PRODUCT})
VALUE_NORM = "value_norm"  # length of what a component adds to the average that the attention takes
# By the word embeddings of tokens.
INPUT_X_GRADIENT, SALIENCY, INTEGRATED_GRADIENTS = "input_x_gradient", "saliency", "integrated_gradients"
OF_EMBEDDINGS = frozenset({INPUT_X_GRADIENT, SALIENCY, INTEGRATED_GRADIENTS})
# By the attention of all layers.
ROLLOUT, GRADIENT_ROLLOUT, VALUE_ZEROING = "rollout", "gradient_rollout", "value_zeroing"
OF_ALL_LAYERS = frozenset({ROLLOUT, GRADIENT_ROLLOUT, VALUE_ZEROING})


class Signals(Mapping[str, Tensor]):
    """Signals by name, some of which are computed when they are first asked for.

    What a ranking costs can be told where its signals are computed as it scores.
    """

    def __init__(
        self,
        computed: Mapping[str, Float[Tensor, "batch components"]],
        later: Mapping[str, Callable[[], Float[Tensor, "batch components"]]],
        missed: Mapping[str, Float[Tensor, " batch"]] | None = None,
    ) -> None:
        """Hold the signals that are there already, and what computes the others.

        Args:
            computed: Those that are there.
            later: What computes the others.
            missed: Of signals whose sum over a document's tokens is known: by how much the sum misses it; it is filled
                as they are computed.
        """
        self.missed = {} if missed is None else missed
        self._computed = dict(computed)
        self._later = dict(later)

    def __getitem__(self, name: str) -> Float[Tensor, "batch components"]:
        if name not in self._computed and name in self._later:
            self._computed[name] = self._later[name]()
        return self._computed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._computed, *self._later]))

    def __len__(self) -> int:
        return len({*self._computed, *self._later})
