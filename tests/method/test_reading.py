import pytest
import torch
from torch.testing import assert_close

from eraserhead.method.affine import AffineReading
from eraserhead.method.erasure import Evaluation, erase, evaluate_prefixes
from eraserhead.method.names import Outcome
from eraserhead.method.orders import order_by
from eraserhead.method.reading import Reading
from eraserhead.method.replayed import joined
from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import prefix_keeps
from heads import flips_along, random_head
from readings import SMALL, Toy, affine, numbers, replayed


def test_evaluating_keep_masks_equals_the_closed_forms():
    """erase() over prefix_keeps and single_keeps is the other way to the same logits."""
    head = random_head(6, [7, 4])
    reading, order, rows = affine(head), order_by(head.scores, head.mask), torch.arange(2)
    prefixes = evaluate_prefixes(head.weights, head.component_logits, head.bias, order)
    singles = reading.singles()
    for keep, fast, exists in (
        (prefix_keeps(order, torch.arange(1, order.shape[1] + 1)), prefixes, torch.ones_like(head.mask)),
        (single_keeps(head.mask), singles, head.mask),
    ):
        erased = erase(head.weights.unsqueeze(1).expand(keep.shape), keep)
        slow = torch.einsum("ben,bnk->bek", erased, head.component_logits) + head.bias
        found = reading.evaluate(rows, keep)
        assert_close(slow[exists], fast.logits[exists])
        assert_close(found.logits[exists], fast.logits[exists])
        assert torch.equal(found.keeps_mass[exists], fast.keeps_mass[exists])


def test_documents_are_evaluated_as_often_as_they_are_named():
    head = random_head(2, [5, 3, 2])
    reading, toy = affine(head), Toy.draw(1, (5, 3, 2), lean=0.2).reading()
    keep = torch.rand((4, 3, 5), generator=torch.Generator().manual_seed(0)) < 0.6
    rows = torch.tensor([2, 0, 2, 1])
    for each in (reading, toy):
        together = each.evaluate(rows, keep)
        for at, row in enumerate(rows):
            alone = each.evaluate(row.view(1), keep[at : at + 1])
            assert_close(together.logits[at], alone.logits[0], rtol=0, atol=1e-13)
            assert torch.equal(together.keeps_mass[at], alone.keeps_mass[0])
        assert (together.logits[0] - together.logits[2]).abs().max() > 1e-3


def test_singles_and_first_flips_of_a_replay_equal_the_closed_forms():
    head = random_head(3, [11, 6, 3, 2, 1], classes=3, bias=0.3, sharpness=2.0)
    closed, orders = affine(head), torch.stack([order_by(head.scores, head.mask), order_by(-head.scores, head.mask)], 1)
    generic = replayed(closed)
    singles = closed.singles()
    assert_close(generic.singles().logits[head.mask], singles.logits[head.mask], rtol=0, atol=1e-13)
    assert torch.equal(generic.singles().keeps_mass[head.mask], singles.keeps_mass[head.mask])
    for slow, fast in zip(generic.first_flips(orders), closed.first_flips(orders), strict=True):
        assert torch.equal(slow.outcome, fast.outcome)
        some = fast.outcome != Outcome.NEVER
        assert torch.equal(slow.removed[some], fast.removed[some])
        assert_close(slow.mass[some], fast.mass[some], rtol=0, atol=1e-13)
    assert generic.minimum() is None


def test_the_minimum_is_the_flip_along_its_own_order():
    head = random_head(4, [9, 5, 2], classes=4, bias=0.3)
    found = affine(head).minimum()
    for name in ("removed", "mass", "outcome", "becomes"):
        assert torch.equal(getattr(found.flips, name), getattr(flips_along(head, found.order), name))


@pytest.mark.parametrize("mask_entries", [1, 64, 200])
def test_few_masks_at_a_time_give_the_same(mask_entries):
    """So that long documents need no more memory; chunks then end within a document's singles and prefixes."""
    toy = Toy.draw(2, SMALL, lean=0.6)
    orders, plenty, few = toy.orders(0, rankings=3), toy.reading(), toy.reading(mask_entries)
    whole = plenty.singles()
    toy.evaluated.clear()
    parts = few.singles()
    assert len(toy.evaluated) == -(-max(SMALL) // max(1, mask_entries // (len(SMALL) * max(SMALL))))
    assert_close(parts.logits, whole.logits, rtol=0, atol=1e-13)
    assert torch.equal(parts.keeps_mass, whole.keeps_mass)
    for first, second in zip(few.first_flips(orders), plenty.first_flips(orders), strict=True):
        for name in ("removed", "outcome", "becomes"):
            assert torch.equal(getattr(first, name), getattr(second, name))
        assert_close(first.mass, second.mass, rtol=0, atol=1e-13)


def test_weight_outside_the_components_is_a_mass_that_stays():
    """Everything erased: nothing is kept of a document whose components hold all weight, but of the other something."""
    toy = Toy.draw(0, (3, 3), lean=0.0)
    toy.weights[:] = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.0]])
    reading = toy.reading(outside=(0.0, 0.5))
    keep = torch.tensor([[[0, 0, 0], [0, 0, 1], [0, 1, 1]]] * 2).bool()
    assert reading.evaluate(torch.arange(2), keep).keeps_mass.tolist() == [[False, False, True], [True, True, True]]


def test_signals_of_several_weights_are_scaled_by_the_saturation_alone():
    """p_c (1 - p_c) is the whole difference between what orders and what is shown."""
    reading = affine(random_head(1, [7, 4], classes=3))
    probability = reading.unerased.logits.softmax(-1).amax(-1, keepdim=True)
    factor = probability * (1 - probability)
    shown = numbers(reading)
    assert_close(shown["gradient"], factor * reading.signals["margin_gradient"], rtol=1e-12, atol=1e-15)
    assert_close(shown["product"], reading.weights * shown["gradient"], rtol=1e-12, atol=1e-15)
    assert not shown["gradient"][~reading.mask].any()


def test_both_kinds_are_readings_and_anything_less_is_none():
    assert isinstance(affine(random_head(0, [3])), Reading)
    assert isinstance(Toy.draw(0, (3,), lean=0.0).reading(), Reading)
    assert not isinstance(Toy.draw(0, (3,), lean=0.0), Reading)


def test_an_affine_reading_by_default_stands_at_its_own_positions_and_agrees_with_its_model():
    head = random_head(0, [3, 2])
    reading = affine(head)
    assert reading.positions.tolist() == [[0, 1, 2]] * 2
    assert reading.lengths.tolist() == [3, 2]
    assert torch.equal(reading.model_decision, reading.unerased.decision)
    positions, decided = torch.tensor([[4, 1, 0], [2, 0, 0]]), torch.tensor([2, 1])
    given = AffineReading.of(head.weights, head.component_logits, head.bias, head.mask, positions, decided)
    assert torch.equal(given.positions, positions)
    assert torch.equal(given.model_decision, decided)


def test_joined_evaluations_stand_behind_one_another():
    first = Evaluation(torch.tensor([[[2.0, 4.0]]]), torch.tensor([[2.0]]), torch.tensor([[True]]))
    second = Evaluation(
        torch.tensor([[[9.0, 3.0], [1.0, 8.0]]]), torch.tensor([[3.0, 1.0]]), torch.tensor([[False] * 2])
    )
    both = joined([first, second])
    assert both.logits.tolist() == [[[1.0, 2.0], [3.0, 1.0], [1.0, 8.0]]]
    assert both.keeps_mass.tolist() == [[True, False, False]]
