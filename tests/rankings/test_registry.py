"""What is registered, and what everything that is registered promises."""

import re

import pytest
import torch
from torch.testing import assert_close

from eraserhead.data.batching import pad_sentences
from eraserhead.errors import UserError
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import RESERVED, register, registered, signals_of, unregister
from eraserhead.sites.words import WordsSite
from families import batch_of, documents, in_float64, tiny
from heads import random_head
from inside_sites import site_of
from readings import affine, analysed
from tiny import sentence_ids, sentence_texts

every_ranking = pytest.mark.parametrize("ranking", registered(), ids=lambda ranking: ranking.name)


@pytest.fixture
def by_length():
    """A ranking of somebody's own, for one test."""
    yield register(Ranking("by length", lambda reading: reading.positions.double()))
    unregister("by length")


def test_a_registered_ranking_comes_last_and_is_analysed(by_length):
    reading = affine(random_head(0, [5, 2]))
    assert registered()[-1] == by_length
    assert [ranking.name for ranking in registered()[:3]] == ["attention", "gradient", "product"]
    analysis = analysed(reading)
    assert [each.ranking for each in analysis.flips[-2:]] == ["by length", "minimum"]
    assert analysis.flips[-2].order.tolist() == [[4, 3, 2, 1, 0], [1, 0, 2, 3, 4]]
    assert analysis.tests["by length"].top.tolist() == [4, 1]


def test_what_is_unregistered_is_gone(by_length):
    unregister(by_length.name)
    assert by_length not in registered()
    register(by_length)


@pytest.mark.parametrize("name", [*RESERVED, "attention"])
def test_a_name_that_results_have_already_is_refused(name):
    before = registered()
    expected = f"ranking '{name}': the name is taken; choose another"
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        register(Ranking(name, lambda reading: reading.weights))
    assert registered() == before


def test_sites_are_asked_for_what_the_rankings_need():
    mine = Ranking("mine", lambda reading: reading.weights, frozenset({"value norms", "gradient"}))
    plain = Ranking("plain", lambda reading: reading.weights)
    assert signals_of([plain]) == frozenset()
    assert signals_of([mine, plain, Ranking("other", mine.score, frozenset({"entropy"}))]) == {
        "value norms",
        "gradient",
        "entropy",
    }


@every_ranking
def test_a_document_is_ranked_the_same_alone_and_beside_a_longer_one(ranking, model_of):
    """At each kind of site, asked for what the ranking says that it needs and nothing else."""
    texts = documents((5, 11))
    sentences = sentence_ids(sentence_texts(2, seed=4))
    words = WordsSite(model_of("conv", "rnn", 0))
    head = random_head(3, [5, 11])
    short = head._replace(**{name: getattr(head, name)[:1, :5] for name in ("scores", "weights", "vectors", "mask")})
    with in_float64():
        site = site_of("bert", "layer:-1")
        pairs = [
            tuple(site.read(batch_of(tiny("bert"), texts[:count]), ranking.needs) for count in (1, 2)),
            tuple(words.read(pad_sentences(sentences[:count], 0), ranking.needs) for count in (1, 2)),
            (affine(short), affine(head)),
        ]
    for alone, beside in pairs:
        n = int(alone.lengths[0])
        assert beside.mask.shape[1] > n > 3
        order = ranking.order(alone)[0].tolist()
        assert sorted(order) == list(range(n))
        assert ranking.order(beside)[0, :n].tolist() == order
        for values in (ranking.score, ranking.values):
            assert values(beside).isfinite().all()
            assert_close(values(alone)[0], values(beside)[0, :n], rtol=1e-10, atol=1e-12)
        assert values(alone)[0].unique().numel() > 1  # or any order would do


@every_ranking
def test_padding_has_no_say_in_an_order(ranking):
    """Other vectors, scores and weights behind the shorter document: the same scores, the same order."""
    head, other = random_head(5, [7, 3]), random_head(6, [7, 3])
    mixed = head._replace(vectors=torch.where(head.mask.unsqueeze(-1), head.vectors, 100 * other.vectors))
    for reading in (affine(head), affine(mixed)):
        assert ranking.order(reading)[1, 3:].tolist() == [3, 4, 5, 6]
    assert torch.equal(ranking.order(affine(head)), ranking.order(affine(mixed)))
    assert torch.equal(ranking.values(affine(head))[head.mask], ranking.values(affine(mixed))[head.mask])
