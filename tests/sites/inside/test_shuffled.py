"""Permuted weights of the read-out position against a model whose softmax is edited, one document at a time."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.method.cases import Targets
from eraserhead.method.names import SHUFFLED, SHUFFLED_RANDOM, Outcome
from eraserhead.method.random_draws import PERMUTATIONS, random_orders
from eraserhead.patch.families import FAMILIES, Route
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.site import parse_inside
from families import CLOSES, OPENS, VARIANTS, batch_of, documents, in_float64, slow, tiny
from inside_sites import FROM_THE_READ_OUT, keep_without, random_sets, reading_of
from readings import analyse_along, evaluated

# Every third of those that can, and what may hold weights back: windows and softly capped scores.
INTERFACE = [name for name, (family, *_) in VARIANTS.items() if FAMILIES[family].route is Route.INTERFACE]
NAMES = dict.fromkeys([*INTERFACE[::3], "qwen2, in windows", "mistral, in windows", "gemma2"])
TURNS = [(name, FROM_THE_READ_OUT[number % 3], (None, (0, 3))[number % 2]) for number, name in enumerate(NAMES)]
ROWS = (2, 3)  # of the documents, those looked at


def permutation_of(reading, seed: int = 0) -> Tensor:
    ids = [str(row) for row in range(len(reading.mask))]
    lengths = reading.lengths.tolist()
    return random_orders(ids, lengths, reading.mask.shape[1], 1, seed, PERMUTATIONS)[:, 0]


def permuted_logits(name, ids, place, heads, keys, erased=()) -> Tensor:
    """Logits of a document whose key k has the weight of key ``keys[k]``, with some keys erased."""
    oracle = slow(name)
    (layer,), chosen, (query,) = oracle.entries(ids, place, heads)

    def edit(number: int, weights: Tensor) -> Tensor:
        if number != layer:
            return weights
        weights = weights.clone()
        for head in chosen:
            row = weights[:, head, query][:, keys]
            row[:, [*erased]] = 0.0
            mass = row.sum(-1, keepdim=True)
            weights[:, head, query] = torch.where(mass > 0, row / mass, torch.zeros_like(row))
        return weights

    return oracle.logits(ids, edit)[0]


@pytest.mark.parametrize(("name", "place", "heads"), TURNS)
def test_weights_move_and_values_stay(name, place, heads):
    texts, oracle, reading = documents(), slow(name), reading_of(name, place, heads)
    permutation, sets = permutation_of(reading), random_sets(documents(), 2, slow(name))
    with in_float64():
        permuted = reading.shuffled(permutation)
    if len(oracle.read_from(len(texts[2]))) > 1:  # a mean is read from every position
        assert permuted is None
        return
    with in_float64():
        found = evaluated(permuted, keep_without(reading, sets))
    for row in ROWS:
        ids, n = texts[row], len(texts[row])
        keys = permutation[row, :n]
        (layer,), chosen, (query,) = oracle.entries(ids, place, heads)
        weights = oracle.weights(ids)[layer, list(chosen), query]
        assert_close(permuted.weights[row, :n], weights.mean(0)[keys], rtol=0, atol=1e-12)
        assert_close(permuted.unerased.logits[row], permuted_logits(name, ids, place, heads, keys), rtol=0, atol=1e-10)
        for number, erased in enumerate(sets[row]):
            expected = permuted_logits(name, ids, place, heads, keys, erased)
            assert_close(found[row, number], expected, rtol=0, atol=1e-10)
    assert (permuted.unerased.logits - reading.unerased.logits).abs().max() > 1e-6


def test_flips_along_permuted_weights_are_those_of_every_prefix_by_the_slow_way():
    name, place = "bert", "layer:-1"
    texts, reading = documents(), reading_of(name, place)
    with in_float64():
        flips = [each for each in analyse_along(reading, permutations=1) if each.ranking in (SHUFFLED, SHUFFLED_RANDOM)]
    permutation, flipped = permutation_of(reading), 0
    assert [each.ranking for each in flips] == [SHUFFLED, SHUFFLED_RANDOM]
    for each in flips:
        for row in ROWS:
            n, keys = len(texts[row]), permutation[row, : len(texts[row])]
            order, removed = each.order[row, :n].tolist(), None
            original = permuted_logits(name, texts[row], place, None, keys).argmax()
            for k in range(1, n + 1):
                if permuted_logits(name, texts[row], place, None, keys, order[:k]).argmax() != original:
                    removed = k
                    break
            assert (each.flips.outcome[row] == Outcome.NEVER) == (removed is None)
            assert removed is None or each.flips.removed[row] == removed
            flipped += removed is not None
    assert flipped


def test_tokens_that_are_no_components_keep_their_weights():
    left_out = (OPENS, CLOSES)
    reading = reading_of("bert", "layer:-1", None, left_out)
    permutation = permutation_of(reading)
    with in_float64():
        permuted = reading.shuffled(permutation)
    for row in ROWS:
        ids, n = documents()[row], int(reading.lengths[row])
        keys = torch.arange(len(ids))
        keys[reading.positions[row, :n]] = reading.positions[row, :n][permutation[row, :n]]
        assert keys[0] == 0
        expected = permuted_logits("bert", ids, "layer:-1", None, keys)
        assert_close(permuted.unerased.logits[row], expected, rtol=0, atol=1e-10)
    assert torch.equal(permuted.outside, reading.outside)


def test_labels_of_a_document_are_decided_anew_with_the_same_weights():
    """Three labels of each document as cases: on where the label's own logit, by the slow way, is above .1."""
    texts, labels = documents(), (0, 2, 3)
    site = SelfAttentionSite(tiny("bert"), parse_inside("layer:-1"), targets=Targets(0.1, labels))
    with in_float64():
        reading = site.read(batch_of(tiny("bert"), texts), ())
        permutation = permutation_of(reading_of("bert", "layer:-1"))
        permuted = reading.shuffled(permutation.repeat_interleave(len(labels), 0))
    for row in ROWS:
        logits = permuted_logits("bert", texts[row], "layer:-1", None, permutation[row, : len(texts[row])])
        for at, label in enumerate(labels):
            case = row * len(labels) + at
            assert permuted.unerased.logits[case, 1].item() == pytest.approx(float(logits[label]) - 0.1, abs=1e-10)
            assert torch.equal(permuted.weights[case], permuted.weights[row * len(labels)])


@pytest.mark.parametrize(
    ("name", "place"),
    [("bert", "all"), ("bert", "layer:1:all"), ("bert", "layer:-1:all"), ("mpnet", "layer:-1")],
)
def test_sites_of_more_than_one_position_have_no_permuted_weights(name, place):
    reading = reading_of(name, place)
    assert reading.shuffled(permutation_of(reading)) is None
