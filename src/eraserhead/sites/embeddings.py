"""Scores of tokens by the margin's derivatives with respect to their word embeddings; captum computes them.

The margin of a decision c is ``z_c - logsumexp_{k != c} z_k`` (METHOD section 9), with nothing erased.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from eraserhead.errors import UserError
from eraserhead.method.cases import Cases, OneEach
from eraserhead.method.margins import margin
from eraserhead.method.signals import INPUT_X_GRADIENT, INTEGRATED_GRADIENTS, OF_EMBEDDINGS, SALIENCY

CAPTUM = "captum"  # package of the extra `attributions`
STEPS = 32  # points of the path that integrated gradients are summed over, by the rule of Gauss and Legendre

# Margins of some rows, of which each is a decision: word embeddings and numbers of rows -> margins.
Margins = Callable[[Float[Tensor, "rows *tokens hidden"], Int[Tensor, " rows"]], Float[Tensor, " rows"]]


@dataclass(frozen=True)
class WordEmbeddings:
    """A batch's decisions as functions of the word embeddings of its tokens.

    Attributes:
        table: The model's module that looks up word embeddings.
        ids: Ids of each row's tokens.
        padding: Id of padding, whose embedding is where integrated gradients start; None: they start at zeros.
        margins: The margins of rows that have other word embeddings.
        at_once: How many rows may run at a time, with gradients.
        missed: By how much the sum of a row's integrated gradients misses ``m(embeddings) - m(start)``, once computed.
    """

    table: nn.Module
    ids: Int[Tensor, "rows *tokens"]
    padding: int | None
    margins: Margins
    at_once: int
    missed: dict[str, Float[Tensor, " rows"]] = field(default_factory=dict)

    @property
    def signals(self) -> dict[str, Callable[[], Float[Tensor, "rows *tokens"]]]:
        """What computes each signal; two of them share one pass."""
        return {
            INPUT_X_GRADIENT: lambda: self._gradients[0],
            SALIENCY: lambda: self._gradients[1],
            INTEGRATED_GRADIENTS: self._integrated,
        }

    @cached_property
    def _gradients(self) -> tuple[Float[Tensor, "rows *tokens"], Float[Tensor, "rows *tokens"]]:
        """Return ``e_i . dm/de_i`` and ``|dm/de_i|`` of each token i (Simonyan et al. 2014; Shrikumar et al. 2017)."""
        saliency = captum_attr().Saliency(self.margins)
        products, lengths = [], []
        for rows in self._in_parts():
            embeddings = self._looked_up(rows)
            gradient = saliency.attribute(
                embeddings.clone().requires_grad_(), abs=False, additional_forward_args=(rows,)
            ).double()
            products.append((gradient * embeddings).sum(-1))
            lengths.append(torch.linalg.vector_norm(gradient, dim=-1))
        return torch.cat(products), torch.cat(lengths)

    def _integrated(self) -> Float[Tensor, "rows *tokens"]:
        """Return integrated gradients (Sundararajan et al. 2017), and note by how much their sums miss the change."""
        path = captum_attr().IntegratedGradients(self.margins)
        found, errors = [], []
        for rows in self._in_parts():
            embeddings = self._looked_up(rows)
            attributions, error = path.attribute(
                embeddings,
                self._start.expand_as(embeddings),
                additional_forward_args=(rows,),
                n_steps=STEPS,
                internal_batch_size=max(self.at_once, len(rows)),
                return_convergence_delta=True,
            )
            found.append(attributions.double().sum(-1))
            errors.append(error.double())
        self.missed[INTEGRATED_GRADIENTS] = torch.cat(errors)
        return torch.cat(found)

    def _in_parts(self) -> tuple[Int[Tensor, " rows"], ...]:
        return torch.arange(len(self.ids), device=self.ids.device).split(max(1, self.at_once))

    @torch.no_grad()
    def _looked_up(self, rows: Int[Tensor, " rows"]) -> Float[Tensor, "rows *tokens hidden"]:
        return _vectors_of(self.table(self.ids[rows]))

    @property
    def _start(self) -> Float[Tensor, " hidden"]:
        with torch.no_grad():
            one = _vectors_of(self.table(self.ids.new_tensor([[self.padding or 0]])))[0, 0]
        return torch.zeros_like(one) if self.padding is None else one


def margins_of(
    model: nn.Module,
    logits_of: Callable[[Float[Tensor, "rows *tokens hidden"], Int[Tensor, " rows"]], Float[Tensor, "rows outputs"]],
    decided: OneEach | Cases,
    decision: Int[Tensor, " decisions"],
) -> Margins:
    """Return how margins follow from word embeddings.

    Args:
        model: The model.
        logits_of: Runs it: word embeddings and numbers of documents -> logits.
        decided: What is decided of each document.
        decision: The decisions with nothing erased.
    """

    def margins(vectors: Tensor, rows: Tensor) -> Tensor:
        with parameters_fixed(model):
            logits = logits_of(vectors, decided.documents[rows]).double()
        decisive = decided.decisive_of(rows, logits)
        return margin(decisive.unsqueeze(1), decision[rows].to(decisive.device)).squeeze(1)

    return margins


def input_table(model: nn.Module) -> nn.Module:
    """Return the module of a model that looks up word embeddings; a table alone is its own."""
    return model if isinstance(model, nn.Embedding) else model.get_input_embeddings()  # pyright: ignore


def without_table(model: nn.Module) -> frozenset[str]:
    """Return the signals that a model cannot give: those by word embeddings, where it looks none up in a table."""
    try:
        found = input_table(model)
    except NotImplementedError:  # of models that hash characters, for example
        found = None
    return frozenset() if isinstance(found, nn.Module) else OF_EMBEDDINGS


@contextmanager
def parameters_fixed(model: nn.Module) -> Iterator[None]:
    """Switch off the parameters' gradients, so that graphs lead to what is looked at alone."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def embedded(
    table: nn.Module, ids: Int[Tensor, "rows tokens"], vectors: Float[Tensor, "rows tokens hidden"]
) -> Iterator[None]:
    """Let the table answer with other vectors when the model looks up these ids.

    Raises:
        UserError: The model does not look up these ids exactly once.
    """
    looked_up = 0

    def answer(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> Any:
        nonlocal looked_up
        looked_up += 1
        asked = next(iter((*args, *kwargs.values())))
        if torch.equal(asked, ids):
            given = vectors
        elif torch.equal(asked, ids.T):  # XLNet's tokens come first
            given = vectors.transpose(0, 1)
        else:
            raise _elsewhere()
        return (given, *output[1:]) if isinstance(output, tuple) else given

    hook = table.register_forward_hook(answer, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
    if looked_up != 1:
        raise _elsewhere()


def _elsewhere() -> UserError:
    return UserError(
        "scores by word embeddings need a model that looks up each token of a document once; leave out "
        f"{INPUT_X_GRADIENT}, {SALIENCY} and {INTEGRATED_GRADIENTS}"
    )


def _vectors_of(output: Any) -> Float[Tensor, "rows *tokens hidden"]:
    """Return the vectors that a table has looked up; I-BERT's gives a scale beside them."""
    return output[0] if isinstance(output, tuple) else output


def captum_attr() -> Any:
    """Return `captum.attr`, which is an extra, and takes a second to import."""
    return import_module(f"{CAPTUM}.attr")
