"""Groups of components: closed forms by hand, every subset of groups, and replays of the members."""

from dataclasses import replace
from itertools import groupby

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Targets
from eraserhead.method.groups import Groups, grouped
from eraserhead.method.names import GRADIENT, MINIMUM, PRODUCT, Outcome
from eraserhead.method.reading import Reading
from eraserhead.method.seen import PooledVectors
from eraserhead.method.signals import MARGIN_GRADIENT, MARGIN_PRODUCT
from eraserhead.sites.pooling import pooled_cases
from heads import random_head
from readings import SMALL, Toy, affine, analysed, evaluated, replayed
from references import erased_logits, exhaustive_minimum

LENGTHS = [13, 11, 7, 5, 2, 1]


def random_units(seed: int, rows: int, width: int) -> Tensor:
    """Ascending numbers of units, about two positions to a unit."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(rows, width, generator=generator) < 0.5).long().cumsum(1)


def members(units: Tensor, mask: Tensor) -> list[list[list[int]]]:
    """Members of each group of each document, spelt out."""
    return [
        [
            [place for place, _ in own]
            for _, own in groupby(enumerate(row[: int(exists.sum())].tolist()), lambda x: x[1])
        ]
        for row, exists in zip(units, mask, strict=True)
    ]


def assert_same(first: Reading, second: Reading) -> None:
    """Everything that is known of two readings, bit for bit."""
    for name in ("weights", "mask", "positions", "model_decision"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert torch.equal(first.unerased.scaled_logits, second.unerased.scaled_logits)
    assert first.signals.keys() == second.signals.keys()
    for name, values in first.signals.items():
        assert torch.equal(values, second.signals[name]), name


@pytest.mark.parametrize("seed", range(4))
def test_a_groups_numbers_are_sums_and_means_of_its_members_in_proportion(seed):
    head = random_head(seed, LENGTHS, classes=3)
    head.weights[:, ::3] = 0  # some groups weigh nothing at all
    reading, units = affine(head), random_units(seed, len(LENGTHS), max(LENGTHS))
    reading = replace(reading, signals={**reading.signals, "norms": torch.rand_like(reading.weights)})
    found = grouped(reading, units)
    spelt = members(units, head.mask)
    assert found.lengths.tolist() == [len(own) for own in spelt]
    assert any(not found.weights[row, : len(own)].all() for row, own in enumerate(spelt))
    for row, groups in enumerate(spelt):
        for number, own in enumerate(groups):
            weights = reading.weights[row, own]
            share = weights / weights.sum() if weights.sum() > 0 else torch.ones(len(own)).double() / len(own)
            assert_close(found.weights[row, number], weights.sum(), rtol=0, atol=1e-15)
            assert_close(found.component_logits[row, number], share @ reading.component_logits[row, own])
            assert int(found.positions[row, number]) == own[0]
            for name in (GRADIENT, MARGIN_GRADIENT):
                assert_close(found.signals[name][row, number], share @ reading.signals[name][row, own])
            for name in (PRODUCT, MARGIN_PRODUCT, "norms"):
                assert_close(found.signals[name][row, number], reading.signals[name][row, own].sum())


@pytest.mark.parametrize("seed", range(3))
def test_a_replays_numbers_follow_the_same_rule_and_its_decisions_are_its_members(seed):
    """One erasure of members by hand for each mask of groups; products here are not weight times gradient."""
    toy, units = Toy.draw(seed, SMALL, lean=0.4), random_units(seed, len(SMALL), max(SMALL))
    reading = toy.reading()
    reading = replace(reading, signals=reading.signals | {"product": torch.rand_like(reading.weights)})
    found, spelt = grouped(reading, units), members(units, toy.mask)
    generator = torch.Generator().manual_seed(seed)
    for row, groups in enumerate(spelt):
        for number, own in enumerate(groups):
            weights = reading.weights[row, own]
            share = weights / weights.sum() if weights.sum() > 0 else torch.ones(len(own)).double() / len(own)
            assert_close(found.signals[GRADIENT][row, number], share @ reading.signals[GRADIENT][row, own])
            assert_close(found.signals[PRODUCT][row, number], reading.signals[PRODUCT][row, own].sum())
        keep = torch.rand((1, 5, found.mask.shape[1]), generator=generator) < 0.6
        for each, logits in zip(keep[0], evaluated(found, keep, [row])[0], strict=True):
            erased = {place for number, own in enumerate(groups) if not each[number] for place in own}
            assert_close(logits, toy.erase(row, erased)[0], rtol=0, atol=1e-13)
    alone = found.singles()
    for row, groups in enumerate(spelt):
        for number, own in enumerate(groups):
            logits, mass = toy.erase(row, own)
            assert_close(alone.logits[row, number], logits, rtol=0, atol=1e-13)
            assert bool(alone.keeps_mass[row, number]) == mass


@pytest.mark.parametrize("seed", range(20))
def test_the_minimum_is_that_of_every_subset_of_groups(seed):
    """A group stands for its members: the oracle erases them from the head that has one component for each token."""
    head = random_head(seed, [13, 9, 6, 3], classes=2 + seed % 4, bias=[0.0, 0.5, 2.0][seed % 3], sharpness=1.5)
    if seed % 4 == 0:
        head.weights[:, ::2] = 0
    units = random_units(seed, 4, 13).clamp(max=8)
    reading = grouped(affine(head), units)
    least = reading.minimum()
    for row, groups in enumerate(members(units, head.mask)):
        n = len(groups)
        assert n <= 10
        mine = exhaustive_minimum(reading.weights[row, :n], reading.component_logits[row, :n], head.bias)
        assert Outcome(int(least.flips.outcome[row])).label == mine.outcome
        if mine.removed is None:
            continue
        k = int(least.flips.removed[row])
        assert k == mine.removed
        erased = {place for number in least.order[row, :k].tolist() for place in groups[number]}
        logits = erased_logits(head.weights[row], head.vectors[row], head.weight, head.bias, erased)
        assert int(logits.argmax()) == int(least.flips.becomes[row]) != int(reading.unerased.decision[row])
        kept = [groups[number] for number in range(n) if number not in least.order[row, :k].tolist()]
        if mine.outcome == "flip":
            assert any(head.weights[row, place] > 0 for own in kept for place in own)


def test_an_affine_head_and_its_replay_agree_on_groups():
    head, units = random_head(5, LENGTHS, classes=3, bias=0.3, sharpness=2.0), random_units(5, len(LENGTHS), 13)
    closed, slow = grouped(affine(head), units), grouped(replayed(affine(head)), units)
    for name in closed.signals:
        assert_close(slow.signals[name], closed.signals[name], rtol=1e-12, atol=1e-15)
    first, second = analysed(closed), analysed(slow)
    assert_close(first.singles.js, second.singles.js, rtol=0, atol=1e-12)
    for one, other in zip(first.flips, second.flips, strict=True):
        if one.ranking != MINIMUM:
            assert torch.equal(one.order, other.order)
            assert torch.equal(one.flips.outcome, other.flips.outcome)
            assert torch.equal(one.flips.removed, other.flips.removed)


def test_groups_of_one_change_nothing_bit_for_bit():
    head, toy = random_head(3, LENGTHS, classes=4), Toy.draw(3, SMALL, lean=0.4)
    for reading in (affine(head), toy.reading()):
        rows, width = reading.mask.shape
        singletons = torch.arange(width).expand(rows, width)
        again = grouped(reading, singletons)
        masked = replace(reading, positions=reading.positions * reading.mask)
        assert_same(again, masked)
        for one, other in zip(analysed(again).flips, analysed(masked).flips, strict=True):
            assert torch.equal(one.order, other.order)
            assert torch.equal(one.flips.removed, other.flips.removed)
            assert torch.equal(one.flips.mass, other.flips.mass)
    logits = grouped(affine(head), torch.arange(13).expand(6, 13)).component_logits
    assert torch.equal(logits, affine(head).component_logits * head.mask.unsqueeze(-1))


def test_weights_near_the_smallest_number_keep_their_proportion():
    """3 and 1 times 5e-324: shares of 3/4 and 1/4, though no product with such a weight is a number above 0."""
    weights = torch.tensor([[3 * 5e-324, 5e-324, 1.0]], dtype=torch.float64)
    logits = torch.tensor([[[8.0, 0.0], [4.0, 0.0], [0.0, 1.0]]]).double()
    mask = torch.ones(1, 3, dtype=torch.bool)
    reading = AffineReading.of(weights, logits, torch.zeros(2).double(), mask)
    assert grouped(reading, torch.tensor([[0, 0, 1]])).component_logits[0].tolist() == [[7.0, 0.0], [0.0, 1.0]]


def test_a_document_is_the_same_alone_and_beside_a_longer_one():
    head, units = random_head(1, [13, 5]), random_units(1, 2, 13)
    both = grouped(affine(head), units)
    alone = affine(head)
    short = AffineReading.of(alone.weights[1:, :5], alone.component_logits[1:, :5], alone.bias, alone.mask[1:, :5])
    found = grouped(short, units[1:, :7])
    n = int(found.lengths[0])
    assert torch.equal(both.weights[1, :n], found.weights[0])
    assert torch.equal(both.component_logits[1, :n], found.component_logits[0])
    assert not both.mask[1, n:].any()
    toy, generator = Toy.draw(4, (9, 4), lean=0.3), torch.Generator().manual_seed(4)
    keep = torch.rand((1, 3, 9), generator=generator) < 0.5
    seen: list[Tensor] = []
    reading = replace(toy.reading(), replay=lambda rows, kept: seen.append(kept) or toy.replay(rows, kept))
    groups = grouped(reading, random_units(4, 2, 9))
    groups.evaluate(torch.tensor([1]), keep[..., : groups.mask.shape[1]])
    assert not seen[0][..., 4:].any()


def test_components_that_the_site_leaves_out_do_not_join_their_neighbours():
    """Positions 0, 2 and 3 of units 0, 1, 2, 2 are components: two groups, the second of two members."""
    head = random_head(0, [3])
    reading = replace(affine(head), positions=torch.tensor([[0, 2, 3]]))
    found = grouped(reading, torch.tensor([[0, 1, 2, 2]]))
    assert found.positions.tolist() == [[0, 2]]
    assert_close(found.weights[0, 1], head.weights[0, 1:].sum())


def test_cases_of_a_document_share_its_groups():
    head, units = random_head(2, LENGTHS, classes=5), random_units(2, len(LENGTHS), 13)
    positions = torch.arange(13).expand(head.mask.shape)
    logits = torch.einsum("bc,bch,lh->bl", head.weights, head.vectors, head.weight) + head.bias
    targets = Targets(0.2, (1, 3, 4))
    cases = pooled_cases(head.scores, head.component_logits, head.bias, head.mask, positions, logits, targets)
    found = grouped(cases, units)
    spelt = members(units, head.mask)
    assert found.cases is cases.cases
    assert found.lengths.tolist() == [len(spelt[document]) for document in cases.cases.documents.tolist()]
    slow = grouped(replace(replayed(cases), cases=cases.cases), units)
    assert_close(slow.singles().logits[found.mask], found.singles().logits[found.mask], rtol=0, atol=1e-12)
    for row, document in enumerate(cases.cases.documents.tolist()):
        for number, own in enumerate(spelt[document]):
            assert_close(found.weights[row, number], head.weights[document, own].sum(), rtol=0, atol=1e-15)


def test_few_masks_at_a_time_give_the_same():
    """Masks of members are wider than those of groups: less of these are held, and always one."""
    toy, units = Toy.draw(2, SMALL, lean=0.6), random_units(2, len(SMALL), max(SMALL))
    plenty, few = (grouped(toy.reading(entries), units) for entries in (10**6, 7))
    assert few.mask_entries == 7 * plenty.mask.shape[1] // max(SMALL)
    assert_close(few.singles().logits, plenty.singles().logits, rtol=0, atol=1e-13)


def test_a_batch_without_components_has_no_groups():
    empty = AffineReading.of(
        torch.zeros(2, 1).double(), torch.zeros(2, 1, 3).double(), torch.randn(3).double(), torch.zeros(2, 1).bool()
    )
    found = grouped(empty, torch.zeros(2, 1, dtype=torch.long))
    assert found.lengths.tolist() == [0, 0]
    assert torch.equal(found.unerased.logits, empty.unerased.logits)


def test_what_the_head_sees_is_what_it_sees_with_the_members_erased():
    head, units = random_head(6, LENGTHS, classes=3), random_units(6, len(LENGTHS), 13)
    rows, plain = torch.arange(len(LENGTHS)), affine(head)
    reading = replace(plain, see=PooledVectors(head.vectors, plain.weights, plain.mask, rows))
    found = grouped(reading, units)
    keep = torch.rand((len(LENGTHS), 5, found.mask.shape[1]), generator=torch.Generator().manual_seed(6)) < 0.6
    members_kept = Groups.of(units, head.mask).members(rows, keep)
    assert_close(found.seen(rows, keep), reading.seen(rows, members_kept), rtol=0, atol=1e-12)
