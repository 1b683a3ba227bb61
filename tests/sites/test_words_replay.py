"""Versions of sentences under erasures: one for each sentence that an erasure touches, and no more."""

import torch
from torch.testing import assert_close

from eraserhead.method.test_one import single_keeps
from eraserhead.method.test_two import prefix_keeps
from eraserhead.sites.words_replay import Document, Versions

WEIGHTS = torch.tensor([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.25, 0.75, 0.0]]).double()
MASK = torch.tensor([[True, True, True], [True, False, False], [True, True, False]])
VECTORS = torch.arange(1, 19).double().view(3, 3, 2)
DOCUMENT = Document(VECTORS, WEIGHTS, MASK, torch.arange(6))


def test_an_erasure_along_a_ranking_brings_one_version():
    """Components 0 to 2 are the first sentence, 3 the second, 4 and 5 the third.

    In the order 1, 5, 3, 0 the first row brings all three sentences, and the rows after it the third, the second and
    the first. Without component 1 the first sentence's weights are .5 and .2 over .7; without 3 the second has none.
    """
    versions = Versions.of(DOCUMENT, prefix_keeps(torch.tensor([[1, 5, 3, 0, 2, 4]]), torch.tensor([1, 2, 3, 4]))[0])
    assert versions.sentences.tolist() == [0, 1, 2, 2, 1, 0]
    assert versions.chosen.tolist() == [[0, 1, 2], [0, 1, 3], [0, 4, 3], [5, 4, 3]]
    expected = [[5 / 7, 0, 2 / 7], [1, 0, 0], [0.25, 0.75, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert_close(versions.weights, torch.tensor(expected).double())
    found = torch.cat(list(versions.vectors(DOCUMENT, 4)))
    assert_close(found, torch.einsum("vt,vth->vh", versions.weights, VECTORS[versions.sentences]))
    assert found[4].tolist() == [0, 0]


def test_a_single_erasure_brings_its_sentence_and_brings_back_the_one_before():
    versions = Versions.of(DOCUMENT, single_keeps(torch.ones(1, 6, dtype=torch.bool))[0])
    assert versions.sentences.tolist() == [0, 1, 2, 0, 0, 0, 1, 1, 2, 2]
    assert versions.chosen[5].tolist() == [5, 7, 9]


def test_masks_of_more_than_eight_components_are_compared_whole():
    document = Document(torch.ones(2, 7, 1).double(), torch.ones(2, 7).double() / 7, torch.ones(2, 7).bool(),
                        torch.arange(14))  # fmt: skip
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0)).unsqueeze(0)
    versions = Versions.of(document, prefix_keeps(order, torch.arange(1, 15))[0])
    assert versions.sentences[2:].tolist() == (order[0, 1:] // 7).tolist()
