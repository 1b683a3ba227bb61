"""The sites inside a hub classifier, in its self-attention (METHOD section 6)."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from eraserhead.method.cases import Cases, OneEach, Targets, decisions
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.seen import ReplayedVectors
from eraserhead.method.shuffled import Shuffle, Shuffled
from eraserhead.method.signals import GRADIENTS, VALUE_NORM, Signals
from eraserhead.patch.dry_run import dry_inputs, dry_run, find_layers, same_logits
from eraserhead.patch.families import Route, UnknownFamilyError
from eraserhead.patch.interface import erasable
from eraserhead.sites.budget import Budget, budget_for
from eraserhead.sites.embeddings import parameters_fixed, without_table
from eraserhead.sites.given_signals import given_inside
from eraserhead.sites.inside.all_layers import read_all_layers
from eraserhead.sites.inside.checks import checked_heads, checked_name
from eraserhead.sites.inside.components import InsideReplay
from eraserhead.sites.inside.encoder_decoder import read_encoder_decoder
from eraserhead.sites.inside.head_input import seen_replay
from eraserhead.sites.inside.layer import read_at_layer
from eraserhead.sites.inside.read_documents import ReadDocuments
from eraserhead.sites.inside.read_out import ReadOutReplay, read_at_read_out
from eraserhead.sites.inside.runner import Entries, Replay, Runner, calls_of
from eraserhead.sites.inside.slopes import margins_in_turns, slopes_in_turns
from eraserhead.sites.inside.tokens import Sums, Tokens, joined_sums
from eraserhead.sites.site import InsideName

Read = Callable[[Mapping[str, Tensor]], Replay]


class SelfAttentionSite:
    """Erasure in the self-attention of a hub classifier in eval mode."""

    def __init__(
        self,
        model: PreTrainedModel,
        name: InsideName | None = None,
        heads: Sequence[int] | None = None,
        left_out: Sequence[int] = (),
        budget: Budget | None = None,
        shorten: bool = True,
        targets: Targets | None = None,
    ) -> None:
        """Find the layers of `model`, and choose how the site is replayed.

        Args:
            model: A sequence classifier, in eval mode.
            name: Where weights are erased; default: in the last layer, from the read-out position.
            heads: Numbers of the heads whose weights are erased, from 0; default: all.
            left_out: Ids of tokens that are no components, such as special tokens: never erased.
            budget: How much runs at a time; default: what suits the model's device.
            shorten: Whether tokens that are invisible everywhere may be left out of their rows, which is
                faster and changes no result.
            targets: Which labels are decided on, of a model that decides label by label.

        Raises:
            UserError: The model's attention cannot be erased, or it has no such layer or heads.
        """
        layers = find_layers(model)
        self.name = checked_name(name, layers)
        self.heads = checked_heads(heads, layers.heads)
        self.targets = targets
        self.left_out = torch.tensor(sorted(set(left_out)), dtype=torch.long, device=model.device)
        chosen = torch.zeros(layers.heads, dtype=torch.bool, device=model.device)
        chosen[slice(None) if self.heads is None else list(self.heads)] = True
        runner = Runner(model, layers, chosen, budget or budget_for(model.device))
        with dry_run(model, layers.family), erasable(model), torch.no_grad():
            inputs = dry_inputs(model, padded=not layers.sees_padding)
            logits = runner.run(inputs)
            self.runner = runner.proved(inputs, logits)
            self._read_once = _way_to_read(self.runner, self.name, layers.family.route, shorten)
            self._check_replay(inputs, logits)
            replay = self._read_once(inputs)
            self.projection = replay.projection() if isinstance(replay, ReadOutReplay) else None

    @property
    def unlisted(self) -> str | None:
        """The model type, where its family is not in the table and was proved by probes of this model alone."""
        model, layers = self.runner.model, self.runner.layers
        return None if layers.family.listed else model.config.model_type

    @property
    def gives(self) -> frozenset[str]:
        """Gradients, value norms where attention is projected, scores by word embeddings and by all layers."""
        given = given_inside(self.name.kind, self.runner.layers.encoder is not None)
        no_norms = frozenset({VALUE_NORM}) if self.projection is None else frozenset()
        return given - no_norms - without_table(self.runner.model)

    def kind_of(self, ids: Sequence[int]) -> tuple[int, int]:
        """Return the length and the number of ends that documents have to share to be read in one batch; 0: any."""
        model, layers = self.runner.model, self.runner.layers
        length = len(ids) if layers.sees_padding else 0
        # Classifiers with a decoder demand as many ends of the text in every row.
        return length, 0 if layers.encoder is None else list(ids).count(model.config.eos_token_id)

    def read(self, batch: Mapping[str, Tensor], signals: Collection[str]) -> ReplayedReading:
        """Read weights in one forward pass; gradients, if requested, in a backward pass through the layers above.

        A token's weight is the mean over its entries (METHOD section 6), divided by the sum of all tokens' means, which
        is 1 unless the model's own mask forbids some entries. Its gradient and product are sums over its entries.
        """
        with erasable(self.runner.model):
            return self._read(batch, frozenset(signals))

    def _read(self, inputs: Mapping[str, Tensor], asked: frozenset[str]) -> ReplayedReading:
        gradients = not GRADIENTS.isdisjoint(asked)
        tokens, replay = Tokens.of(self.runner, inputs, self.left_out), self._read_once(inputs)
        logits = tokens.undisturbed(replay)
        decided = decisions(logits, self.targets)
        sums = joined_sums(
            [
                self._sums(replay, rows, logits[rows], decided.among(rows), gradients)
                for rows in tokens.documents.split(self._gradients_at_once(tokens.present.shape[1]))
            ]
        )
        found = tokens.reading(self.runner, replay, logits, decided, sums, gradients)
        again = InsideReplay(self.runner.model, replay, tokens.mask, tokens.positions)
        seen = seen_replay(self.runner, again)
        read = ReadDocuments(self.runner, replay.batch, logits, decided, tokens.positions, tokens.mask)
        later, rows = read.signals(asked), decided.documents
        if VALUE_NORM in asked:
            later[VALUE_NORM] = lambda: read.of_components(self._value_norms(replay)[rows])
        return replace(
            found,
            signals=Signals(found.signals, later, read.missed),
            see=None if seen is None else ReplayedVectors(seen, rows),
            shuffle=self._shuffle(found.weights, again, decided),
        )

    def _shuffle(
        self, weights: Float[Tensor, "rows components"], replay: InsideReplay, decided: OneEach | Cases
    ) -> Shuffle | None:
        """Return what permutes the weights of the read-out position; None where others are erased too."""
        if self.name.every_query or not isinstance(replay.replay, ReadOutReplay):
            return None

        def shuffle(permutation: Int[Tensor, "rows components"]) -> Shuffled:
            documents = torch.arange(len(replay.mask), device=permutation.device)
            own = permutation[torch.searchsorted(decided.documents, documents)]  # cases of a document are alike
            return Shuffled(weights.gather(1, permutation), decided.replay(replay.shuffled(own)))

        return shuffle

    def _value_norms(self, replay: Replay) -> Float[Tensor, "documents tokens"]:
        assert isinstance(replay, ReadOutReplay)
        assert self.projection is not None
        return replay.value_norms(self.projection)

    def _check_replay(self, inputs: Mapping[str, Tensor], own: Float[Tensor, "documents classes"]) -> None:
        """Refuse a model whose replay with nothing erased is not what the model computes."""
        replay = self._read_once(inputs)
        documents = torch.arange(len(own), device=own.device)
        replayed = replay.logits(documents, torch.ones_like(replay.batch.mask).unsqueeze(1))[:, 0]
        if not same_logits(replayed, own):
            kind = self.runner.model.config.model_type
            raise UnknownFamilyError(
                f"this '{kind}' model cannot be replayed at site {self.name}: with nothing erased its logits would "
                f"differ by {float((replayed - own).abs().max()):.2g}"
            )

    def _gradients_at_once(self, tokens: int) -> int:
        layers = self.runner.layers
        return self.runner.rows(tokens, layers=layers.attentions - calls_of(self.name, layers)[0])

    def _sums(
        self,
        replay: Replay,
        rows: Int[Tensor, " rows"],
        logits: Float[Tensor, "rows outputs"],
        decided: OneEach | Cases,
        gradients: bool,
    ) -> Sums:
        """Return for every token the mean of its weights, and the sums of gradients and of weights times gradients.

        One pass serves all decisions; each document's first, its second and so on take a backward pass together.
        """
        gradient, product = [], []
        with parameters_fixed(self.runner.model):
            entries = replay.entries(rows)
            for slopes in slopes_in_turns(entries, margins_in_turns(entries.logits, logits, decided), gradients):
                gradient.append(self._over_layers(entries, slopes))
                weighted = (w.detach().double() * slope for w, slope in zip(entries.weights, slopes, strict=True))
                product.append(self._over_layers(entries, weighted))
        total = self._over_layers(entries, (weights.detach() for weights in entries.weights))
        count = self._over_layers(entries, (torch.ones_like(weights) for weights in entries.weights))
        gradient, product = (decided.from_turns(torch.stack(each)) for each in (gradient, product))
        return Sums(total / count.clamp(min=1), gradient, product)

    def _over_layers(
        self, entries: Entries, values: Iterable[Float[Tensor, "rows heads queries keys"]]
    ) -> Float[Tensor, "rows tokens"]:
        """Sum over all entries of a token, a layer at a time: their float64 copies are the largest tensors of all.

        Weights that the model's own mask holds at 0 are no entries.
        """
        total = torch.zeros(())
        for number, layer in enumerate(values):
            allowed = entries.of_allowed(number, layer)
            total = total + entries.by_token(number, self._over_entries(entries, allowed))
        return total

    def _over_entries(
        self, entries: Entries, values: Float[Tensor, "rows heads queries keys"]
    ) -> Float[Tensor, "rows keys"]:
        """Sum over the chosen heads and the queries that count."""
        chosen = values if self.heads is None else values[:, list(self.heads)]
        return torch.einsum("bhqk,bq->bk", chosen.double(), entries.queries.double())


def _way_to_read(runner: Runner, name: InsideName, route: Route, shorten: bool) -> Read:
    """Return the function that reads a batch for the cheapest replay that is exact at a site."""
    if runner.layers.encoder is not None:
        return partial(read_encoder_decoder, runner, name)
    if name.layer is None:
        return partial(read_all_layers, runner, shorten)
    if runner.reads_one_row and name.layer == runner.last:
        return partial(read_at_read_out, runner, name.layer, every_query=name.every_query)
    if name.every_query or route is Route.DROPOUT:
        return partial(read_at_layer, runner, name.layer, name.every_query)
    return partial(read_at_read_out, runner, name.layer)
