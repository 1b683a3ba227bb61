"""The layers of a loaded model; some of them can run alone, on stored hidden states."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from eraserhead.patch.families import Family, ReadOut
from eraserhead.patch.passes import LayerLeft


@dataclass(frozen=True)
class Layers:
    """The transformer layers of a model in the order of their calls.

    Attributes:
        family: The model's family; one that is not in the table was proved by probes of this model alone.
        read_out: Where its decision is read from.
        modules: One module for each call; ALBERT's single module appears once for each call.
        returned: Length of the tuple or list that a layer returns, or the key in its dictionary; None where it returns
            the hidden states alone.
        heads: Number of attention heads in a layer.
        encoder: How many of the layers are an encoder's, where a decoder's follow; None where all are of one kind.
        sees_padding: Whether padding changes decisions, so that only documents of one length are read together.
        projections: For each call of attention the linear maps inside its module that run before it (those to queries,
            keys and values), each with its width.
    """

    family: Family
    read_out: ReadOut
    modules: tuple[nn.Module, ...]
    returned: int | str | None
    heads: int
    projections: tuple[tuple[tuple[nn.Module, int], ...], ...]
    encoder: int | None = None
    sees_padding: bool = False

    @property
    def attentions(self) -> int:
        """How often attention is called: a decoder's layer attends to itself, and then to the encoder."""
        return len(self) if self.encoder is None else 2 * len(self) - self.encoder

    def __len__(self) -> int:
        return len(self.modules)

    @contextmanager
    def running(
        self,
        first: int = 0,
        last: int | None = None,
        hidden: Tensor | None = None,
        watched: Collection[int] = (),
        changed: Callable[[Tensor], Tensor] | None = None,
    ) -> Iterator[dict[int, Tensor]]:
        """Run only some layers in the model's next forward pass; the others pass their input on.

        Args:
            first: First layer that runs.
            last: Last layer that runs; default: the model's last.
            hidden: What the first layer gets in place of its input, ``[batch, tokens, hidden]``.
            watched: Layers whose inputs are stored in the yielded dictionary.
            changed: What the model goes on with in place of the last layer's output.
        """
        last = len(self) - 1 if last is None else last
        layout = self.family.layout
        back = tuple(layout.index(axis) for axis in range(len(layout)))
        inputs: dict[int, Tensor] = {}
        calls = iter(range(len(self)))

        def run(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            layer = next(calls)
            given = args[0] if args else kwargs["hidden_states"]
            if layer == first and hidden is not None:
                given = hidden.permute(back)
                args, kwargs = ((given, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": given})
            if layer in watched:
                inputs[layer] = given.permute(layout)
            if first <= layer <= last:
                try:
                    output = original(*args, **kwargs)
                except LayerLeft:
                    return self._as_returned(given)
                if changed is None or layer < len(self) - 1:
                    return output
                vectors = output if self.returned is None else output[self._vectors]
                return self._as_returned(changed(vectors.permute(layout)).permute(back))
            return self._as_returned(given)

        with replaced_forwards({id(module): module for module in self.modules}.values(), run):
            yield inputs

    @property
    def _vectors(self) -> int | str:
        """Index of the hidden states in what a layer returns."""
        return self.returned if isinstance(self.returned, str) else 0

    def _as_returned(self, vectors: Tensor) -> Any:
        if self.returned is None:
            return vectors
        if isinstance(self.returned, str):
            return {self.returned: vectors}
        return (vectors, *[None] * (self.returned - 1))

    @contextmanager
    def without_projections(self, layer: int) -> Iterator[None]:
        """Replace a layer's queries, keys and values by zeros, which cost nothing, where its output is given.

        For models whose layers call attention once each.
        """
        widths = {id(module): width for module, width in self.projections[layer]}

        def zeros(module: nn.Module, original: Callable[..., Any], given: Tensor) -> Tensor:
            return given.new_zeros(()).expand(*given.shape[:-1], widths[id(module)])

        with ExitStack() as stack:
            for module, _ in self.projections[layer]:
                stack.enter_context(replaced_forwards([module], partial(zeros, module)))
            yield


@contextmanager
def replaced_forwards(modules: Collection[nn.Module], run: Callable[..., Any]) -> Iterator[None]:
    """Replace the forward of some modules by ``run(original, ...)`` inside the context."""
    before = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module in modules:
            module.forward = partial(run, module.forward)
        yield
    finally:
        for module, own in before:
            if own is None:
                module.__dict__.pop("forward", None)
            else:
                module.forward = own
