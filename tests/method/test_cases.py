"""Documents and labels as cases: closed forms, and models among whose classes the same is decided."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Cases, CasesReplay, Targets, decisions, in_written_order
from eraserhead.method.names import MINIMUM, Outcome
from eraserhead.method.replayed import ReplayedReading
from eraserhead.sites.pooling import pooled_cases
from heads import Head, one, random_head
from readings import analysed, evaluated, replayed
from references import exhaustive_minimum

LENGTHS = [11, 7, 5, 3, 2, 1]
LABELS = 5


def cases_of_head(head: Head, targets: Targets) -> AffineReading:
    positions = torch.arange(head.mask.shape[1]).expand(head.mask.shape)
    logits = torch.einsum("bc,bch,lh->bl", head.weights, head.vectors, head.weight) + head.bias
    return pooled_cases(head.scores, head.component_logits, head.bias, head.mask, positions, logits, targets)


def in_two_classes(head: Head, document: int, label: int, cut: float) -> AffineReading:
    """One document, as a model of two classes reads it whose logits are 0 and the label's above the cut."""
    alone = one(head, document)
    logits = (alone.vectors @ head.weight.T)[:, label]
    bias = torch.stack([torch.zeros(()).double(), head.bias[label] - cut])
    pairs = torch.stack([torch.zeros_like(logits), logits], -1)
    return AffineReading.of(alone.weights[None], pairs[None], bias, alone.mask[None])


def test_a_label_is_on_above_the_cut_alone():
    """At the cut itself it is off, as METHOD section 12 says; where none is on, the largest is looked at."""
    above = torch.tensor([[0.0, 1e-300, -1.0], [0.0, -1e-300, -3.0], [-2.0, -3.0, -1.0]], dtype=torch.float64)
    cases = Targets(0.0).cases(above)
    assert cases.on.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert cases.documents.tolist() == [0, 1, 2]
    assert cases.labels.tolist() == [1, 0, 2]
    decided = cases.decisive(above).argmax(-1)
    assert decided.tolist() == [1, 0, 0]
    assert in_written_order(decided).tolist() == [0, 1, 1]


@pytest.mark.parametrize(("logit", "outcome"), [(2.0, Outcome.BIAS_ONLY), (-2.0, Outcome.NEVER)])
def test_what_falls_to_the_cut_is_off(logit, outcome):
    """Without any attention the logit is the bias, 0, which is not above the cut 0: what is on goes off, off stays."""
    weights, mask, bias = torch.tensor([[0.5, 0.5]]).double(), torch.ones(1, 2).bool(), torch.zeros(1, 2).double()
    reading = AffineReading.of(weights, torch.tensor([[[0.0, logit]] * 2]).double(), bias, mask)
    assert reading.unerased.decision.tolist() == [int(logit > 0)]
    assert Outcome(int(reading.minimum().flips.outcome[0])) is outcome
    assert {Outcome(int(each.flips.outcome[0])) for each in analysed(reading).flips} == {outcome}


@pytest.mark.parametrize(
    ("targets", "count"),
    [(Targets(0.0), None), (Targets(0.7, (1, 3)), 12), (Targets(-0.4, tuple(range(LABELS))), 30),
     (Targets(0.3, largest_alone=True), 6)],
    ids=["predicted", "named", "all", "largest"],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_a_case_is_a_model_of_two_classes(seed, targets, count):
    """Everything that is found of a case, a model of two classes gives too, to rounding; padding beside it or not."""
    head = random_head(seed, LENGTHS, classes=LABELS)
    reading = cases_of_head(head, targets)
    cases = reading.cases
    assert cases is not None
    assert count in (None, len(cases.documents))
    ids = [f"test/{document}" for document in cases.documents.tolist()]
    found = analysed(reading, ids)
    for row, (document, label) in enumerate(zip(cases.documents.tolist(), cases.labels.tolist(), strict=True)):
        alone = in_two_classes(head, document, label, targets.cut)
        n = int(alone.mask.sum())
        expected = analysed(alone, [f"test/{document}"])
        torch.testing.assert_close(found.singles.js[row, :n], expected.singles.js[0], rtol=0, atol=1e-12)
        assert found.singles.decision[row, :n].tolist() == expected.singles.decision[0].tolist()
        for ours, theirs in zip(found.flips, expected.flips, strict=True):
            assert (ours.ranking, ours.draw) == (theirs.ranking, theirs.draw)
            assert ours.flips.outcome[row] == theirs.flips.outcome[0]
            if ours.flips.outcome[row] != Outcome.NEVER:
                assert ours.flips.removed[row] == theirs.flips.removed[0]
                torch.testing.assert_close(ours.flips.mass[row], theirs.flips.mass[0])
        for name, values in reading.signals.items():
            torch.testing.assert_close(values[row, :n], alone.signals[name][0])


@pytest.mark.parametrize("seed", range(5))
def test_the_minimum_of_every_label_is_exhaustive(seed):
    head = random_head(seed, [9, 8, 6, 4, 2], classes=LABELS, sharpness=2.0)
    cut = math.log(0.3 / 0.7)
    reading = cases_of_head(head, Targets(cut, tuple(range(LABELS))))
    cases = reading.cases
    assert cases is not None
    flips = next(each.flips for each in analysed(reading).flips if each.ranking == MINIMUM)
    outcomes = set()
    for row, (document, label) in enumerate(zip(cases.documents.tolist(), cases.labels.tolist(), strict=True)):
        alone = in_two_classes(head, document, label, cut)
        expected = exhaustive_minimum(alone.weights[0], alone.component_logits[0], alone.bias)
        assert Outcome(int(flips.outcome[row])).label == expected.outcome
        if expected.outcome != Outcome.NEVER.label:
            assert int(flips.removed[row]) == expected.removed
        outcomes.add(expected.outcome)
    assert "flip" in outcomes
    assert len(outcomes) > 1


def replayed_cases(head: Head, targets: Targets, asked: list[int]) -> ReplayedReading:
    """The same cases, of which nothing is known but what a replay of their documents tells."""
    reading = cases_of_head(head, targets)
    whole = AffineReading.of(head.weights, head.component_logits, head.bias, head.mask)

    def replay(rows: Tensor, keep: Tensor) -> Tensor:
        asked.append(keep.shape[0] * keep.shape[1])
        return evaluated(whole, keep, rows.tolist())

    assert reading.cases is not None
    return replace(replayed(reading), signals=reading.signals, replay=reading.cases.replay(replay), cases=reading.cases)


def test_replayed_cases_share_what_is_the_same_for_all_labels():
    """A replay gives what the closed forms give; single erasures of five labels cost those of one."""
    head, targets = random_head(3, LENGTHS, classes=LABELS), Targets(0.2, tuple(range(LABELS)))
    asked: list[int] = []
    reading, affine = replayed_cases(head, targets, asked), cases_of_head(head, targets)
    singles = reading.singles()
    assert asked == [len(LENGTHS) * max(LENGTHS)]
    torch.testing.assert_close(singles.logits[affine.mask], affine.singles().logits[affine.mask])
    ids = [f"test/{document}" for document in affine.cases.documents.tolist()] if affine.cases else []
    for ours, theirs in zip(analysed(reading, ids).flips[:5], analysed(affine, ids).flips[:5], strict=True):
        assert ours.ranking == theirs.ranking
        assert ours.flips.outcome.tolist() == theirs.flips.outcome.tolist()
        some = ours.flips.outcome != Outcome.NEVER
        assert ours.flips.removed[some].tolist() == theirs.flips.removed[some].tolist()


@pytest.mark.parametrize("count", [2, 71])
def test_rows_of_one_document_with_different_components_erased_are_replayed_apart(count):
    """Three cases of two documents: the second repeats the first but for what is kept.

    Also of more labels and components than an integer has bits.
    """
    last = count - 1
    cases = Cases(torch.tensor([0, 0, 1]), torch.tensor([0, last, last]), 0.5, torch.zeros(2, count).bool())
    asked = []

    def replay(rows: Tensor, keep: Tensor) -> Tensor:
        asked.append(rows.tolist())
        logits = torch.zeros(*keep.shape[:2], count)
        logits[..., 0], logits[..., last] = keep.sum(-1) + 10.0 * rows[:, None], keep.sum(-1) + 100.0
        return logits

    keep = torch.ones(4, 1, count).bool()
    keep[1, 0, last] = False
    found = CasesReplay(replay, cases)(torch.tensor([0, 1, 2, 1]), keep)
    assert sorted(asked[0]) == [0, 0, 1]
    assert found[..., 0].tolist() == [[0.0]] * 4
    assert found[:, 0, 1].tolist() == [count - 0.5, count + 98.5, count + 99.5, count + 99.5]


def test_turns_hold_each_documents_first_case_then_its_second():
    cases = Targets(0.0).cases(torch.tensor([[1.0, 2.0, -1.0], [-1.0, -2.0, -3.0], [1.0, -1.0, 1.0]]))
    values = torch.tensor([3.0, 5.0, 7.0, 11.0, 13.0])
    turns = cases.in_turns(values)
    assert turns.tolist() == [[3.0, 7.0, 11.0], [5.0, 0.0, 13.0]]
    assert cases.from_turns(turns).tolist() == values.tolist()
    later = cases.among(torch.tensor([1, 2]))
    assert later.documents.tolist() == [0, 1, 1]
    assert later.labels.tolist() == [0, 0, 2]


def test_without_targets_every_document_is_decided_once():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    decided = decisions(logits, None)
    assert decided.cases is None
    assert decided.documents.tolist() == [0, 1]
    assert decided.decisive(logits) is logits
    assert decided.from_turns(decided.in_turns(logits[:, 0])).tolist() == [1.0, 3.0]
