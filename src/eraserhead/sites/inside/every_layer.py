"""Every layer and every head of a hub classifier from one reading (METHOD section 13).

One ordinary pass keeps the input of each layer, and of its attention what the read-out position needs. Each layer is
then erased as `site` erases it, from what was kept: layers below it never run again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.errors import Setting, UserError
from eraserhead.method.cases import Cases, OneEach, decisions
from eraserhead.method.replayed import ReplayedReading
from eraserhead.patch.dry_run import dry_inputs, same_logits
from eraserhead.patch.families import Route, UnknownFamilyError
from eraserhead.patch.interface import AttentionRecord, erasable
from eraserhead.sites.embeddings import parameters_fixed
from eraserhead.sites.inside.layer import LayerReplay
from eraserhead.sites.inside.read_out import ReadOutReplay, kept_at_read_out, watched_at_read_out
from eraserhead.sites.inside.runner import Entries, Runner
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.inside.slopes import margins_in_turns, slopes_in_turns
from eraserhead.sites.inside.tokens import Sums, Tokens

OneLayerReplay = ReadOutReplay | LayerReplay
VECTORS = 4  # of a token that a layer's reading holds: its input, query, key and value


@dataclass(frozen=True)
class SumsByHead:
    """What a layer has for each token, head by head.

    Attributes:
        weights: Sum of the token's weights.
        count: How many the model's own mask allows.
        gradient: Sum of the derivatives of each decision's margin by them.
        product: Sum of weights times derivatives.
    """

    weights: Float[Tensor, "documents heads tokens"]
    count: Float[Tensor, "documents heads tokens"]
    gradient: Float[Tensor, "decisions heads tokens"]
    product: Float[Tensor, "decisions heads tokens"]

    def of(self, heads: slice) -> Sums:
        """Return the sums over some heads, as a site that erases in these has them."""
        weights, count, gradient, product = (getattr(self, name)[:, heads].sum(1) for name in NAMES)
        return Sums(weights / count.clamp(min=1), gradient, product)


NAMES = ("weights", "count", "gradient", "product")


@dataclass(frozen=True)
class LayerRead:
    """A layer of a batch that was read once.

    Attributes:
        layer: Its number, from 0.
        runner: The model.
        replay: The way to run it again from this layer upwards.
        tokens: Which tokens are components.
        logits: What the replay gives with nothing erased.
        decided: The decisions.
        sums: What the layer has for each token.
    """

    layer: int
    runner: Runner
    replay: OneLayerReplay
    tokens: Tokens
    logits: Float[Tensor, "documents classes"]
    decided: OneEach | Cases
    sums: SumsByHead

    @property
    def heads(self) -> int:
        """Number of heads."""
        return self.runner.layers.heads

    def reading(self, head: int | None = None) -> ReplayedReading:
        """Return the reading at the layer, with the gradient signals; weights of one head are erased, or of all."""
        chosen, replay = slice(None), self.replay
        if head is not None:
            chosen = slice(head, head + 1)
            alone = torch.arange(self.heads, device=self.runner.heads.device) == head
            replay = replace(replay, runner=replace(self.runner, heads=alone))
        return self.tokens.reading(self.runner, replay, self.logits, self.decided, self.sums.of(chosen), True)


class EveryLayer:
    """Reads batches at several layers of a hub classifier at once."""

    def __init__(self, site: SelfAttentionSite, layers: Sequence[int] | None = None) -> None:
        """Prove by a run of the model that each layer can be replayed.

        Args:
            site: A site in one of the model's layers, where all heads are erased; `name.every_query` says whether in
                all layers the weights of every query are erased.
            layers: The layers, from 0, negative ones from the last; default: all.

        Raises:
            UserError: The model has no such layer.
            UnknownFamilyError: A layer cannot be replayed.
        """
        self.runner, self.left_out, self.targets = site.runner, site.left_out, site.targets
        self.every_query = site.name.every_query
        self.layers = _checked(layers, len(self.runner.layers))
        model = self.runner.model
        with erasable(model), torch.no_grad():
            inputs = dry_inputs(model, padded=not self.runner.layers.sees_padding)
            own = self.runner.run(inputs)
            for layer, replay in self._read_once(inputs).items():
                documents = torch.arange(len(own), device=own.device)
                found = replay.logits(documents, torch.ones_like(replay.batch.mask).unsqueeze(1))[:, 0]
                if not same_logits(found, own):
                    difference = float((found - own).abs().max())
                    raise UnknownFamilyError(
                        f"this '{model.config.model_type}' model cannot be replayed at layer {layer}: with nothing "
                        f"erased its logits would differ by {difference:.2g}"
                    )

    @property
    def tokens_at_once(self) -> int:
        """How many tokens a batch may have whose reading stays within the memory budget; at least one."""
        config, budget = self.runner.model.config.get_text_config(), self.runner.budget
        of_token = len(self.layers) * VECTORS * config.hidden_size * self.runner.model.dtype.itemsize
        return max(1, min(budget.tokens, int(budget.memory // of_token)))

    def read(self, inputs: Mapping[str, Tensor]) -> list[LayerRead]:
        """Read a batch of ``input_ids`` and ``attention_mask`` in one ordinary pass, and each layer's gradients."""
        with erasable(self.runner.model):
            tokens = Tokens.of(self.runner, inputs, self.left_out)
            return [self._layer(layer, replay, tokens) for layer, replay in self._read_once(inputs).items()]

    def _layer(self, layer: int, replay: OneLayerReplay, tokens: Tokens) -> LayerRead:
        logits = tokens.undisturbed(replay)
        decided = decisions(logits, self.targets)
        at_once = self.runner.rows(tokens.present.shape[1], layers=len(self.runner.layers) - layer)
        parts = [
            self._sums(replay, rows, logits[rows], decided.among(rows)) for rows in tokens.documents.split(at_once)
        ]
        sums = SumsByHead(*(torch.cat([getattr(part, name) for part in parts]) for name in NAMES))
        return LayerRead(layer, self.runner, replay, tokens, logits, decided, sums)

    def _sums(
        self,
        replay: OneLayerReplay,
        rows: Int[Tensor, " rows"],
        logits: Float[Tensor, "rows outputs"],
        decided: OneEach | Cases,
    ) -> SumsByHead:
        """Sum weights and their derivatives over the queries of each head; one pass serves all heads and decisions."""
        gradient, product = [], []
        with parameters_fixed(self.runner.model):
            entries = replay.entries(rows)
            weights = entries.weights[0].detach().double()
            for [slope] in slopes_in_turns(entries, margins_in_turns(entries.logits, logits, decided), True):
                gradient.append(_over_queries(entries, slope.double()))
                product.append(_over_queries(entries, weights * slope.double()))
        return SumsByHead(
            _over_queries(entries, weights),
            _over_queries(entries, torch.ones_like(weights)),
            *(decided.from_turns(torch.stack(each)) for each in (gradient, product)),
        )

    @torch.no_grad()
    def _read_once(self, inputs: Mapping[str, Tensor]) -> dict[int, OneLayerReplay]:
        """Run the model once unchanged, and return the replay of each layer."""
        runner, batch = self.runner, self.runner.batch(inputs)
        whole = self.every_query or runner.layers.family.route is Route.DROPOUT
        watched = {at for layer in self.layers for at in ((layer,) if whole else watched_at_read_out(runner, layer))}
        record = AttentionRecord(state_layers=() if whole else self.layers)
        read = runner.decide(inputs, batch.read_out, watched=watched, record=record)
        if not whole:
            return {layer: kept_at_read_out(runner, layer, batch, read, record) for layer in self.layers}
        return {
            layer: LayerReplay(runner, layer, self.every_query, batch, read.logits, read.hidden[layer])
            for layer in self.layers
        }


def _over_queries(
    entries: Entries, values: Float[Tensor, "rows heads queries keys"]
) -> Float[Tensor, "rows heads keys"]:
    """Sum over the queries that count; weights that the model's own mask holds at 0 are no entries."""
    return torch.einsum("bhqk,bq->bhk", entries.of_allowed(0, values), entries.queries.double())


def _checked(layers: Sequence[int] | None, count: int) -> tuple[int, ...]:
    """Return the numbers of layers in order, from 0.

    Raises:
        UserError: There is no such layer.
    """
    asked = range(count) if layers is None else layers
    wrong = [layer for layer in asked if not -count <= layer < count]
    if wrong or not asked:
        raise UserError(
            Setting("layers", list(wrong)), f": the model has {count} layers, numbered from 0 to {count - 1}"
        )
    return tuple(sorted({layer % count for layer in asked}))
