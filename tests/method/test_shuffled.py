"""Permuted weights: what is decided with them, and how soon that flips, against one document at a time."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.cases import Targets
from eraserhead.method.names import MINIMUM, RANDOM, SHUFFLED, SHUFFLED_RANDOM, SHUFFLES, Outcome
from eraserhead.method.random_draws import PERMUTATIONS, random_orders
from eraserhead.method.reading import Reading
from eraserhead.method.shuffled import Shuffled
from eraserhead.sites.pooling import pooled_cases
from heads import one, random_head
from readings import affine, replayed
from references import first_flip

LENGTHS = [11, 6, 3, 2, 1]
IDS = ["a", "b", "c", "d", "e"]


def found(reading: Reading, ids: Sequence[str] = tuple(IDS), permutations: int = 2, seed: int = 0):
    orders = {"attention": torch.argsort(reading.weights, dim=-1, descending=True)}
    return analyse(reading, orders, Draws(list(ids), seed, 3, permutations=permutations)).flips


def permutations_of(lengths: Sequence[int], ids: Sequence[str], count: int = 2, seed: int = 0) -> Tensor:
    return random_orders(ids, lengths, max(lengths), count, seed, PERMUTATIONS)


@pytest.mark.parametrize("seed", range(6))
def test_permuted_weights_decide_anew_and_flip_along_themselves(seed):
    """Each draw by the slow reference, which erases and renormalises one set after the other."""
    head = random_head(seed, LENGTHS, bias=0.3, sharpness=2.0)
    drawn, flips = permutations_of(LENGTHS, IDS), found(affine(head))
    assert [(each.ranking, each.draw) for each in flips] == [
        *((RANDOM, draw) for draw in range(3)),
        ("attention", None),
        *((name, draw) for name in SHUFFLES for draw in range(2)),
        (MINIMUM, None),
    ]
    changed = 0
    for along, at_random, random in zip(flips[4:6], flips[6:8], flips[:2], strict=True):
        assert torch.equal(at_random.order, random.order)
        for row, n in enumerate(LENGTHS):
            document = one(head, row)
            weights = document.weights[drawn[row, along.draw, :n]]
            order = sorted(range(n), key=lambda i: (-float(weights[i]), i))
            assert along.order[row, :n].tolist() == order
            for each in (along, at_random):
                slow = first_flip(
                    weights, document.vectors, document.weight, document.bias, each.order[row, :n].tolist()
                )
                assert Outcome(each.flips.outcome[row].item()).name.lower() == slow.outcome
                if slow.removed is not None:
                    assert each.flips.removed[row] == slow.removed
                    mass = weights[each.order[row, : slow.removed]].sum()
                    assert each.flips.mass[row].item() == pytest.approx(mass.item(), abs=1e-12)
            changed += int(not torch.equal(weights, document.weights))
    assert changed >= 6


def test_the_best_set_and_the_minimum_are_those_of_the_own_decision_alone():
    """Permuted weights that flip at once change neither."""
    head = random_head(2, LENGTHS, bias=0.3)
    for reading in (affine(head), with_shuffle(affine(head))):
        without, beside = found(reading, permutations=0), found(reading)
        assert torch.equal(without[-1].flips.removed, beside[-1].flips.removed)
        assert torch.equal(without[-1].order, beside[-1].order)
        assert {each.ranking for each in beside} - {each.ranking for each in without} == set(SHUFFLES)


def with_shuffle(reading):
    """An affine head through the generic path, its weights permuted by a replay of permuted weights."""

    def shuffle(permutation: Tensor) -> Shuffled:
        weights = reading.weights.gather(1, permutation)
        again = replace(reading, weights=weights)
        return Shuffled(weights, lambda rows, keep: again.evaluate(rows, keep).logits)

    return replace(replayed(reading), shuffle=shuffle)


@pytest.mark.parametrize("seed", range(3))
def test_a_replay_of_permuted_weights_equals_the_closed_form(seed):
    head = random_head(seed, LENGTHS, bias=0.3, sharpness=2.0)
    closed, generic = found(affine(head)), found(with_shuffle(affine(head)))
    for fast, slow in zip(closed[4:8], generic[4:8], strict=True):
        assert torch.equal(fast.order, slow.order)
        assert torch.equal(fast.flips.outcome, slow.flips.outcome)
        flipped = fast.flips.outcome != Outcome.NEVER
        assert torch.equal(fast.flips.removed[flipped], slow.flips.removed[flipped])
        assert torch.equal(fast.flips.becomes, slow.flips.becomes)


def test_sites_that_cannot_permute_weights_have_none():
    flips = found(replayed(affine(random_head(0, LENGTHS))))
    assert not {each.ranking for each in flips} & set(SHUFFLES)


def test_padding_and_the_order_of_documents_change_nothing():
    """A document alone, beside a longer one, and in the other row: the same draws, and the same flips."""
    head = random_head(4, [7, 4], bias=0.3, sharpness=2.0)
    both = found(affine(head), ["a", "b"])
    turned = head._replace(**{name: getattr(head, name).flip(0) for name in ("scores", "weights", "vectors", "mask")})
    for reading, row, ids in (
        (affine(turned), 0, ["b", "a"]),
        (affine(turned), 1, ["b", "a"]),
        (affine(head._replace(**{n: getattr(head, n)[1:, :4] for n in ("weights", "vectors", "mask")})), 0, ["b"]),
    ):
        old = ["a", "b"].index(ids[row])
        for first, second in zip(both, found(reading, ids), strict=True):
            n = [7, 4][old]
            assert torch.equal(first.order[old, :n], second.order[row, :n])
            assert first.flips.removed[old] == second.flips.removed[row]
            assert first.flips.outcome[old] == second.flips.outcome[row]


def test_permuting_components_permutes_the_weights_that_they_get():
    """Components in another order with the permutation carried along: the same weights, logits and decisions."""
    head = random_head(5, [9], bias=0.3)
    turn = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    turned = head._replace(weights=head.weights[:, turn], vectors=head.vectors[:, turn], mask=head.mask[:, turn])
    permutation = permutations_of([9], ["a"])[:, 0]
    back = turn.argsort()
    first = affine(head).shuffled(permutation)
    second = affine(turned).shuffled(back[permutation[:, turn]])
    assert_close(second.weights, first.weights[:, turn])
    assert_close(second.unerased.logits, first.unerased.logits)


def test_the_draws_of_random_orders_do_not_depend_on_how_often_weights_are_permuted():
    reading = affine(random_head(1, LENGTHS))
    none, some = found(reading, permutations=0), found(reading, permutations=3)
    for first, second in zip(none[:4], some[:4], strict=True):
        assert torch.equal(first.order, second.order)


def test_cases_of_a_document_are_permuted_alike_and_each_decides_anew():
    """Two labels of each document: the same weights, and on or off by the sign of each label's own sum."""
    head = random_head(3, [6, 3], classes=2, bias=0.2)
    scores, logits = head.scores, head.component_logits
    targets = Targets(0.25, (0, 1))
    positions = torch.arange(6).expand(2, 6)
    reading = pooled_cases(scores, logits, head.bias, head.mask, positions, torch.zeros(2, 2), targets)
    permutation = permutations_of([6, 3], ["a", "b"])[:, 0].repeat_interleave(2, 0)
    permuted = reading.shuffled(permutation)
    for case, (row, label) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        weights = head.weights[row][permutation[case]]
        assert_close(permuted.weights[case], weights)
        above = (weights * torch.where(head.mask[row], logits[row, :, label], 0.0)).sum() + head.bias[label] - 0.25
        assert permuted.unerased.decision[case] == int(above > 0)
        assert permuted.unerased.logits[case, 1].item() == pytest.approx(above.item(), abs=1e-12)
    drawn = [each for each in found(reading, ["a", "a", "b", "b"]) if each.ranking in (SHUFFLED, SHUFFLED_RANDOM)]
    assert all(torch.equal(each.order[0], each.order[1]) for each in drawn)


@pytest.mark.parametrize("meaningful", [True, False])
def test_weights_that_know_the_decision_beat_shuffled_ones_and_weights_drawn_anew_do_not(meaningful):
    """In each of 200 documents 3 of 12 components speak for class 1, the others weakly for 0.

    The attention lies on those 3, or, as a negative control, the same weights on any components. Advantage over random
    orders: the share of draws with fewer removals than at random, less those with more.
    """
    generator = torch.Generator().manual_seed(0)
    documents, n = 200, 12
    speaks = torch.rand(documents, n, generator=generator).argsort(-1) < 3
    noise = 0.3 * torch.randn(documents, n, generator=generator).double()
    logits = torch.stack([torch.where(speaks, 0.0, 0.4), torch.where(speaks, 1.0, 0.0)], -1).double()
    logits[..., 1] += noise
    size = torch.where(speaks, 2.0, 0.0) + 0.5 * torch.rand(documents, n, generator=generator)
    weights = size.double().softmax(-1)
    if not meaningful:
        anew = torch.rand(documents, n, generator=generator).argsort(-1)
        weights = weights.gather(1, anew)
    head = random_head(0, [n] * documents, classes=2)._replace(
        weights=weights, vectors=logits, weight=torch.eye(2).double(), bias=torch.zeros(2).double()
    )
    flips = found(affine(head), [f"d{row}" for row in range(documents)], permutations=3)
    removed = torch.stack(
        [torch.where(each.flips.outcome == Outcome.NEVER, 99, each.flips.removed) for each in flips], 0
    ).double()

    def advantage(along: Tensor, at_random: Tensor) -> Tensor:
        return (at_random - along).sign().mean(0)

    own, shuffled = advantage(removed[3:4], removed[:3]), advantage(removed[4:7], removed[7:10])
    difference = own - shuffled
    error = 1.96 * difference.std() / documents**0.5
    assert shuffled.mean() > 0.1  # weights are multipliers
    if meaningful:
        assert difference.mean() - error > 0.1
    else:
        assert difference.mean().abs() < 1.5 * error
