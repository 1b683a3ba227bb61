"""Everything to the right of a reading, on hand-made heads, on a toy, and on a reading of somebody's own."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.method.affine import AffineReading
from eraserhead.method.along import Along, Steps, along_one_by_one
from eraserhead.method.analysis import Draws, analyse
from eraserhead.method.erasure import Evaluation
from eraserhead.method.limits import Limits
from eraserhead.method.names import Outcome
from eraserhead.method.orders import order_by
from eraserhead.method.reading import Reading
from eraserhead.method.test_two import FlippingSet, Flips
from eraserhead.rankings.registry import registered
from heads import random_head
from readings import SMALL, Toy, affine, analysed, replayed

RANKINGS = [ranking.name for ranking in registered()]


class Vote:
    """A reading from scratch: each component votes for a class, the first one twice, and the most votes decide."""

    def __init__(self, votes: list[list[int]]) -> None:
        self.votes = votes
        width = max(map(len, votes))
        self.mask = torch.tensor([[place < len(row) for place in range(width)] for row in votes])
        self.weights = torch.where(self.mask, 1.0, 0.0).double() / self.mask.sum(-1, keepdim=True)
        self.positions = torch.arange(width).expand(self.mask.shape)
        self.signals = dict.fromkeys(("margin_gradient", "margin_product", "gradient", "product"), self.weights)
        self.unerased = self._count(torch.arange(len(votes)), self.mask.unsqueeze(1), alone=True)
        self.model_decision = self.unerased.decision
        self.cases = None

    @property
    def lengths(self) -> Tensor:
        return self.mask.sum(-1)

    def evaluate(self, rows: Tensor, keep: Tensor) -> Evaluation:
        return self._count(rows, keep)

    def singles(self) -> Evaluation:
        keep = self.mask.unsqueeze(1) & ~torch.eye(self.mask.shape[1], dtype=torch.bool)
        return self._count(torch.arange(len(self.votes)), keep)

    def first_flips(self, orders: Tensor) -> list[Flips]:
        return [self._along(orders[:, ranking].tolist()) for ranking in range(orders.shape[1])]

    def minimum(self) -> FlippingSet | None:
        return None

    def along(self, orders: Tensor, steps: Steps) -> Along:
        return along_one_by_one(self.evaluate, orders, steps, self.unerased.decision, 10**6)

    def limits(self) -> Limits | None:
        return None

    def seen(self, rows: Tensor, keep: Tensor) -> None:
        return None

    def shuffled(self, permutation: Tensor) -> Reading | None:
        return None

    def _count(self, rows: Tensor, keep: Tensor, alone: bool = False) -> Evaluation:
        counts = torch.zeros(*keep.shape[:2], 3, dtype=torch.float64)
        for at, row in enumerate(rows.tolist()):
            for place, vote in enumerate(self.votes[row]):
                counts[at, :, vote] += keep[at, :, place].double() * (2 if place == 0 else 1)
        kept = (keep & self.mask[rows].unsqueeze(1)).any(-1)
        found = Evaluation(counts, torch.ones_like(counts[..., 0]), kept)
        return Evaluation(counts[:, 0], found.scale[:, 0], kept[:, 0]) if alone else found

    def _along(self, orders: list[list[int]]) -> Flips:
        columns = []
        for row, order in enumerate(orders):
            for k in range(1, len(self.votes[row]) + 1):
                keep = self.mask[row].clone()
                keep[order[:k]] = False
                decided = int(self._count(torch.tensor([row]), keep.view(1, 1, -1)).decision)
                if decided != self.unerased.decision[row]:
                    outcome = Outcome.FLIP if k < len(self.votes[row]) else Outcome.BIAS_ONLY
                    columns.append((k, k / len(self.votes[row]), outcome.value, decided))
                    break
            else:
                columns.append((1, 0.0, Outcome.NEVER.value, int(self.unerased.decision[row])))
        removed, mass, outcome, becomes = zip(*columns, strict=True)
        return Flips(torch.tensor(removed), torch.tensor(mass).double(), torch.tensor(outcome), torch.tensor(becomes))


def test_a_reading_from_scratch_is_analysed_like_ours():
    """Votes (2, 2, 1, 1) for classes: 3 for class 2 at first, the first worth two.

    By weight, in reading order, erasing the first leaves one vote for 2 and two for 1, a flip to 1. Erasing the second
    alone leaves two each, and the tie goes to the lower class 1. Of (0, 0, 1) erasing the first leaves a tie that stays
    with 0, erasing two leaves class 1. A single vote for 1 falls to class 0 by the bare bias; one for 0 stays.
    """
    reading = Vote([[2, 2, 1, 1], [0, 0, 1], [1], [0]])
    assert isinstance(reading, Reading)
    found = analysed(reading, draws=2)
    assert [each.ranking for each in found.flips] == ["random", "random", *RANKINGS, "best_found"]
    by_weight = next(each.flips for each in found.flips if each.ranking == "attention")
    assert by_weight.removed.tolist()[:3] == [1, 2, 1]
    assert by_weight.becomes.tolist() == [1, 1, 0, 0]
    assert by_weight.outcome.tolist() == [Outcome.FLIP, Outcome.FLIP, Outcome.BIAS_ONLY, Outcome.NEVER]
    assert found.singles.decision[0].tolist() == [1, 1, 2, 2]
    assert found.tests["attention"].top_flips.tolist() == [True, False, True, False]
    best = found.flips[-1].flips
    assert (best.removed[:3] <= by_weight.removed[:3]).all()
    searched = analysed(reading, draws=2, greedy=True).flips[-1].flips
    assert searched.removed.tolist()[:2] == [1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_a_replayed_analysis_equals_the_closed_form(seed):
    """The same affine head through the generic path, one replay an erasure, and through the closed forms."""
    head = random_head(seed, [11, 6, 3, 2, 1], classes=3, bias=0.3, sharpness=2.0)
    closed, generic = (analysed(reading, draws=3, seed=1) for reading in (affine(head), replayed(affine(head))))
    assert_close(generic.singles.js, closed.singles.js, rtol=0, atol=1e-12)
    assert [flips.ranking for flips in closed.flips[-1:] + generic.flips[-1:]] == ["minimum", "best_found"]
    for slow, fast in zip(generic.flips[:-1], closed.flips[:-1], strict=True):
        assert (slow.ranking, slow.draw) == (fast.ranking, fast.draw)
        assert torch.equal(slow.order, fast.order)
        assert torch.equal(slow.flips.outcome, fast.flips.outcome)
        flipped = fast.flips.outcome != Outcome.NEVER
        assert torch.equal(slow.flips.removed[flipped], fast.flips.removed[flipped])


def test_a_reading_that_is_not_affine_is_analysed_by_replay_alone():
    """Every prefix of every order, by the toy itself; the rankings stand behind the shuffles, in their order."""
    toy = Toy.draw(3, SMALL, lean=0.6)
    analysis = analysed(toy.reading(), draws=2)
    assert [each.ranking for each in analysis.flips] == ["random", "random", *RANKINGS, "best_found"]
    assert [each.draw for each in analysis.flips] == [0, 1, *[None] * len(RANKINGS), None]
    for flips in analysis.flips:
        for row, n in enumerate(SMALL):
            outcome, removed, becomes = toy.flips_at(row, flips.order[row, :n].tolist())
            assert flips.flips.outcome[row] == outcome
            assert removed is None or flips.flips.removed[row] == removed
            assert removed is None or flips.flips.becomes[row] == becomes
    assert len({int(outcome) for flips in analysis.flips for outcome in flips.flips.outcome}) == 3


def test_the_greedy_search_is_timed_and_runs_only_where_there_is_no_minimum():
    toy = Toy.draw(5, SMALL, lean=1.2)
    plain, searched = (analysed(toy.reading(), greedy=greedy) for greedy in (False, True))
    assert plain.search_seconds == 0 < searched.search_seconds
    assert (searched.flips[-1].flips.removed < plain.flips[-1].flips.removed).any()
    closed = analysed(affine(random_head(0, [5, 3])), greedy=True)
    assert closed.flips[-1].ranking == "minimum"
    assert closed.search_seconds == 0


@pytest.mark.parametrize("random_other", ["uniform", "position"])
def test_test_1_compares_each_top_with_its_own_others(random_other):
    """By default all but the top; drawn by position all but the first, the top among them."""
    head = random_head(7, [9, 4, 2], classes=5, bias=0.0, sharpness=0.5)
    reading = affine(head)
    analysis = analysed(reading, random_other=random_other)
    assert list(analysis.tests) == RANKINGS
    for ranking in registered():
        test, order = analysis.tests[ranking.name], ranking.order(reading)
        assert torch.equal(test.top, order[:, 0])
        for row, n in enumerate([9, 4, 2]):
            top = int(test.top[row])
            others = [r for r in range(n) if r != (top if random_other == "uniform" else 0)]
            assert test.random[row] in others
            js = analysis.singles.js[row]
            assert test.expected_delta_js[row].item() == pytest.approx((js[top] - js[others]).mean().item(), abs=1e-14)
            assert test.delta_attention[row] == head.weights[row, top] - head.weights[row, test.random[row]]
    assert any((analysis.tests[name].top > 0).any() for name in RANKINGS)


def test_documents_draw_by_their_ids_wherever_they_stand():
    head = random_head(1, [6, 6], bias=0.1)
    forwards, backwards = affine(head), affine(replace_rows(head))
    one, other = analysed(forwards, ["a", "b"], draws=3), analysed(backwards, ["b", "a"], draws=3)
    for first, second in zip(one.flips, other.flips, strict=True):
        assert torch.equal(first.order, second.order.flip(0))
        assert torch.equal(first.flips.outcome, second.flips.outcome.flip(0))
    assert not torch.equal(one.flips[0].order[0], one.flips[0].order[1])


def replace_rows(head):
    """The same two documents the other way round."""
    return head._replace(**{name: getattr(head, name).flip(0) for name in ("scores", "weights", "vectors", "mask")})


def test_a_document_without_components_never_flips():
    bias = torch.tensor([0.0, 1.0], dtype=torch.float64)
    nothing, mask = torch.zeros(1, 3, dtype=torch.float64), torch.zeros(1, 3, dtype=torch.bool)
    empty = AffineReading.of(nothing, torch.zeros(1, 3, 2, dtype=torch.float64), bias, mask)
    for reading in (empty, replayed(empty)):
        analysis = analysed(reading)
        assert all(flips.flips.outcome.tolist() == [Outcome.NEVER] for flips in analysis.flips)
        assert all(flips.flips.becomes.tolist() == [1] for flips in analysis.flips)
    assert empty.unerased.decision.tolist() == [1]
    assert empty.unerased.keeps_mass.tolist() == [False]


def test_orders_are_taken_as_they_are_given():
    """Any mapping of names to orders: nothing here knows which rankings there are."""
    reading = affine(random_head(2, [5, 2]))
    order = order_by(torch.arange(5.0).double().expand(2, 5), reading.mask)
    found = analyse(reading, {"last first": order}, Draws(["a", "b"], seed=0, shuffles=0))
    assert [each.ranking for each in found.flips] == ["last first", "minimum"]
    assert found.flips[0].order.tolist() == [[4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]
    assert list(found.tests) == ["last first"]
    other = replace(reading, model_decision=torch.tensor([2, 2]))  # what the model said decides nothing here
    again = analyse(other, {"last first": order}, Draws(["a", "b"], seed=0, shuffles=0))
    assert torch.equal(again.flips[0].flips.removed, found.flips[0].flips.removed)
