import torch

from eraserhead.method.random_draws import random_orders, random_others


def test_random_orders_depend_on_seed_and_document_alone():
    documents, lengths = ["test/0", "test/1", "test/2"], [5, 3, 0]
    orders = random_orders(documents, lengths, 7, 4, seed=11)
    for row, length in enumerate(lengths):
        assert all(sorted(draw[:length]) == list(range(length)) for draw in orders[row].tolist())
        assert orders[row, :, length:].tolist() == [list(range(length, 7))] * 4
    alone = random_orders(documents[:1], lengths[:1], 5, 4, seed=11)
    assert torch.equal(alone[0], orders[0, :, :5])
    assert not torch.equal(random_orders(documents, lengths, 7, 4, seed=12)[0], orders[0])
    assert torch.equal(random_orders(documents[:1], [5], 5, 2, seed=11)[0], orders[0, :2, :5])


def test_random_others_are_uniform_over_the_others_and_never_the_top():
    documents = [f"test/{i}" for i in range(4000)]
    tops = torch.tensor([[2, 0]]).expand(4000, 2)
    others = random_others(documents, [5] * 4000, tops, seed=0)
    for column, top in enumerate([2, 0]):
        counts = others[:, column].bincount(minlength=5)
        assert counts[top] == 0
        assert all(abs(count - 1000) < 120 for i, count in enumerate(counts.tolist()) if i != top)  # 4 sigma
    assert not torch.equal(others[:, 0], others[:, 1])


def test_random_others_with_the_first_left_out_are_uniform_over_the_later_positions():
    """Lengths 2 to 5: position 1 alone, then 1..2, 1..3, 1..4; below two components there is no other."""
    for length in range(2, 6):
        documents = [f"test/{i}" for i in range(2000)]
        drawn = random_others(documents, [length] * 2000, torch.zeros(2000, 1, dtype=torch.long), seed=0)
        counts = drawn[:, 0].bincount(minlength=length).tolist()
        assert counts[0] == 0
        assert all(abs(count - 2000 / (length - 1)) < 95 for count in counts[1:])  # 4 sigma
    assert random_others(["a", "b"], [1, 0], torch.zeros(2, 1, dtype=torch.long), seed=0).tolist() == [[0], [0]]


def test_random_others_stay_those_of_earlier_results():
    """Saved draws: results that are in a folder must stay comparable with those of today."""
    tops = torch.tensor([[0, 2, 4], [1, 1, 0], [6, 0, 3]])
    drawn = random_others(["test/0", "test/1", "mine"], [5, 2, 7], tops, seed=11)
    assert drawn.tolist() == [[3, 0, 0], [0, 0, 1], [4, 1, 0]]
