import torch

from eraserhead.method.decision import decide, takes_over


def test_decision_takes_the_lowest_class_among_equals():
    logits = torch.tensor([[1.0, 2.0, 2.0], [3.0, 3.0, 3.0], [0.0, -1.0, 0.0]])
    assert decide(logits).tolist() == [1, 0, 0]


def test_a_class_takes_over_exactly_where_the_rule_decides_for_it():
    """Each class against the decision alone: all 27 logits of three classes from (-1, 0, 1), ties among them."""
    values = torch.tensor([-1.0, 0.0, 1.0])
    logits = torch.cartesian_prod(values, values, values)
    for decided in range(3):
        found = takes_over(logits - logits[:, [decided]], torch.full((27,), decided))
        for rival in range(3):
            lower, higher = sorted((rival, decided))
            duel = decide(logits[:, [lower, higher]])
            wins = duel == (0 if rival == lower else 1) if rival != decided else torch.zeros(27).bool()
            assert torch.equal(found[:, rival], wins)


def test_one_lead_for_each_set():
    leads = torch.tensor([[[0.0, 0.5, -0.5], [0.0, 0.0, 0.0], [0.0, 0.5, -0.5]]])
    assert takes_over(leads, torch.tensor([1])).tolist() == [
        [[True, True, False], [False, False, False], [False, True, False]]
    ]
