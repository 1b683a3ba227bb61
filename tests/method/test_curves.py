"""Probabilities along rankings, against one evaluation a set, and where they lie between the limits."""

from math import ceil

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from eraserhead.method.affine import AffineReading
from eraserhead.method.along import PERCENTS, Steps, at_percents
from eraserhead.method.cases import Targets
from eraserhead.method.curves import curves, difference
from eraserhead.method.orders import order_by
from eraserhead.method.random_draws import random_orders
from eraserhead.rankings.registry import registered
from eraserhead.sites.pooling import pooled_cases
from heads import one, random_head
from readings import SMALL, Toy, affine, replayed
from references import exhaustive_limits, subset_odds

LENGTHS = [11, 7, 5, 2, 1]


def named_orders(reading, draws=2):
    batch, width = reading.mask.shape
    shuffles = random_orders([str(row) for row in range(batch)], reading.lengths.tolist(), width, draws, 0)
    random = [("random", shuffles[:, draw]) for draw in range(draws)]
    return [*random, *((ranking.name, ranking.order(reading)) for ranking in registered())]


def one_at_a_time(reading, orders):
    """Probabilities of the decision with each prefix erased, and with each alone kept, one evaluation a set."""
    found = np.full((2, len(reading.mask), len(orders), reading.mask.shape[1] + 1), np.nan)
    for row, n in enumerate(reading.lengths.tolist()):
        decided = int(reading.unerased.decision[row])
        for column, (_, order) in enumerate(orders):
            for k in range(n + 1):
                first = torch.zeros(1, 1, reading.mask.shape[1], dtype=torch.bool)
                first[0, 0, order[row, :k]] = True
                for side, keep in enumerate((~first, first)):
                    logits = reading.evaluate(torch.tensor([row]), keep & reading.mask[row]).logits[0, 0]
                    found[side, row, column, k] = logits.softmax(-1)[decided]
    return found


def by_ranking(values):
    """Average the two random orders, which come first."""
    return np.concatenate([values[:, :2].mean(1, keepdims=True), values[:, 2:]], axis=1)


READINGS = {
    "affine": lambda: affine(random_head(3, LENGTHS)),
    "replayed": lambda: replayed(affine(random_head(3, LENGTHS)), mask_entries=100),
    "interacting": lambda: Toy.draw(5, SMALL, lean=0.7).reading(),
}


@pytest.mark.parametrize("kind", READINGS)
def test_curves_are_those_of_one_evaluation_a_set(kind):
    """With them AOPC, comprehensiveness and sufficiency, by their definitions."""
    reading = READINGS[kind]()
    orders = named_orders(reading)
    slow = one_at_a_time(reading, orders)
    found = curves(reading, orders, "all")
    assert found.rankings == ("random", *(ranking.name for ranking in registered()))
    for row, n in enumerate(reading.lengths.tolist()):
        assert_array_equal(found.k[row, found.exists[row]], range(n + 1))
        removed, kept = (by_ranking(side[row : row + 1, :, : n + 1])[0] for side in slow)
        assert_allclose(found.removed[row, :, : n + 1], removed, atol=1e-12)
        assert_allclose(found.kept[row, :, : n + 1], kept, atol=1e-12)
        whole = removed[0, 0]
        assert_allclose(found.aopc[row], (whole - removed[:, 1:]).mean(1), atol=1e-12)
        at = [ceil(percent * n / 100) for percent in PERCENTS]
        assert_allclose(found.comprehensiveness[row], whole - removed[:, at], atol=1e-12)
        assert_allclose(found.sufficiency[row], whole - kept[:, at], atol=1e-12)


def test_fractions_are_read_off_a_few_sets_each_evaluated_once():
    """Of 9, 8, 7, 5, 3, 2 and 1 components: 1 and 5 % are one each, 10 % too, and so on; of 9 that are 1, 2 and 5."""
    toy = Toy.draw(5, SMALL, lean=0.7)
    reading = toy.reading()
    orders = named_orders(reading)
    whole = curves(reading, orders, "all")
    toy.evaluated.clear()
    found = curves(reading, orders, "fractions")
    steps = [sorted({ceil(percent * n / 100) for percent in PERCENTS}) for n in SMALL]
    assert [row[exists].tolist() for row, exists in zip(found.k, found.exists, strict=True)] == steps
    assert sum(toy.evaluated) == sum(map(len, steps)) * len(orders) * 2
    for name in ("comprehensiveness", "sufficiency"):
        assert_allclose(getattr(found, name), getattr(whole, name), atol=1e-12)
    for row, own in enumerate(steps):
        assert_allclose(found.removed[row, :, : len(own)], whole.removed[row][:, own], atol=1e-12)
    assert np.isnan(found.aopc).all()
    assert np.isnan(whole.naopc).all()


def test_percentages_are_rounded_up_in_whole_numbers():
    """7 % of 100 and 1 % of 700 are 7, though .07 * 100 and .01 * 700 are more; of nothing they are nothing."""
    lengths = torch.tensor([700, 101, 20, 1, 0])
    assert at_percents(lengths).tolist() == [
        [7, 35, 70, 140, 350],
        [2, 6, 11, 21, 51],
        [1, 1, 2, 4, 10],
        [1] * 5,
        [0] * 5,
    ]
    assert Steps.of_fractions(lengths).exists.sum(1).tolist() == [5, 5, 4, 1, 1]


def test_without_curves_there_are_names_alone():
    reading = affine(random_head(1, LENGTHS))
    found = curves(reading, named_orders(reading), "none")
    assert found.rankings[0] == "random"
    assert found.removed.shape == (len(LENGTHS), 4, 0)
    assert np.isnan(found.comprehensiveness).all()
    assert np.isnan(found.aopc).all()


@pytest.mark.parametrize("high", [40.0, 700.0])
def test_a_difference_of_probabilities_keeps_its_digits(high):
    """Far from 0 sigmoid(x) is 1 - e^-x or e^x, so that between x and x - 2 lies e^-x (e^2 - 1), or e^x (1 - e^-2)."""
    for log_odds, factor in ((high, np.expm1(2.0)), (-high, -np.expm1(-2.0))):
        expected = np.exp(-high) * factor
        assert_allclose(difference(np.array([log_odds]), np.array([log_odds - 2])), expected, rtol=1e-12)
        assert_allclose(difference(np.array([log_odds - 2]), np.array([log_odds])), -expected, rtol=1e-12)
    assert difference(np.array([3.0]), np.array([-1.0])) == pytest.approx(expit(3.0) - expit(-1.0))
    assert difference(np.array([-800.0]), np.array([800.0])) == -1


def aopc_of_limits(head, row, decided):
    """The largest and the smallest AOPC that sets of each size reach, by every subset."""
    document = one(head, row)
    odds = subset_odds(document.weights, document.component_logits, document.bias, decided)
    whole = odds[frozenset(range(len(document.weights)))]
    return (difference(np.array([whole]), np.array(limit[1:])).mean() for limit in exhaustive_limits(odds))


@pytest.mark.parametrize("seed", range(15))
def test_naopc_places_a_ranking_between_the_limits(seed):
    """The share of the way from the smallest AOPC of all sets to the largest."""
    lengths = [7, 6, 3, 2]
    head = random_head(seed, lengths, classes=2, bias=[0.0, 1.0, 10.0][seed % 3], sharpness=1.5)
    reading = affine(head)
    found = curves(reading, named_orders(reading), "all")
    for row in range(len(lengths)):
        largest, smallest = aopc_of_limits(head, row, int(reading.unerased.decision[row]))
        assert_allclose(found.naopc[row], (found.aopc[row] - smallest) / (largest - smallest), rtol=1e-6, atol=1e-9)
        assert found.naopc[row].min() > -1e-9
        assert found.naopc[row].max() < 1 + 1e-9
        assert_array_equal(found.naopc_width[row], 0)


def test_the_order_of_the_limits_has_naopc_one_and_its_reverse_zero():
    """Equal weights, no bias: the largest margins first are best for each size, the smallest first worst."""
    margins = torch.tensor([[2.0, -1.0, 0.5, 3.0, 0.0]], dtype=torch.float64)
    logits = torch.stack([margins, torch.zeros_like(margins)], dim=-1)
    weights, mask = torch.full((1, 5), 0.2, dtype=torch.float64), torch.ones(1, 5, dtype=torch.bool)
    reading = AffineReading.of(weights, logits, torch.zeros(2, dtype=torch.float64), mask)
    best, worst = order_by(margins, mask), order_by(-margins, mask)
    assert_allclose(curves(reading, [("best", best), ("worst", worst)], "all").naopc, [[1, 0]], atol=1e-12)


def test_a_confident_decision_has_a_naopc():
    """The same with logits of which probabilities differ in their twentieth digit; far beyond it there is nothing."""
    margins = 50 + torch.tensor([[2.0, -1.0, 0.5, 3.0, 0.0]], dtype=torch.float64)
    weights, mask = torch.full((1, 5), 0.2, dtype=torch.float64), torch.ones(1, 5, dtype=torch.bool)
    order = order_by(margins, mask)
    for times, expected in ((1, 1.0), (30, np.nan)):
        logits = times * torch.stack([margins, torch.zeros_like(margins)], dim=-1)
        bias = torch.tensor([50.0 * times, 0.0], dtype=torch.float64)
        reading = AffineReading.of(weights, logits - torch.tensor([50.0 * times, 0.0]), bias, mask)
        found = curves(reading, [("best", order)], "all")
        assert_allclose(found.naopc, [[expected]], atol=1e-9)


def test_where_no_sets_differ_there_is_no_naopc():
    head = random_head(4, [5, 1], classes=2)
    head = head._replace(vectors=torch.ones_like(head.vectors))
    reading = affine(head._replace(bias=torch.zeros_like(head.bias)))
    bare = reading.limits().lower[:, -1]
    found = curves(reading, named_orders(reading), "all")
    assert np.isfinite(bare).all()
    assert np.isnan(found.naopc).all()
    assert np.isfinite(found.aopc).all()


@pytest.mark.parametrize("seed", range(8))
def test_more_classes_have_a_naopc_within_what_is_certain(seed):
    """The NAOPC between exact limits is closer to the reported one than the width says."""
    head = random_head(seed, [7, 4, 2], classes=4, sharpness=1.5)
    reading = affine(head)
    found = curves(reading, named_orders(reading), "all")
    for row in range(3):
        largest, smallest = aopc_of_limits(head, row, int(reading.unerased.decision[row]))
        exact = (found.aopc[row] - smallest) / (largest - smallest)
        assert (np.abs(exact - found.naopc[row]) <= found.naopc_width[row] + 1e-9).all()


def test_cases_have_the_curves_of_their_own_two_classes():
    """A label is on with the sigmoid of how far its logit is above the cut; its limits are exact."""
    head, cut = random_head(7, [6, 4], classes=3), 0.3
    positions = torch.arange(6).expand(2, 6)
    model_logits = torch.zeros(2, 3, dtype=torch.float64)
    targets = Targets(cut, labels=(0, 1, 2))
    reading = pooled_cases(head.scores, head.component_logits, head.bias, head.mask, positions, model_logits, targets)
    found = curves(reading, named_orders(reading), "all")
    assert found.removed.shape[0] == 6
    assert not found.naopc_width[:, 1:].any()
    for case in range(6):
        document, label = one(head, case // 3), case % 3
        order = registered()[0].order(reading)[case].tolist()
        n, decided = len(document.weights), int(reading.unerased.decision[case])
        for k in range(n + 1):
            kept = order[k:n]
            mass = document.weights[kept].sum()
            pooled = (document.weights[kept] / mass) @ document.component_logits[kept, label] if kept else 0.0
            above = float(pooled + head.bias[label] - cut)
            assert found.removed[case, 1, k] == pytest.approx(expit(above if decided else -above), abs=1e-12)


def test_curves_do_not_depend_on_the_batch():
    head = random_head(9, [13, 7, 3], classes=3)
    together = curves(affine(head), named_orders(affine(head)), "all")
    turned = head._replace(**{name: getattr(head, name).flip(0) for name in ("scores", "weights", "vectors", "mask")})
    orders = [(name, order.flip(0)) for name, order in named_orders(affine(head))]
    again = curves(affine(turned), orders, "all")
    for name in ("comprehensiveness", "sufficiency", "aopc", "naopc", "naopc_width"):
        assert_allclose(getattr(again, name)[::-1], getattr(together, name), atol=1e-12)


def test_planted_evidence_has_a_higher_naopc_than_attention_that_misses_it():
    """Five of 23 components speak for the decision; attention is drawn, and an order by chance is its equal."""
    generator = torch.Generator().manual_seed(11)
    planted = torch.zeros(17, 23, dtype=torch.float64)
    planted.scatter_(1, torch.rand(17, 23, generator=generator).argsort(-1)[:, :5], 1.0)
    scores = torch.randn(17, 23, generator=generator, dtype=torch.float64)
    margins = 4 * planted + 0.3 * torch.randn(17, 23, generator=generator, dtype=torch.float64)
    logits = torch.stack([margins, torch.zeros_like(margins)], dim=-1)
    mask = torch.ones(17, 23, dtype=torch.bool)
    reading = AffineReading.of(scores.softmax(-1), logits, torch.zeros(2, dtype=torch.float64), mask)
    found = curves(reading, [*named_orders(reading, draws=7), ("evidence", order_by(planted, mask))], "all")
    assert not reading.unerased.decision.any()
    naopc = dict(zip(found.rankings, found.naopc.T, strict=True))
    assert (naopc["evidence"] > naopc["attention"]).all()
    assert naopc["evidence"].mean() > 0.75
    assert naopc["attention"].mean() < 0.6
