import pytest
import torch

from eraserhead.method.affine import AffineReading
from eraserhead.method.erasure import evaluate_unerased
from eraserhead.method.minimum import minimal_order
from eraserhead.method.names import Outcome
from eraserhead.rankings.registry import registered
from heads import flips_along, one, random_head
from readings import affine, analysed
from references import batched_minimum, exact_decision, exhaustive_minimum


def minimum(head):
    decision = evaluate_unerased(head.weights, head.component_logits, head.bias).decision
    order = minimal_order(head.weights, head.component_logits, head.bias, head.mask, decision)
    return order, flips_along(head, order)


def assert_exhaustive(head):
    order, found = minimum(head)
    for row in range(len(order)):
        document = one(head, row)
        n = len(document.weights)
        assert sorted(order[row, :n].tolist()) == list(range(n))
        slow = exhaustive_minimum(document.weights, document.component_logits, document.bias)
        assert Outcome(found.outcome[row].item()).name.lower() == slow.outcome
        if slow.removed is None:
            continue
        k = int(found.removed[row])
        assert k == slow.removed
        arguments = (document.weights, document.component_logits, document.bias)
        assert exact_decision(*arguments, set(order[row, :k].tolist())) != exact_decision(*arguments, set())


@pytest.mark.parametrize("seed", range(60))
def test_equals_exhaustive_search(seed):
    """300 random heads: 2 to 10 classes, biases from none to five times the logits, some weights 0."""
    classes = 2 + seed % 9
    head = random_head(seed, [8, 6, 4, 2, 1], classes=classes, bias=[0.0, 0.5, 2.0, 5.0][seed % 4], sharpness=1.5)
    if seed % 3 == 0:
        head.weights[:, ::3] = 0
    assert_exhaustive(head)


@pytest.mark.parametrize("n", [10, 12])
def test_equals_exhaustive_search_up_to_twelve_components(n):
    assert_exhaustive(random_head(n, [n], classes=4, bias=0.3))


@pytest.mark.parametrize("seed", range(40))
def test_equals_exhaustive_search_with_exact_ties(seed):
    """Small integers and weights in eighths: sums are exact in binary, so that ties are ties and not rounding."""
    generator = torch.Generator().manual_seed(seed)
    classes = 2 + seed % 4
    head = random_head(seed, [8, 8], hidden=classes, classes=classes)._replace(
        weights=torch.full((2, 8), 0.125, dtype=torch.float64),
        vectors=torch.randint(-2, 3, (2, 8, classes), generator=generator).double(),
        weight=torch.eye(classes, dtype=torch.float64),
        bias=torch.randint(-1, 2, (classes,), generator=generator).double(),
    )
    assert_exhaustive(head)


def test_a_tie_flips_only_towards_a_lower_class():
    """Erasing component 0 leaves equal logits: class 0 wins the tie, class 2 does not."""
    for rival, outcome in ((0, Outcome.FLIP), (2, Outcome.NEVER)):
        component_logits = torch.zeros(1, 2, 3, dtype=torch.float64)
        component_logits[0, 0, 1] = 4.0
        bias = torch.full((3,), -8.0, dtype=torch.float64)
        bias[[1, rival]] = 0.0
        head = random_head(0, [2])._replace(
            weights=torch.full((1, 2), 0.5, dtype=torch.float64),
            vectors=component_logits,
            weight=torch.eye(3, dtype=torch.float64),
            bias=bias,
        )
        _, found = minimum(head)
        assert found.outcome.tolist() == [outcome]


def test_among_equals_the_lighter_weight_is_erased_first():
    """a m = (-1, -1, +1.5): either of the first two flips; the lighter is the second."""
    weights = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64)
    margins = torch.tensor([[-2.0, -4.0, 6.0]], dtype=torch.float64)
    head = random_head(0, [3])._replace(
        weights=weights,
        vectors=torch.stack([torch.zeros_like(margins), margins], dim=-1),
        weight=torch.eye(2, dtype=torch.float64),
        bias=torch.zeros(2, dtype=torch.float64),
    )
    order, found = minimum(head)
    assert order[0, 0] == 1
    assert (found.removed.item(), found.mass.item()) == (1, 0.25)


def test_among_classes_that_need_equally_few_the_lighter_set_is_taken():
    """Terms a m of class 1 are (-.4, .1, .1), of class 2 (.1, -.4, .1): without .5 or .2 one of them wins."""
    weights = torch.tensor([[0.5, 0.2, 0.3]], dtype=torch.float64)
    terms = torch.tensor([[[0.0, -0.4, 0.1], [0.0, 0.1, -0.4], [0.0, 0.1, 0.1]]], dtype=torch.float64)
    mask, bias = torch.ones(1, 3, dtype=torch.bool), torch.zeros(3, dtype=torch.float64)
    found = AffineReading.of(weights, terms / weights.unsqueeze(-1), bias, mask).minimum()
    assert found.order[0, 0] == 1
    assert (found.flips.removed.item(), found.flips.mass.item(), found.flips.becomes.item()) == (1, 0.2, 2)


def test_among_many_equals_the_lighter_weights_are_erased_first_and_of_those_the_earlier():
    """601 terms a m of -1 against one of 300.5: without 301 of them 0.5 is left, and the decision moves to class 1."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([1.0, 2.0, 4.0])[torch.randint(0, 3, (601,), generator=generator)].double()
    weights, slopes = torch.cat([weights, torch.ones(1)]), torch.cat([-1 / weights, torch.tensor([300.5])])
    logits = torch.stack([torch.zeros_like(slopes), slopes], dim=-1).unsqueeze(0)
    mask = torch.ones(1, 602, dtype=torch.bool)
    found = AffineReading.of(weights.unsqueeze(0), logits, torch.zeros(2, dtype=torch.float64), mask).minimum()
    assert found.flips.removed.tolist() == [301]
    assert found.order[0, :301].tolist() == sorted(range(601), key=lambda at: (weights[at].item(), at))[:301]


@pytest.mark.parametrize("seed", range(10))
def test_no_ranking_needs_fewer(seed):
    head = random_head(seed, [97, 53, 31], classes=2 + seed % 4, bias=0.1, sharpness=2.0)
    _, least = minimum(head)
    assert (least.outcome == Outcome.FLIP).any()
    for ranking in registered():
        flips = flips_along(head, ranking.order(affine(head)))
        both = (flips.outcome == Outcome.FLIP) & (least.outcome == Outcome.FLIP)
        assert (flips.removed[both] >= least.removed[both]).all()
        assert not ((flips.outcome == Outcome.FLIP) & (least.outcome != Outcome.FLIP)).any()


def test_the_batched_reference_agrees():
    head = random_head(3, [13, 7, 5, 3, 2, 1], classes=4, bias=0.3)
    _, found = minimum(head)
    slow = batched_minimum(head.weights, head.vectors, head.weight, head.bias, head.mask)
    reached = found.outcome == Outcome.FLIP
    assert reached.sum() >= 3
    assert torch.equal(found.removed[reached], slow[reached])


def tied_head(seed, classes):
    """Weights of few sizes and logits in tenths, so that exact ties are many, and rounding decides them."""
    generator, documents, n = torch.Generator().manual_seed(seed), 300, 7
    sizes = torch.randint(1, 4, (documents, n), generator=generator).double()
    logits = torch.randint(-3, 4, (documents, n, classes), generator=generator).double() * 0.1
    return random_head(seed, [n] * documents, hidden=classes, classes=classes)._replace(
        weights=sizes / sizes.sum(-1, keepdim=True),
        vectors=logits,
        weight=torch.eye(classes).double(),
        bias=torch.zeros(classes).double(),
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_where_rounding_decides_ties_otherwise_the_smaller_set_found_is_the_minimum(classes):
    """The sums along another order round otherwise: on a few documents a ranking flips sooner."""
    reading = affine(tied_head(0, classes))
    found = analysed(reading, draws=10)
    least = torch.stack([size(each.flips) for each in found.flips[:-1]]).amin(0)
    alone, reported = reading.minimum(), found.flips[-1]
    above = size(alone.flips) > least
    assert 0 < above.sum() < 20
    assert torch.equal(size(reported.flips), torch.minimum(size(alone.flips), least))
    assert torch.equal(reported.order[~above], alone.order[~above])
    for row in above.nonzero().squeeze(1).tolist():
        removed = int(reported.flips.removed[row])
        erased = reported.order[row, :removed]
        assert any(
            torch.equal(each.order[row], reported.order[row]) and int(each.flips.removed[row]) == removed
            for each in found.flips[:-1]
        )
        assert reported.flips.mass[row].item() == pytest.approx(reading.weights[row, erased].sum().item())


def size(flips):
    return torch.where(flips.outcome == Outcome.NEVER, 99, flips.removed)
