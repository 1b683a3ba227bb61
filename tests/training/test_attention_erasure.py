"""Erasure in training: what is kept follows its closed form, and training alone is touched."""

import pytest
import torch
from torch.testing import assert_close

from eraserhead.models.architecture import Architecture
from eraserhead.models.heads import FlatHead, HierarchicalHead
from eraserhead.training.attention_erasure import drawn_keep, erase_in_training

HIDDEN, CLASSES = 7, 3


def head_of(kind, probability):
    torch.manual_seed(0)
    head = kind(HIDDEN, CLASSES, Architecture(dropout=0.0, hierarchical=kind is HierarchicalHead))
    erase_in_training(head, probability)
    return head


def test_counts_are_uniform_but_for_none_which_becomes_one():
    """Of 5 components and 3 places of padding: 1 is kept in 2 of 6 cases, 2, 3 and 4 in one each, and 5 too.

    The integral of C(n, k) u^k (1 - u)^(n - k) over u is 1 / (n + 1). With a probability of .4 that anything is erased,
    all 5 are kept in .6 + .4 / 6. Shares of 60,000 documents have standard errors of at most .002.
    """
    mask = (torch.arange(8) % 3 != 1).expand(60_000, 8)  # five of eight, not the first five
    assert int(mask[0].sum()) == 5
    torch.manual_seed(3)
    kept = drawn_keep(mask, 0.4)
    assert not kept[~mask].any()
    shares = torch.bincount(kept.sum(-1), minlength=6) / len(kept)
    expected = torch.tensor([0, 0.8 / 6, 0.4 / 6, 0.4 / 6, 0.4 / 6, 0.6 + 0.4 / 6])
    assert_close(shares, expected, rtol=0, atol=0.006)
    for count in (1, 3):
        each = kept[kept.sum(-1) == count].float().mean(0)[mask[0]]
        assert_close(each, torch.full((5,), count / 5), rtol=0, atol=0.03)


def test_something_is_always_kept_where_anything_exists():
    mask = torch.rand(5000, 4, generator=torch.Generator().manual_seed(0)) < 0.4
    torch.manual_seed(1)
    kept = drawn_keep(mask, 1.0)
    assert torch.equal(kept.any(-1), mask.any(-1))
    assert not (kept & ~mask).any()
    assert torch.equal(drawn_keep(mask, 0.0), mask)


def test_a_flat_head_erases_in_training_what_is_drawn_and_nothing_in_evaluation():
    vectors, mask = torch.randn(11, 5, HIDDEN), torch.arange(5) < torch.tensor([5, 3] * 5 + [1]).unsqueeze(1)
    head, plain = head_of(FlatHead, 0.5), head_of(FlatHead, 0.0)
    torch.manual_seed(2)
    logits, weights = head(vectors, mask)
    torch.manual_seed(2)
    keep = drawn_keep(mask, 0.5)
    assert int((mask & ~keep).sum()) > 0
    expected, erased = plain(vectors, mask, keep)
    assert torch.equal(weights, erased)
    assert torch.equal(logits, expected)
    assert_close(weights.sum(-1), torch.ones(11))
    assert not weights[~keep].any()
    assert torch.equal(head.eval()(vectors, mask)[0], plain.eval()(vectors, mask)[0])


def test_a_hierarchical_head_erases_sentences_and_no_words():
    """Three documents of 2, 1 and 4 sentences."""
    tokens, sentences = torch.tensor([3, 1, 2, 5, 2, 1, 4]), torch.tensor([2, 1, 4])
    vectors = torch.randn(int(tokens.sum()), HIDDEN)
    head, plain = head_of(HierarchicalHead, 1.0), head_of(HierarchicalHead, 0.0)
    torch.manual_seed(5)
    logits, weights = head(vectors, tokens, sentences)
    torch.manual_seed(5)
    keep = drawn_keep(torch.arange(4) < sentences.unsqueeze(1), 1.0)
    assert keep.sum(-1).tolist() != sentences.tolist()
    _, whole = plain(vectors, tokens, sentences)
    kept = whole * keep
    assert_close(weights, kept / kept.sum(-1, keepdim=True))
    assert not torch.equal(logits, plain(vectors, tokens, sentences)[0])


@pytest.mark.parametrize("kind", [FlatHead, HierarchicalHead])
def test_without_it_a_head_is_as_it_was_and_nothing_is_drawn(kind):
    head = head_of(kind, 0.0)
    assert not head.last._forward_pre_hooks
    assert list(head_of(kind, 0.5).state_dict()) == list(head.state_dict())
    flat = (torch.randn(2, 5, HIDDEN), torch.ones(2, 5).bool())
    hierarchical = (torch.randn(5, HIDDEN), torch.tensor([3, 2]), torch.tensor([1, 1]))
    state = torch.random.get_rng_state()
    head(*(flat if kind is FlatHead else hierarchical))
    assert torch.equal(torch.random.get_rng_state(), state)
