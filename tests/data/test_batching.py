import numpy as np
import pytest
import torch

from eraserhead.data.batching import EACH, buckets, pad, share, training_steps
from references import least_batch_cost

LENGTHS = [3, 17, 5, 5, 90, 2, 11, 1]


@pytest.mark.parametrize("budget", [1, 10, 34, 1000])
def test_buckets_hold_every_document_once_within_the_budget(budget):
    batches = buckets(range(8), LENGTHS, budget)
    assert sorted(document for batch in batches for document in batch) == list(range(8))
    for batch in batches:
        assert len(batch) == 1 or max(LENGTHS[document] for document in batch) * len(batch) <= budget


def test_buckets_go_from_long_to_short():
    """Budget 20: 90 and 17 alone (17 * 2 > 20), then 11 (11 * 2 > 20); 5, 5 and 3, 2, 1 cost 10 + 9, 5, 5, 3, 2 and 1
    would cost 20 + 1.
    """
    assert buckets(range(8), LENGTHS, 20) == [[4], [1], [6], [2, 3], [0, 5, 7]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("budget", [700, 2000, 10**6])
def test_no_other_buckets_cost_less(seed, budget):
    """Against all ways to cut nine lengths, where a further batch costs as much as some padding."""
    lengths = np.random.default_rng(seed).integers(1, 800, 9).tolist()
    batches = buckets(range(9), lengths, budget)
    cost = sum(EACH + len(batch) * lengths[batch[0]] for batch in batches)
    assert cost == least_batch_cost(sorted(lengths, reverse=True), budget, EACH)
    assert all(lengths[batch[0]] == max(lengths[row] for row in batch) for batch in batches)


def test_a_large_budget_pads_few_tokens():
    """Lengths as those of product reviews; as few batches as the budget allows would pad 7 % here."""
    quantiles = np.interp(np.linspace(0, 1, 4096), [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], [20, 38, 54, 92, 142, 186, 256])
    lengths = quantiles.astype(int).tolist()
    batches = buckets(range(4096), lengths, 32768)
    assert sum(len(batch) * lengths[batch[0]] for batch in batches) < 1.025 * sum(lengths)
    assert len(batches) < 50


def test_a_dear_batch_is_had_as_seldom_as_can_be():
    """Budget 90: 90 alone and the other seven in two, as 7 * 17 > 90; cheap ones end where lengths drop."""
    assert [len(batch) for batch in buckets(range(8), LENGTHS, 90, each=90)] == [1, 2, 5]
    assert [len(batch) for batch in buckets(range(8), LENGTHS, 90, each=1)] == [1, 1, 1, 2, 1, 2]


def test_documents_of_different_kinds_never_share_a_bucket():
    """Budget 20, as above; the kinds are told by the documents' numbers, odd and even."""
    kinds = [(document % 2,) for document in range(8)]
    assert buckets(range(8), LENGTHS, 20, kinds) == [[4], [6], [2, 0], [1], [3, 5, 7]]
    assert buckets([], LENGTHS, 20, kinds) == []


def test_steps_are_a_function_of_seed_and_epoch():
    lengths = [i % 37 + 1 for i in range(211)]
    steps = training_steps(lengths, 8, seed=3, epoch=2)
    assert steps == training_steps(lengths, 8, seed=3, epoch=2)
    assert steps != training_steps(lengths, 8, seed=3, epoch=3)
    assert steps != training_steps(lengths, 8, seed=4, epoch=2)
    assert sorted(document for step in steps for document in step) == list(range(211))
    assert sorted({len(step) for step in steps}) == [211 % 8, 8]


def test_steps_hold_similar_lengths():
    """Lengths 1 to 400 in windows of 50 batches of 8: within a step they differ by a few, not by hundreds."""
    steps = training_steps(list(range(1, 401)), 8, seed=0, epoch=0)
    assert max(max(step) - min(step) for step in steps) == 7
    assert [min(step) for step in steps] != sorted(min(step) for step in steps)


def test_shares_split_a_step_without_rest():
    step = list(range(11))
    assert sorted(share(step, 0, 3) + share(step, 1, 3) + share(step, 2, 3)) == step
    assert share([5], 1, 2) == []


def test_padding_is_masked():
    batch = pad([[7, 8, 9], [], [4]], padding=1)
    assert batch["input_ids"].tolist() == [[7, 8, 9], [1, 1, 1], [4, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert batch["input_ids"].dtype == torch.long
