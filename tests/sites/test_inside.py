"""The self-attention site against slow, plain ways to the same numbers, and what is computed from it."""

import copy
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from transformers import PreTrainedModel

from eraserhead.method.analysis import (analyse)
from eraserhead.errors import UserError
from eraserhead.method.erasure import Evaluation
from eraserhead.method.greedy import (greedy_set, smallest_set)
from eraserhead.method.test_two import (FlippingSet)
from eraserhead.method.test_two import (first_flips_by_replay)
from eraserhead.method.names import (Outcome)
from eraserhead.patch.families import FAMILIES
from eraserhead.sites.inside.site import SelfAttentionSite, parse_place
from eraserhead.sites.site import Attention
from families import (
    CLOSES,
    LAYERS,
    LENGTHS,
    OPENS,
    PLACES,
    VARIANTS,
    Slow,
    batch_of,
    documents,
    erasure_masks,
    in_float64,
    patched_logits,
    slow,
    tiny,
)

every_variant = pytest.mark.parametrize("name", VARIANTS)
# Layer 1 goes the way of layer 0, so that tests of what no layer has of its own leave it out.
every_way = pytest.mark.parametrize("place", [place for place in PLACES if place != "layer:1"])
every_place = pytest.mark.parametrize("place", PLACES)


@cache
def site_of(
    name: str,
    place: str,
    heads: tuple[int, ...] | None = None,
    left_out: tuple[int, ...] = (),
    memory_budget: float = 1e9,
    shorten: bool = True,
) -> SelfAttentionSite:
    """The one site that tests share: finding a model's layers takes a dozen passes."""
    return SelfAttentionSite(tiny(name), parse_place(place), heads, left_out, memory_budget, shorten)


@cache
def reading(
    name: str, place: str, heads: tuple[int, ...] | None = None, left_out: tuple[int, ...] = ()
) -> tuple[SelfAttentionSite, Attention]:
    """A site and what it reads of `documents()`."""
    site = site_of(name, place, heads, left_out)
    with in_float64():
        return site, site.read(batch_of(tiny(name), documents()))


def keep_without(attention: Attention, erased: Sequence[Sequence[Collection[int]]]) -> Tensor:
    """Keep masks [documents, erasures, components] from the positions erased of each document.

    What is said about padding must not matter: half of it is kept, half erased.
    """
    keep = torch.ones(len(erased), len(erased[0]), attention.mask.shape[1], dtype=torch.bool)
    for row, sets in enumerate(erased):
        for number, positions in enumerate(sets):
            for component, position in enumerate(attention.positions[row].tolist()):
                padding = not attention.mask[row, component]
                keep[row, number, component] = component % 2 == 0 if padding else position not in positions
    return keep


@contextmanager
def passes_of(model: PreTrainedModel) -> Iterator[list[tuple[int, int]]]:
    """Rows and tokens of each forward pass."""
    shapes: list[tuple[int, int]] = []
    hook = model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    yield shapes
    hook.remove()


def random_sets(texts: Sequence[Sequence[int]], count: int, oracle: Slow) -> list[list[set[int]]]:
    """Positions of each document: none, all, the one that is read (or the first that is), and random ones."""
    generator = torch.Generator().manual_seed(1)
    found = []
    for ids in texts:
        drawn = torch.rand((count, len(ids)), generator=generator) < 0.4
        several = [set(row.nonzero().squeeze(1).tolist()) for row in drawn]
        found.append([set(), set(range(len(ids))), {oracle.read_from(len(ids))[0]}, *several])
    return found


@every_place
@every_variant
def test_a_replay_equals_a_full_pass_with_the_public_patch(name, place):
    model, texts, oracle = tiny(name), documents(), slow(name)
    batch = batch_of(model, texts)
    sets = random_sets(texts, 2, oracle)
    with torch.no_grad(), in_float64():
        own = model(**batch).logits
    for heads in (None, (1,)):
        site, attention = reading(name, place, heads)
        with in_float64():
            found = site.replay(attention, keep_without(attention, sets))
        expected = patched_logits(model, place, texts, erasure_masks(oracle, place, texts, sets, heads))
        assert_close(found, expected, rtol=0, atol=1e-10)
        assert_close(attention.whole.logits, own, rtol=0, atol=1e-10)
        assert torch.equal(attention.model_decision, own.argmax(-1))
        assert (found[:, 1] - found[:, 0]).abs().max() > 1e-2  # everything and nothing erased
        assert (found[:, 3:] - found[:, :1]).abs().amax(-1).gt(1e-4).double().mean() > 0.5


@every_way
@every_variant
def test_one_row_runs_at_a_time_where_memory_is_short(name, place):
    model, texts = tiny(name), documents((5, 3))
    sets = [[{0}, {1, 2}], [{2}, {0}]]
    wide, narrow = site_of(name, place), site_of(name, place, memory_budget=1.0)
    with in_float64(), passes_of(model) as passes:
        attention = wide.read(batch_of(model, texts))
        passes.clear()
        expected = wide.replay(attention, keep_without(attention, sets))
        assert {rows for rows, _ in passes} == {4}
        passes.clear()
        short = narrow.read(batch_of(model, texts))
        found = narrow.replay(short, keep_without(short, sets))
    whole, *others = passes  # the batch is read as it comes
    assert whole == (2, 5)
    assert {rows for rows, _ in others} == {1}
    assert_close(found, expected, rtol=0, atol=1e-10)
    for number in ("weights", "gradient", "product"):
        assert_close(getattr(short, number), getattr(attention, number), rtol=0, atol=1e-10)


@every_way
@every_variant
def test_special_tokens_that_are_left_out_are_never_erased(name, place):
    """The shortest document consists of nothing else, so nothing of it can be erased."""
    texts = documents()
    site, attention = reading(name, place, left_out=(OPENS, CLOSES))
    assert attention.lengths.tolist() == [length - 2 for length in LENGTHS]
    sets = [[set(range(len(ids))), set(range(1, len(ids), 2))] for ids in texts]
    with in_float64():
        found = site.replay(attention, keep_without(attention, sets))
    for row in (1, 2, 4):
        inner = set(range(1, len(texts[row]) - 1))
        for number, erased in enumerate(sets[row]):
            expected = slow(name).erased(texts[row], place, erased & inner)
            assert_close(found[row, number], expected, rtol=0, atol=1e-10)
    assert_close(attention.weights.sum(-1) + attention.outside, torch.ones(len(texts)).double(), rtol=0, atol=1e-10)
    assert attention.outside[-1] == pytest.approx(1, abs=1e-10)
    assert (found[:-1, 0] - attention.whole.logits[:-1]).abs().max() > 1e-2


@every_variant
def test_rows_without_invisible_tokens_equal_masked_rows(name):
    """Where positions are given by ids and all heads are erased; also without the token that the decision is read from.

    Row by row, so that a row's width is the number of its tokens: of the document of 7 the one that is read, where
    everything is erased, and the special tokens as well, where these are left out.
    """
    model, texts, oracle = tiny(name), documents((7, 5)), slow(name)
    batch, sets = batch_of(model, texts), random_sets(texts, 1, oracle)
    reads_one = len(oracle.read_from(7)) == 1
    by_ids = FAMILIES[VARIANTS[name][0]].positions is not None and "windows" not in name
    specials = len({0, 6, *oracle.read_from(7)})
    for heads, left_out, least in ((None, (), 1), (None, (OPENS, CLOSES), specials), ((1,), (), 7)):
        shortening = site_of(name, "all", heads, left_out, memory_budget=1.0)
        masking = site_of(name, "all", heads, left_out, shorten=False)
        with in_float64(), passes_of(model) as passes:
            attention = shortening.read(batch)
            keep = keep_without(attention, sets)
            passes.clear()
            short = shortening.replay(attention, keep)
            widths = {width for _, width in passes}
            passes.clear()
            masked = masking.replay(masking.read(batch), keep)
            assert {width for _, width in passes} == {7}
        assert_close(short, masked, rtol=0, atol=1e-10)
        assert min(widths) == (least if by_ids and reads_one else 7)


@every_place
@every_variant
def test_weights_gradients_and_products_are_sums_over_the_entries(name, place):
    """Central differences of every single weight, one document at a time; read from a padded batch."""
    texts, oracle = documents(), slow(name)
    for row, heads in ((2, None), (3, (0, 3))):
        _, attention = reading(name, place, heads)
        ids, n = texts[row], len(texts[row])
        weights, slopes = entries_of(oracle, ids, place, heads)
        assert_close(attention.weights[row, :n], weights.mean((0, 1, 2)), rtol=0, atol=1e-12)
        assert_close(attention.gradient[row, :n], slopes.sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
        assert_close(attention.product[row, :n], (weights * slopes).sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
        assert slopes.abs().max() > 1e-4
        for number in ("weights", "gradient", "product"):
            assert not getattr(attention, number)[row, n:].any()


def entries_of(oracle: Slow, ids: list[int], place: str, heads: Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """Weights and slopes of all entries of a site, [layers, heads, queries, keys]."""
    layers, chosen, queries = (torch.tensor([*axis]) for axis in oracle.entries(ids, place, heads))
    weights = oracle.weights(ids)[layers[:, None, None], chosen[:, None], queries]
    return weights, oracle.slopes(ids, place, heads)


@every_way
@every_variant
def test_a_document_gives_the_same_alone_and_beside_longer_ones(name, place):
    model, texts = tiny(name), documents()
    site, together = reading(name, place)
    sets = random_sets(texts, 1, slow(name))
    with in_float64():
        replayed = site.replay(together, keep_without(together, sets))
        for row in (2, 4):
            alone = site.read(batch_of(model, texts[row : row + 1]))
            n = len(texts[row])
            for number in ("weights", "gradient", "product"):
                assert_close(getattr(alone, number)[0], getattr(together, number)[row, :n], rtol=0, atol=1e-10)
            assert_close(alone.whole.logits[0], together.whole.logits[row], rtol=0, atol=1e-10)
            own = site.replay(alone, keep_without(alone, sets[row : row + 1]))
            assert_close(own[0], replayed[row], rtol=0, atol=1e-10)


@every_way
@every_variant
def test_documents_are_replayed_in_the_order_in_which_they_are_selected(name, place):
    """Also one that is named twice; each with erasures of its own."""
    texts, chosen = documents(), [3, 1, 3, 0]
    site, attention = reading(name, place)
    sets = [[{0}, {1, 2}], [{3, 4}, {0, 1}], [{2}, {1}], [{0, 1, 5}, {7}]]
    rows = attention.select(torch.tensor(chosen))
    with in_float64():
        found = site.replay(rows, keep_without(rows, sets))
    chosen_texts = [texts[row] for row in chosen]
    masks = erasure_masks(slow(name), place, chosen_texts, sets)
    assert_close(found, patched_logits(tiny(name), place, chosen_texts, masks), rtol=0, atol=1e-10)
    assert (found[0] - found[2]).abs().max() > 1e-3


# Positions that pass through each layer's feed-forward part in a replay of 2 documents of up to 7 tokens, 3 erasures
# each: all 42 positions of 6 rows, the 6 that are read, or none.
RUN = {
    "bert": {"layer:-1": [0, 0, 6], "layer:1": [0, 6, 42], "layer:0": [6, 42, 42], "layer:1:all": [0, 42, 42]},
    "mpnet": {"layer:-1": [0, 0, 42], "layer:1": [0, 42, 42], "layer:0": [42, 42, 42], "layer:1:all": [0, 42, 42]},
}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in RUN for place in RUN[name]])
def test_no_layer_runs_that_an_erasure_does_not_reach(name, place):
    model = tiny(name)
    site, counts = site_of(name, place), [0] * LAYERS
    attention = site.read(batch_of(model, documents((7, 5))))

    def count(layer: int, module: torch.nn.Module, args: tuple[Tensor]) -> None:
        counts[layer] += args[0].shape[:-1].numel()

    hooks = [
        layer.intermediate.dense.register_forward_pre_hook(partial(count, number))
        for number, layer in enumerate(model.base_model.encoder.layer)
    ]
    site.replay(attention, keep_without(attention, [[{0}, {1}, {2}]] * 2))
    for hook in hooks:
        hook.remove()
    assert counts == RUN[name][place]


@pytest.mark.parametrize("place", ["layer:0", "all"])
@every_variant
def test_float32_gives_the_same_up_to_its_rounding(name, place):
    """As models are loaded; nothing of `in_float64` here."""
    texts, oracle = documents(), slow(name)
    sets = random_sets(texts, 1, oracle)
    single = copy.deepcopy(tiny(name)).float()
    site = SelfAttentionSite(single, parse_place(place))
    attention = site.read(batch_of(single, texts))
    found = site.replay(attention, keep_without(attention, sets))
    _, exact = reading(name, place)
    expected = patched_logits(tiny(name), place, texts, erasure_masks(oracle, place, texts, sets))
    assert_close(found, expected, rtol=0, atol=1e-3)
    for number in ("weights", "gradient", "product"):
        assert_close(getattr(attention, number), getattr(exact, number), rtol=0, atol=1e-3)
    with torch.no_grad():
        own = single(**batch_of(single, texts)).logits
    assert_close(attention.whole.logits, own.double(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("place", ["layer:-1", "all"])
@every_variant
def test_an_empty_document_leaves_its_neighbours_alone(name, place):
    """It has no components; its logits are the model's own, which are NaN where the model divides by no tokens."""
    texts = documents()
    site, together = reading(name, place)
    with in_float64():
        batch = batch_of(tiny(name), [texts[1], [], texts[3]])
        attention = site.read(batch)
        with torch.no_grad():
            own = tiny(name)(**batch).logits
    assert attention.lengths.tolist() == [7, 0, 3]
    assert not attention.weights[1].any()
    assert_close(attention.whole.logits, own, rtol=0, atol=1e-10, equal_nan=True)
    assert own[1].isnan().all() or own.isfinite().all()
    for row, beside in ((0, 1), (2, 3)):
        n = len(texts[beside])
        for number in ("weights", "gradient", "product"):
            assert_close(getattr(attention, number)[row, :n], getattr(together, number)[beside, :n], rtol=0, atol=1e-10)


@every_way
@every_variant
def test_decisions_of_the_tiny_models_flip(name, place):
    """Or tests of what flips would compare nothing: a fifth of the documents, before everything is erased."""
    texts, site = documents((7, 5) * 5, seed=2), site_of(name, place)
    attention = site.read(batch_of(tiny(name), texts))
    rank = attention.weights.argsort(descending=True).argsort()
    flipped = site.replay(attention, rank.unsqueeze(1) >= torch.arange(1, 7).view(1, -1, 1)).argmax(-1)
    flipped = (flipped != attention.whole.decision.unsqueeze(1)) & (torch.arange(1, 7) < attention.lengths.unsqueeze(1))
    assert flipped.any(-1).double().mean() >= 0.2


def divergence(first: Tensor, second: Tensor) -> Tensor:
    """Jensen-Shannon divergence of two decisions, from the definition."""
    p, q = first.softmax(-1), second.softmax(-1)
    mean = (p + q) / 2
    return sum((each * (each / mean).log()).sum() for each in (p, q)) / 2


Decide = Callable[[frozenset[int]], Tensor]  # logits of a document without some positions


def slow_flip(decide: Decide, order: list[int], weights: Tensor) -> tuple[Outcome, int | None, int | None, float]:
    """Outcome, size, new decision and mass of the first prefix that flips, every prefix looked at."""
    decisions = [int(decide(frozenset(order[:k])).argmax()) for k in range(len(order) + 1)]
    for k, decision in enumerate(decisions):
        if decision != decisions[0]:
            left = [position for position in range(len(weights)) if position not in order[:k]]
            outcome = Outcome.FLIP if weights[left].gt(0).any() else Outcome.BIAS_ONLY
            return outcome, k, decision, weights[order[:k]].sum().item()
    return Outcome.NEVER, None, None, 0.0


ANALYSED = ["bert", "gpt2", "deberta-v2, as v3", "eurobert, bos", "modernbert, mean"]


@every_place
@pytest.mark.parametrize("name", ANALYSED)
def test_the_analysis_equals_brute_force_over_the_slow_way(name, place):
    """Every prefix of every order and every single erasure, one edited forward pass of one document each."""
    oracle, texts = slow(name), documents((7, 5), seed=7)
    heads = (0, 3) if place in ("layer:1:all", "all") else None
    site = site_of(name, place, heads, (OPENS,) if place in ("layer:0", "all") else ())
    with in_float64():
        attention = site.read(batch_of(tiny(name), texts))
        analysis = analyse(site, attention, ["a", "b"], draws=2, seed=0)
    for row, text in enumerate(texts):
        positions = attention.positions[row, : attention.lengths[row]].tolist()
        decide = cache(partial(oracle.erased, text, place, heads=heads))
        for component, position in enumerate(positions):
            without = decide(frozenset({position}))
            assert analysis.singles.decision[row, component] == without.argmax()
            distance = divergence(decide(frozenset()), without)
            assert_close(analysis.singles.js[row, component], distance, rtol=0, atol=1e-10)
        weights, slopes = entries_of(oracle, text, place, heads)
        means = weights.mean((0, 1, 2))
        keys = {
            "attention": means,
            "gradient": slopes.sum((0, 1, 2)),
            "product": (weights * slopes).sum((0, 1, 2)),
        }
        *rankings, best = analysis.flips
        assert [each.ranking for each in rankings] == ["random", "random", *keys]
        sizes = []
        for each in rankings:
            order = [positions[component] for component in each.order[row, : len(positions)].tolist()]
            assert sorted(order) == positions
            if each.ranking in keys:
                assert (keys[each.ranking][order].diff() < 1e-8).all()
            outcome, removed, becomes, mass = slow_flip(decide, order, means)
            assert each.flips.outcome[row] == outcome
            if removed is not None:
                assert (each.flips.removed[row], each.flips.becomes[row]) == (removed, becomes)
                assert each.flips.mass[row].item() == pytest.approx(mass, abs=1e-10)
                sizes.append((removed, outcome))
        assert best.ranking == "best_found"
        assert best.flips.outcome[row] == (min(sizes)[1] if sizes else Outcome.NEVER)
        assert not sizes or best.flips.removed[row] == min(sizes)[0]
    assert any((each.flips.outcome == Outcome.FLIP).any() for each in analysis.flips)


@every_place
@pytest.mark.parametrize("name", ANALYSED)
def test_a_greedy_search_finds_no_larger_set_and_its_set_flips(name, place):
    oracle, texts, site = slow(name), documents((7, 5, 5), seed=4), site_of(name, place)
    with in_float64():
        attention = site.read(batch_of(tiny(name), texts))
        best, searched = (
            analyse(site, attention, ["a", "b", "c"], draws=1, seed=0, greedy=greedy).flips[-1]
            for greedy in (False, True)
        )
    for row, text in enumerate(texts):
        if best.flips.outcome[row] != Outcome.NEVER:
            assert searched.flips.outcome[row] != Outcome.NEVER
            assert searched.flips.removed[row] <= best.flips.removed[row]
        if searched.flips.outcome[row] == Outcome.FLIP:
            order = searched.order[row, : len(text)].tolist()
            assert sorted(order) == list(range(len(text)))
            erased = order[: int(searched.flips.removed[row])]
            assert oracle.erased(text, place, erased).argmax() == searched.flips.becomes[row]
            assert searched.flips.becomes[row] != oracle.erased(text, place, ()).argmax()
    assert (searched.flips.outcome == Outcome.FLIP).any()


@pytest.mark.parametrize("text", ["layer", "layer:", "layer:x", "layer:1:some", "layer:-", "All", "1", ""])
def test_a_place_that_is_none_is_refused(text):
    with pytest.raises(UserError, match="not a place inside a model"):
        parse_place(text)


@pytest.mark.parametrize("text", ["layer:0", "layer:-1", "layer:12:all", "all"])
def test_a_place_is_written_as_it_is_read(text):
    assert str(parse_place(text)) == text


def test_places_and_heads_that_a_model_has_not_are_refused():
    model = tiny("bert")
    for place in ("layer:3", "layer:-4", "layer:3:all"):
        with pytest.raises(UserError, match="the model has 3 layers, numbered from 0 to 2"):
            SelfAttentionSite(model, parse_place(place))
    for heads, named in (((4,), "4"), ((0, -1, 7), "-1,7"), ((), "none")):
        with pytest.raises(UserError, match=rf"{named}.* has 4 heads, numbered from 0 to 3"):
            SelfAttentionSite(model, heads=heads)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_mean_is_read_from_every_query(name):
    place = SelfAttentionSite(tiny(name), parse_place("layer:-2")).place
    assert str(place) == ("layer:1:all" if len(slow(name).read_from(7)) > 1 else "layer:1")


@dataclass(frozen=True)
class Toy:
    """A decision over components that interact, so that nothing but a replay tells what an erasure does to it."""

    weights: Tensor
    own: Tensor
    pairs: Tensor
    mask: Tensor
    evaluated: list[int] = field(default_factory=list)

    @staticmethod
    def draw(seed: int, lengths: Sequence[int], lean: float) -> "Toy":
        """Components that lean towards class 0, some of them of weight 0."""
        generator = torch.Generator().manual_seed(seed)
        width, classes = max(lengths), 3
        own = torch.randn(len(lengths), width, classes, generator=generator, dtype=torch.float64)
        own[..., 0] += lean
        pairs = torch.randn(len(lengths), width, width, classes, generator=generator, dtype=torch.float64)
        mask = torch.arange(width) < torch.tensor(lengths).unsqueeze(1)
        weights = torch.rand(len(lengths), width, generator=generator, dtype=torch.float64) * mask
        share = torch.rand(len(lengths), 1, generator=generator)  # of components that have a weight at all
        weights = weights * (torch.rand(weights.shape, generator=generator) < share)
        return Toy(weights / weights.sum(-1, keepdim=True).clamp(min=1e-9), own, 0.5 * pairs, mask)

    def replay(self, documents: Tensor, keep: Tensor) -> Evaluation:
        self.evaluated.append(keep.shape[0] * keep.shape[1])
        kept = (keep & self.mask[documents].unsqueeze(1)).double()
        logits = torch.einsum("dek,dkc->dec", kept, self.own[documents])
        logits = logits + torch.einsum("dek,del,dklc->dec", kept, kept, self.pairs[documents])
        mass = (kept * self.weights[documents].unsqueeze(1)).sum(-1) > 0
        return Evaluation(logits, torch.ones_like(logits[..., 0]), mass)

    def evaluate(self, row: int, erased: Collection[int]) -> tuple[Tensor, bool]:
        """Logits of one document, and whether any weight is left; one erasure at a time."""
        kept = [i for i in range(int(self.mask[row].sum())) if i not in erased]
        logits = torch.zeros(3, dtype=torch.float64)
        for one in kept:
            logits = logits + self.own[row, one]
            for other in kept:
                logits = logits + self.pairs[row, one, other]
        return logits, any(self.weights[row, i] > 0 for i in kept)

    @property
    def decision(self) -> Tensor:
        return torch.tensor([int(self.evaluate(row, ())[0].argmax()) for row in range(len(self.mask))])

    def flips_at(self, row: int, order: Sequence[int]) -> tuple[Outcome, int | None, int | None]:
        """Outcome, size and new decision of the first prefix that flips."""
        original = self.evaluate(row, ())[0].argmax()
        for k in range(1, len(order) + 1):
            logits, mass = self.evaluate(row, order[:k])
            if logits.argmax() != original:
                return (Outcome.FLIP if mass else Outcome.BIAS_ONLY), k, int(logits.argmax())
        return Outcome.NEVER, None, None

    def orders(self, seed: int, rankings: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        key = torch.rand(len(self.mask), rankings, self.mask.shape[1], generator=generator)
        return key.masked_fill(~self.mask.unsqueeze(1), 2.0).argsort(-1)


@pytest.mark.parametrize("seed", range(4))
def test_first_flips_by_replay_equal_a_loop_over_prefixes(seed):
    """Long enough for several chunks: beyond a flip come at most eight prefixes more, or a quarter of those before."""
    lengths = (41, 29, 17, 8, 3, 1)
    toy = Toy.draw(seed, lengths, lean=0.5 * seed)
    orders = toy.orders(seed, rankings=2)
    decision = toy.decision
    found = first_flips_by_replay(toy.replay, toy.weights, orders, toy.mask, decision)
    evaluated = sum(toy.evaluated)
    assert len(found) == 2
    most = 0
    for ranking, flips in enumerate(found):
        for row, n in enumerate(lengths):
            order = orders[row, ranking, :n].tolist()
            outcome, removed, becomes = toy.flips_at(row, order)
            assert flips.outcome[row] == outcome
            most += (removed or n) + max(8, (removed or n) // 4)
            if removed is None:
                assert flips.becomes[row] == decision[row]
            else:
                assert (flips.removed[row], flips.becomes[row]) == (removed, becomes)
                assert flips.mass[row].item() == pytest.approx(
                    toy.weights[row, order[:removed]].sum().item(), abs=1e-12
                )
    assert evaluated <= most


def test_toy_documents_flip_early_late_and_never():
    """Or the loop above compared nothing of interest."""
    found = []
    for seed in range(4):
        toy = Toy.draw(seed, (41, 29, 17, 8, 3, 1), lean=0.5 * seed)
        orders = toy.orders(seed, rankings=2)
        found += [
            toy.flips_at(row, orders[row, ranking, : int(toy.mask[row].sum())].tolist())
            for ranking in range(2)
            for row in range(6)
        ]
    assert {outcome for outcome, _, _ in found} == set(Outcome)
    sizes = [removed for outcome, removed, _ in found if outcome is Outcome.FLIP]
    assert min(sizes) == 1
    assert any(8 < size <= 16 for size in sizes)
    assert max(sizes) > 24


def sets_along(toy: Toy, seed: int, rankings: int) -> list[FlippingSet]:
    orders = toy.orders(seed, rankings)
    flips = first_flips_by_replay(toy.replay, toy.weights, orders, toy.mask, toy.decision)
    return [FlippingSet(orders[:, ranking], each) for ranking, each in enumerate(flips)]


SMALL = (9, 8, 7, 5, 3, 2, 1)


def test_the_smallest_set_is_the_lightest_among_equals_and_a_flip_before_a_bare_bias():
    """Also where a bare bias takes fewer components than any flip, or the other way round."""
    chosen = set()
    for seed in range(8):
        toy = Toy.draw(seed, SMALL, lean=0.3)
        candidates = sets_along(toy, seed, rankings=3)
        best = smallest_set(candidates)
        for row in range(len(SMALL)):
            keys = [
                (int(each.flips.removed[row]), int(each.flips.outcome[row]), float(each.flips.mass[row]))
                for each in candidates
            ]
            flipping = [key for key in keys if key[1] != Outcome.NEVER]
            if not flipping:
                assert best.flips.outcome[row] == Outcome.NEVER
                continue
            expected = candidates[keys.index(min(flipping))]
            assert torch.equal(best.order[row], expected.order[row])
            for name in ("removed", "mass", "outcome", "becomes"):
                assert getattr(best.flips, name)[row] == getattr(expected.flips, name)[row]
            if len({outcome for _, outcome, _ in flipping}) == 2:
                chosen.add(Outcome(min(flipping)[1]))
    assert chosen == {Outcome.FLIP, Outcome.BIAS_ONLY}


def slow_greedy(toy: Toy, row: int, most: int) -> list[int] | None:
    """Erase what lowers the margin most, as long as a weight is left; a set of at most so many that flips, or none."""
    original, chosen = int(toy.evaluate(row, ())[0].argmax()), []
    while len(chosen) < most:
        margins = {}
        for candidate in range(int(toy.mask[row].sum())):
            logits, mass = toy.evaluate(row, [*chosen, candidate])
            if candidate not in chosen and mass:
                rivals = [logit for number, logit in enumerate(logits.tolist()) if number != original]
                margins[candidate] = logits[original].item() - max(rivals)
        if not margins:
            return None
        chosen.append(min(margins, key=margins.__getitem__))
        if toy.evaluate(row, chosen)[0].argmax() != original:
            return chosen
    return None


def test_the_greedy_set_equals_a_plain_loop_and_is_never_larger_than_what_was_known():
    """Between the smallest set of all, by exhaustive search, and the best of three random orders."""
    smaller = larger_than_minimum = 0
    for seed in range(8):
        toy = Toy.draw(seed, SMALL, lean=1.2)
        best = smallest_set(sets_along(toy, seed, rankings=3))
        decision = toy.decision
        found = greedy_set(toy.replay, toy.weights, toy.mask, decision, best)
        for row, n in enumerate(SMALL):
            known = best.flips.outcome[row] != Outcome.NEVER
            expected = slow_greedy(toy, row, (int(best.flips.removed[row]) if known else n) - 1)
            if expected is None:
                assert torch.equal(found.order[row], best.order[row])
                assert found.flips.outcome[row] == best.flips.outcome[row]
                assert found.flips.becomes[row] == best.flips.becomes[row]
                assert not known or found.flips.removed[row] == best.flips.removed[row]
                continue
            smaller += 1
            size = int(found.flips.removed[row])
            assert found.order[row, :size].tolist() == expected
            assert sorted(found.order[row].tolist()) == list(range(len(found.order[row])))
            assert found.flips.outcome[row] == Outcome.FLIP
            logits, mass = toy.evaluate(row, expected)
            assert mass
            assert found.flips.becomes[row] == logits.argmax() != decision[row]
            assert found.flips.mass[row].item() == pytest.approx(toy.weights[row, expected].sum().item(), abs=1e-12)
            minimum = exhaustive_minimum(toy, row)
            assert minimum <= size < (int(best.flips.removed[row]) if known else n)
            larger_than_minimum += size > minimum
    assert smaller > 7
    assert larger_than_minimum > 0  # so that "best found" is not called a minimum


def test_a_search_where_nothing_has_a_weight_finds_no_flip():
    """Every decision is then the bare bias's, also one that differs."""
    for seed in range(4):
        toy = Toy.draw(seed, SMALL, lean=0.3)
        toy.weights.zero_()
        best = smallest_set(sets_along(toy, seed, rankings=1))
        assert (best.flips.outcome == Outcome.BIAS_ONLY).any()
        assert (best.flips.removed > 1).any()
        found = greedy_set(toy.replay, toy.weights, toy.mask, toy.decision, best)
        for name in ("removed", "mass", "outcome", "becomes"):
            assert torch.equal(getattr(found.flips, name), getattr(best.flips, name))


def exhaustive_minimum(toy: Toy, row: int) -> int:
    original, n = toy.evaluate(row, ())[0].argmax(), int(toy.mask[row].sum())
    for k in range(1, n):
        for erased in combinations(range(n), k):
            logits, mass = toy.evaluate(row, erased)
            if mass and logits.argmax() != original:
                return k
    raise AssertionError("no set flips")
