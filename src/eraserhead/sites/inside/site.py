"""The self-attention of a hub classifier as a place where weights are read and erased (METHOD section 6)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.errors import Setting, UserError
from eraserhead.method.erasure import Evaluation, decide
from eraserhead.method.margins import rival_weights
from eraserhead.models.pooling import components_first
from eraserhead.patch.families import ReadOut, Route, UnknownFamilyError, family_of
from eraserhead.patch.interface import erasable
from eraserhead.patch.layers import dry_inputs, find_layers
from eraserhead.sites.inside.replays import Everywhere, FromLayer, Replays, SingleQuery
from eraserhead.sites.inside.runner import Entries, Kept, Runner
from eraserhead.sites.site import Attention

LAYER = re.compile(r"layer:(-?\d+)(:all)?")


@dataclass(frozen=True)
class Place:
    """Where weights are erased.

    Attributes:
        layer: Number of the layer from 0; negative ones count from the last; null: all layers.
        every_query: Whether weights from every query are erased, or from the read-out position alone.
    """

    layer: int | None = -1
    every_query: bool = False

    def __str__(self) -> str:
        return "all" if self.layer is None else f"layer:{self.layer}{':all' * self.every_query}"


def parse_place(text: str) -> Place:
    """Read ``layer:L``, ``layer:L:all`` or ``all``.

    Raises:
        UserError: It is none of these.
    """
    if text == "all":
        return Place(None, every_query=True)
    found = LAYER.fullmatch(text)
    if found is None:
        raise UserError(
            Setting("site", text),
            ": not a place inside a model; it is layer:L (the weights of the position that the decision is read from), "
            "layer:L:all (of every position) or all (in every layer), layers counted from 0",
        )
    return Place(int(found[1]), every_query=found[2] is not None)


class SelfAttentionSite:
    """Erasure in the self-attention of a hub classifier in eval mode."""

    def __init__(
        self,
        model: PreTrainedModel,
        place: Place | None = None,
        heads: Sequence[int] | None = None,
        left_out: Sequence[int] = (),
        memory_budget: float = 1e9,
        shorten: bool = True,
    ) -> None:
        """Find the layers of `model`, and how the site is replayed.

        Args:
            model: A sequence classifier of a family in `FAMILIES`, in eval mode.
            place: Where weights are erased; default: in the last layer, from the read-out position.
            heads: Numbers of the heads whose weights are erased, from 0; default: all.
            left_out: Ids of tokens that are no components, such as special tokens: never erased.
            memory_budget: Bytes that a replay may take beside the model; one row is run in any case.
            shorten: Whether tokens that are invisible everywhere may be left out of their rows; slower without, and the
                same.

        Raises:
            UserError: The model's attention cannot be erased, or it has no such layer or heads.
        """
        try:
            layers = find_layers(model)
            family = family_of(model.config)
        except UnknownFamilyError as error:
            raise UserError(str(error)) from error
        self.place = _checked_place(place or Place(), len(layers), family.read_out_of(model.config))
        self.heads = _checked_heads(heads, layers.heads)
        self.left_out = torch.tensor(sorted(set(left_out)), dtype=torch.long, device=model.device)
        chosen = None
        if self.heads is not None:
            chosen = torch.zeros(layers.heads, dtype=torch.bool, device=model.device)
            chosen[list(self.heads)] = True
        self.runner = Runner(model, layers, chosen, memory_budget)
        self.replays = _replays(self.runner, self.place, family.route, shorten)
        self._check_replay()

    def read(self, batch: Mapping[str, Tensor]) -> Attention:
        """Return weights and gradients after one ordinary pass, and one back through the layers above the site."""
        with erasable(self.runner.model):
            return self._read(batch)

    def _read(self, batch: Mapping[str, Tensor]) -> Attention:
        token_mask = batch["attention_mask"].bool()
        components = token_mask & ~torch.isin(batch["input_ids"], self.left_out)
        positions, mask = components_first(components)
        kept, model_logits = self.replays.read(batch)
        everything = torch.ones_like(token_mask).unsqueeze(1)
        whole_logits = self.replays.logits(kept, everything)[:, 0].double()
        sums = [
            self._sums(kept.select(rows), whole_logits[rows])
            for rows in kept.documents.split(self._gradients_at_once(token_mask.shape[1]))
        ]
        weights, gradient, product = (torch.cat(parts) * token_mask for parts in zip(*sums, strict=True))
        outside = (weights * ~components).sum(-1)
        return Attention(
            weights=weights.gather(1, positions) * mask,
            margin_gradient=gradient.gather(1, positions) * mask,
            whole=_evaluation(whole_logits, (weights > 0).any(-1)),
            mask=mask,
            positions=positions,
            model_decision=decide(model_logits),
            weighted_gradient=product.gather(1, positions) * mask,
            outside=outside,
            state=kept,
        )

    def replay(
        self, attention: Attention, keep: Bool[Tensor, "batch erasures components"]
    ) -> Float[Tensor, "batch erasures classes"]:
        """Return the logits of the model without the weights that are not kept."""
        kept = attention.state
        assert isinstance(kept, Kept)
        tokens = torch.ones(*keep.shape[:2], kept.mask.shape[1], dtype=torch.bool, device=keep.device)
        # Padding among the components stands at positions of other tokens, which stay as they are.
        shown = keep | ~attention.mask.unsqueeze(1)
        tokens.scatter_(2, attention.positions.unsqueeze(1).expand(-1, keep.shape[1], -1), shown)
        with erasable(self.runner.model):
            return self.replays.logits(kept, tokens).double()

    @torch.no_grad()
    def _check_replay(self) -> None:
        """Refuse a model that reads its decision from elsewhere than its family does."""
        model = self.runner.model
        with erasable(model):
            kept, own = self.replays.read(dry_inputs(model))
            replayed = self.replays.logits(kept, torch.ones_like(kept.mask).unsqueeze(1))[:, 0]
        near = max(torch.finfo(own.dtype).eps, torch.finfo(torch.float32).eps) ** 0.5
        if not torch.allclose(replayed, own, rtol=near, atol=near):
            raise UserError(
                f"a {type(model).__name__} is not read from the {self.runner.read_out.value}, as "
                f"'{model.config.model_type}' models are: with nothing erased its logits would differ by "
                f"{float((replayed - own).abs().max()):.2g}"
            )

    def _gradients_at_once(self, tokens: int) -> int:
        first = 0 if self.place.layer is None else self.place.layer
        return self.runner.rows(tokens, layers=len(self.runner.layers) - first)

    def _sums(self, kept: Kept, logits: Float[Tensor, "rows classes"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return for every token the mean of its weights, and the sums of gradients and of weights times gradients."""
        with _parameters_fixed(self.runner.model):
            entries = self.replays.entries(kept)
            found = entries.logits.double()
            margin = found.gather(1, decide(logits).unsqueeze(1)).squeeze(1) - (rival_weights(logits) * found).sum(-1)
            gradients = torch.autograd.grad(margin.sum(), entries.weights)
        mean = gradient = product = torch.zeros(())
        # A layer at a time: their float64 copies are the largest tensors of all.
        for weights, slopes in zip(entries.weights, gradients, strict=True):
            mean = mean + self._over_entries(entries, weights.detach())
            gradient = gradient + self._over_entries(entries, slopes)
            product = product + self._over_entries(entries, weights.detach().double() * slopes)
        return mean / self._entries_a_key(entries), gradient, product

    def _over_entries(
        self, entries: Entries, values: Float[Tensor, "rows heads queries keys"]
    ) -> Float[Tensor, "rows keys"]:
        """Sum over the chosen heads and the queries that count."""
        heads = slice(None) if self.runner.heads is None else self.runner.heads
        return torch.einsum("bhqk,bq->bk", values[:, heads].double(), entries.queries.double())

    def _entries_a_key(self, entries: Entries) -> Float[Tensor, "rows 1"]:
        heads = self.runner.layers.heads if self.heads is None else len(self.heads)
        count = len(entries.weights) * heads * entries.queries.sum(-1, keepdim=True)
        return count.clamp(min=1).double()


@contextmanager
def _parameters_fixed(model: PreTrainedModel) -> Iterator[None]:
    """Let graphs lead to the site's weights alone, not to the model's parameters."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def _replays(runner: Runner, place: Place, route: Route, shorten: bool) -> Replays:
    if place.layer is None:
        return Everywhere(runner, shorten)
    if place.every_query or route is Route.DROPOUT:
        return FromLayer(runner, place.layer, place.every_query)
    return SingleQuery(runner, place.layer)


def _evaluation(logits: Float[Tensor, "batch classes"], keeps_mass: Bool[Tensor, " batch"]) -> Evaluation:
    return Evaluation(logits, torch.ones_like(logits[:, 0]), keeps_mass)


def _checked_place(place: Place, layers: int, read_out: ReadOut) -> Place:
    if place.layer is None:
        return place
    if not -layers <= place.layer < layers:
        raise UserError(
            Setting("site", str(place)), f": the model has {layers} layers, numbered from 0 to {layers - 1}"
        )
    # A mean is read from every token: METHOD section 6.
    return Place(place.layer % layers, place.every_query or read_out is ReadOut.MEAN)


def _checked_heads(heads: Sequence[int] | None, count: int) -> tuple[int, ...] | None:
    if heads is None:
        return None
    wrong = [head for head in heads if not isinstance(head, int) or not 0 <= head < count]
    if wrong or not heads:
        raise UserError(
            Setting("heads", wrong), f": a layer of the model has {count} heads, numbered from 0 to {count - 1}"
        )
    return tuple(sorted(set(heads)))
