"""What is registered, and what everything that is registered promises."""

import re
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from eraserhead.data.batching import pad, pad_sentences
from eraserhead.errors import UserError
from eraserhead.method.signals import GRADIENTS
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import BUILT_IN, RESERVED, available, register, registered, signals_of, unregister
from eraserhead.sites.given_signals import given_at
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.site import Site
from eraserhead.sites.words import WordsSite
from families import batch_of, documents, in_float64, tiny
from heads import random_head
from inside_sites import site_of
from readings import affine, analysed
from tiny import random_texts, sentence_ids, sentence_texts, tiny_classifier, tiny_tokenizer

every_ranking = pytest.mark.parametrize("ranking", available().values(), ids=lambda ranking: ranking.name)


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


def test_an_analysis_uses_the_registered_ones_and_all_others_are_available_by_name(by_length):
    assert [ranking.name for ranking in registered()] == ["attention", "gradient", "product", "by length"]
    assert list(available())[:4] == ["attention", "gradient", "product", "by length"]
    assert set(available()) == {*BUILT_IN, "by length"} > {"leave_one_out", "value_norm", "by length"}


def test_what_is_unregistered_is_gone(by_length):
    unregister(by_length.name)
    assert by_length not in registered()
    register(by_length)


@pytest.mark.parametrize("name", [*RESERVED, "attention", "value_norm"])
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


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_classifier(tmp_path_factory.mktemp("pooling")).double()


KINDS = ("pooling", "words", "layer:-1", "layer:1:all", "all")


def opened(kind: str, model, model_of) -> tuple[Site, Callable[[Sequence[int]], dict[str, Tensor]]]:
    """A site of a kind, and what makes batches of some of its three documents, of which the last is the longest."""
    if kind == "words":
        ids = sorted(sentence_ids(sentence_texts(3, seed=4)), key=lambda text: sum(map(len, text)))
        return WordsSite(model_of("conv", "rnn", 0)), lambda rows: pad_sentences([ids[row] for row in rows], 0)
    if kind == "pooling":
        own = tiny_tokenizer()([" ".join(random_texts(30, seed=1))[:end] for end in (29, 43, 71)])["input_ids"]
        return PoolingSite(model), lambda rows: pad([own[row] for row in rows], 0)
    texts = documents((5, 7, 11))
    return site_of("bert", kind), lambda rows: batch_of(tiny("bert"), [texts[row] for row in rows])


@pytest.mark.parametrize("kind", KINDS)
@every_ranking
def test_a_document_is_ranked_the_same_alone_and_among_others_in_any_order(ranking, kind, model, model_of):
    """At each kind of site, asked for what the ranking says that it needs and nothing else."""
    with in_float64():
        site, batch = opened(kind, model, model_of)
        if not ranking.defined_at(site):
            pytest.skip("not defined at this site")
        together, turned = (site.read(batch(rows), ranking.needs) for rows in ((0, 1, 2), (2, 0, 1)))
        alone = [site.read(batch((row,)), ranking.needs) for row in range(3)]
        readings = (together, turned, *alone)
        ranked = [ranking.ranked(reading) for reading in readings]
        # A score that is shown as it is has been computed: some run a model hundreds of times.
        scores = [
            each.shown if ranking.shown is None else ranking.score(reading)
            for each, reading in zip(ranked, readings, strict=True)
        ]
    for row, own in enumerate(alone):
        n, number = int(own.lengths[0]), 2 + row
        order = ranked[number].order[0].tolist()
        assert sorted(order) == list(range(n))
        for among, at in ((0, row), (1, (1, 2, 0)[row])):
            assert ranked[among].order[at, :n].tolist() == order
            for values in (scores, [each.shown for each in ranked]):
                assert values[among].isfinite().all()
                assert_close(values[number][0], values[among][at, :n], rtol=1e-10, atol=1e-12)
        assert scores[number][0].unique().numel() > 1  # or any order would do
    assert together.lengths[2] > together.lengths[0] > 3


@every_ranking
def test_each_ranking_is_defined_where_the_table_of_signals_says(ranking, model, model_of):
    sites = {kind: opened(kind, model, model_of)[0] for kind in KINDS}
    found = [kind for kind, site in sites.items() if ranking.defined_at(site)]
    named = {"layer:-1": "layer:L", "layer:1:all": "layer:L:all"}
    assert found == [kind for kind in KINDS if named.get(kind, kind) in given_at(ranking.needs)] != []


@every_ranking
def test_padding_has_no_say_in_an_order(ranking):
    """Other vectors, scores and weights behind the shorter document: the same scores, the same order."""
    if not ranking.needs <= GRADIENTS:
        pytest.skip("needs more than a hand-made head has")
    head, other = random_head(5, [7, 3]), random_head(6, [7, 3])
    mixed = head._replace(vectors=torch.where(head.mask.unsqueeze(-1), head.vectors, 100 * other.vectors))
    for reading in (affine(head), affine(mixed)):
        assert ranking.order(reading)[1, 3:].tolist() == [3, 4, 5, 6]
    assert torch.equal(ranking.order(affine(head)), ranking.order(affine(mixed)))
    assert torch.equal(ranking.values(affine(head))[head.mask], ranking.values(affine(mixed))[head.mask])
