"""The self-attention site against slow, plain ways to the same numbers, and what is computed from it."""

import copy
import re
from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.errors import UserError
from eraserhead.method.names import Outcome
from eraserhead.sites.inside.all_layers import AllLayersReplay
from eraserhead.sites.inside.layer import LayerReplay
from eraserhead.sites.inside.read_out import LastLayerReplay, LowerReadOutReplay, ReadOutReplay
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import (
    CLOSES,
    ERASED_AT,
    LENGTHS,
    OPENS,
    PLACES,
    VARIANTS,
    batch_of,
    documents,
    erasure_masks,
    in_float64,
    patched_logits,
    slow,
    tiny,
)
from inside_sites import (
    SIGNALS,
    dealt,
    entries_of,
    every_way,
    keep_without,
    means_over,
    random_sets,
    reading_of,
    site_of,
)
from readings import analysed, evaluated, numbers


@every_way
def test_a_replay_equals_a_full_pass_with_the_public_patch(name, place, heads):
    model, texts, oracle = tiny(name), documents(), slow(name)
    reading, sets = reading_of(name, place, heads), random_sets(texts, 2, oracle)
    with torch.no_grad(), in_float64():
        own = model(**batch_of(model, texts)).logits
        found = evaluated(reading, keep_without(reading, sets))
    expected = patched_logits(model, place, texts, erasure_masks(oracle, place, texts, sets, heads))
    assert_close(found, expected, rtol=0, atol=1e-10)
    assert_close(reading.unerased.logits, own, rtol=0, atol=1e-10)
    assert torch.equal(reading.model_decision, own.argmax(-1))
    assert (found[:, 1] - found[:, 0]).abs().max() > 1e-2  # everything and nothing erased
    assert (found[:, 3:] - found[:, :1]).abs().amax(-1).gt(1e-4).double().mean() > 0.5


@every_way
def test_weights_gradients_and_products_are_sums_over_the_entries(name, place, heads):
    """Central differences of every single weight, one document at a time; read from a padded batch."""
    texts, found = documents(), numbers(reading_of(name, place, heads))
    for row in (2, 3):
        ids, n = texts[row], len(texts[row])
        weights, slopes = entries_of(slow(name), ids, place, heads)
        assert_close(found["weights"][row, :n], means_over(weights), rtol=0, atol=1e-12)
        assert_close(found["gradient"][row, :n], slopes.sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
        assert_close(found["product"][row, :n], (weights * slopes).sum((0, 1, 2)), rtol=1e-6, atol=1e-8)
        assert slopes.abs().max() > 1e-4
        for values in found.values():
            assert not values[row, n:].any()


def test_a_site_is_replayed_in_the_cheapest_way_that_is_exact():
    """By class, and by whether every query is erased; a mean is read from every query, as the slow way finds too."""
    ways = {
        "bert": (ReadOutReplay, *(LowerReadOutReplay,) * 2, (LayerReplay, True), AllLayersReplay, LastLayerReplay),
        "mpnet": ((LayerReplay, False),) * 3 + ((LayerReplay, True), AllLayersReplay, (LayerReplay, True)),
        "modernbert, mean": ((LayerReplay, True),) * 4 + (AllLayersReplay, (LayerReplay, True)),
    }
    for name, expected in ways.items():
        for place, way in zip(ERASED_AT, expected, strict=True):
            replay = reading_of(name, place).replay.replay
            found = (type(replay), replay.every_query) if isinstance(replay, LayerReplay) else type(replay)
            assert found == way, (name, place)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_mean_is_read_from_every_query(name):
    assert str(site_of(name, "layer:1").name) == ("layer:1:all" if len(slow(name).read_from(7)) > 1 else "layer:1")


def test_signals_are_read_where_they_are_asked_for():
    """Without them weights and decisions are the same."""
    site, batch = site_of("bert", "layer:0"), batch_of(tiny("bert"), documents())
    plain, full = site.read(batch, ()), site.read(batch, SIGNALS)
    assert plain.signals == {}
    assert full.signals.keys() >= SIGNALS
    assert torch.equal(plain.weights, full.weights)
    assert torch.equal(plain.unerased.logits, full.unerased.logits)


@dealt()
def test_special_tokens_that_are_left_out_are_never_erased(name, place):
    """The shortest document consists of nothing else, so nothing of it can be erased."""
    texts, reading = documents(), reading_of(name, place, left_out=(OPENS, CLOSES))
    assert reading.lengths.tolist() == [length - 2 for length in LENGTHS]
    sets = [[set(range(len(ids))), set(range(1, len(ids), 2))] for ids in texts]
    with in_float64():
        found = evaluated(reading, keep_without(reading, sets))
    for row in (1, 2, 4):
        inner = set(range(1, len(texts[row]) - 1))
        for number, erased in enumerate(sets[row]):
            expected = slow(name).erased(texts[row], place, erased & inner)
            assert_close(found[row, number], expected, rtol=0, atol=1e-10)
    assert_close(reading.weights.sum(-1) + reading.outside, torch.ones(len(texts)).double(), rtol=0, atol=1e-10)
    assert reading.outside[-1] == pytest.approx(1, abs=1e-10)
    assert (found[:-1, 0] - reading.unerased.logits[:-1]).abs().max() > 1e-2


@dealt(shift=1)
def test_a_document_gives_the_same_alone_and_beside_longer_ones(name, place):
    model, texts = tiny(name), documents()
    site, together = site_of(name, place), reading_of(name, place)
    sets = random_sets(texts, 1, slow(name))
    with in_float64():
        beside = evaluated(together, keep_without(together, sets))
        for row in (2, 4):
            alone = site.read(batch_of(model, texts[row : row + 1]), SIGNALS)
            n, found = len(texts[row]), numbers(together)
            for number, values in numbers(alone).items():
                assert_close(values[0], found[number][row, :n], rtol=0, atol=1e-10)
            assert_close(alone.unerased.logits[0], together.unerased.logits[row], rtol=0, atol=1e-10)
            own = evaluated(alone, keep_without(alone, sets[row : row + 1]))
            assert_close(own[0], beside[row], rtol=0, atol=1e-10)


@dealt(shift=2)
def test_documents_are_replayed_in_the_order_in_which_they_are_named(name, place):
    """Also one that is named twice; each with erasures of its own."""
    texts, rows = documents(), [3, 1, 3, 0]
    reading = reading_of(name, place)
    sets = [[{0}, {1, 2}], [{3, 4}, {0, 1}], [{2}, {1}], [{0, 1, 5}, {7}]]
    with in_float64():
        found = evaluated(reading, keep_without(reading, sets, rows), rows)
    chosen = [texts[row] for row in rows]
    masks = erasure_masks(slow(name), place, chosen, sets)
    assert_close(found, patched_logits(tiny(name), place, chosen, masks), rtol=0, atol=1e-10)
    assert (found[0] - found[2]).abs().max() > 1e-3


@dealt(("layer:0", "all"))
def test_float32_gives_the_same_up_to_its_rounding(name, place):
    """As models are loaded; nothing of `in_float64` here."""
    texts, oracle = documents(), slow(name)
    sets = random_sets(texts, 1, oracle)
    single = copy.deepcopy(tiny(name)).float()
    reading = SelfAttentionSite(single, parse_inside(place)).read(batch_of(single, texts), SIGNALS)
    found = evaluated(reading, keep_without(reading, sets))
    expected = patched_logits(tiny(name), place, texts, erasure_masks(oracle, place, texts, sets))
    assert_close(found, expected, rtol=0, atol=1e-3)
    exact = numbers(reading_of(name, place))
    for number, values in numbers(reading).items():
        assert_close(values, exact[number], rtol=0, atol=1e-3)
    with torch.no_grad():
        own = single(**batch_of(single, texts)).logits
    assert_close(reading.unerased.logits, own.double(), rtol=0, atol=1e-4)


@dealt(shift=3, names=[name for name in VARIANTS if tiny(name)._supports_sdpa])
def test_an_empty_document_leaves_its_neighbours_alone(name, place):
    """It has no components; its logits are the model's own, which are NaN where the model divides by no tokens.

    Families that have eager attention alone let a query without any key attend to all padding.
    """
    texts, together = documents(), numbers(reading_of(name, place))
    with in_float64():
        batch = batch_of(tiny(name), [texts[1], [], texts[3]])
        reading = site_of(name, place).read(batch, SIGNALS)
        with torch.no_grad():
            own = tiny(name)(**batch).logits
    assert reading.lengths.tolist() == [7, 0, 3]
    assert not reading.weights[1].any()
    assert_close(reading.unerased.logits, own, rtol=0, atol=1e-10, equal_nan=True)
    assert own[1].isnan().all() or own.isfinite().all()
    for row, beside in ((0, 1), (2, 3)):
        n = len(texts[beside])
        for number, values in numbers(reading).items():
            assert_close(values[row, :n], together[number][beside, :n], rtol=0, atol=1e-10)


@dealt(shift=4)
def test_decisions_of_the_tiny_models_flip(name, place):
    """Or tests of what flips would compare nothing: a fifth of the documents, before everything is erased."""
    texts = documents((7, 5) * 5, seed=2)
    reading = site_of(name, place).read(batch_of(tiny(name), texts), ())
    rank = reading.weights.argsort(descending=True).argsort()
    decided = evaluated(reading, rank.unsqueeze(1) >= torch.arange(1, 7).view(1, -1, 1)).argmax(-1)
    flipped = decided != reading.unerased.decision.unsqueeze(1)
    assert (flipped & (torch.arange(1, 7) < reading.lengths.unsqueeze(1))).any(-1).double().mean() >= 0.2


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


@pytest.mark.parametrize("number", range(len(ANALYSED)))
@pytest.mark.parametrize("shift", [0, 3])
def test_the_analysis_equals_brute_force_over_the_slow_way(number, shift):
    """Every prefix of every order and every single erasure, one edited forward pass of one document each."""
    name, place = ANALYSED[number], [*PLACES][(number + shift) % len(PLACES)]
    oracle, texts = slow(name), documents((7, 5), seed=7)
    heads = (0, 3) if place in ("layer:1:all", "all") else None
    site = site_of(name, place, heads, (OPENS,) if place in ("layer:0", "all") else ())
    with in_float64():
        reading = site.read(batch_of(tiny(name), texts), SIGNALS)
        analysis = analysed(reading)
    for row, text in enumerate(texts):
        positions = reading.positions[row, : reading.lengths[row]].tolist()
        decide = cache(partial(oracle.erased, text, place, heads=heads))
        for component, position in enumerate(positions):
            without = decide(frozenset({position}))
            assert analysis.singles.decision[row, component] == without.argmax()
            distance = divergence(decide(frozenset()), without)
            assert_close(analysis.singles.js[row, component], distance, rtol=0, atol=1e-10)
        weights, slopes = entries_of(oracle, text, place, heads)
        means = means_over(weights)
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


@dealt(shift=1, names=ANALYSED)
def test_a_greedy_search_finds_no_larger_set_and_its_set_flips(name, place):
    oracle, texts, site = slow(name), documents((7, 5, 5), seed=4), site_of(name, place)
    with in_float64():
        reading = site.read(batch_of(tiny(name), texts), SIGNALS)
        best, searched = (analysed(reading, draws=1, greedy=greedy).flips[-1] for greedy in (False, True))
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


def test_places_and_heads_that_a_model_has_not_are_refused():
    model = tiny("bert")
    for place in ("layer:3", "layer:-4", "layer:3:all"):
        with pytest.raises(UserError, match="the model has 3 layers, numbered from 0 to 2"):
            SelfAttentionSite(model, parse_inside(place))
    for heads, named in (((4,), "[4]"), ((0, -1, 7), "[-1, 7]"), ((), "[]")):
        with pytest.raises(
            UserError, match=re.escape(f"heads={named}: a layer of the model has 4 heads, numbered from 0 to 3")
        ):
            SelfAttentionSite(model, heads=heads)
