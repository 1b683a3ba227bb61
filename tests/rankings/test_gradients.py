"""Scores by word embeddings against plain autograd, one document at a time and without padding."""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
import torch
from numpy.polynomial.legendre import leggauss
from torch import Tensor
from torch.testing import assert_close
from transformers import PreTrainedModel

from eraserhead.data.batching import pad, pad_sentences
from eraserhead.errors import UserError
from eraserhead.method.cases import Targets
from eraserhead.method.reading import Reading
from eraserhead.method.signals import OF_EMBEDDINGS
from eraserhead.rankings.gradients import GRADIENTS
from eraserhead.sites.embeddings import embedded
from eraserhead.sites.inside.site import SelfAttentionSite
from eraserhead.sites.pooling import PoolingSite
from eraserhead.sites.words import WordsSite
from families import batch_of, documents, in_float64, tiny
from inside_sites import site_of
from tiny import random_texts, sentence_ids, sentence_texts, tiny_classifier, tiny_tokenizer

LABELS = Targets(cut=0.3, labels=(0, 2))
NEAR = (1e-10, 1e-10, 1e-6)  # captum holds the weights of a path's steps in float32


def scores(reading: Reading) -> list[Tensor]:
    return [ranking.score(reading) for ranking in GRADIENTS]


class Document(NamedTuple):
    """One document as a function of its tokens' embeddings."""

    logits: Callable[[Tensor], Tensor]
    embeddings: Tensor
    start: Tensor

    def margin(self, vectors: Tensor, case: int | None) -> Tensor:
        """The margin of the document's decision, or of what is decided about a label."""
        decided, found = self.logits(self.embeddings), self.logits(vectors)
        if case is not None:
            return (found[case] - LABELS.cut) * (1 if decided[case] > LABELS.cut else -1)
        c = int(decided.argmax())
        rivals = [found[k] for k in range(len(found)) if k != c]
        return found[c] - torch.stack(rivals).exp().sum().log()

    def slopes(self, vectors: Tensor, case: int | None = None) -> Tensor:
        free = vectors.clone().requires_grad_()
        return torch.autograd.grad(self.margin(free, case), free)[0]

    def expected(self, case: int | None = None) -> list[Tensor]:
        """Input times gradient, the gradient's length, and integrated gradients by a loop, of each token."""
        here, way = self.slopes(self.embeddings, case), self.embeddings - self.start
        points, weights = leggauss(32)
        total = torch.zeros_like(way)
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            total += weight * self.slopes(self.start + point * way, case)
        return [(here * self.embeddings).sum(-1), here.square().sum(-1).sqrt(), (total * way).sum(-1)]


def inside(model: PreTrainedModel, ids: Sequence[int]) -> Document:
    table = model.get_input_embeddings().weight.detach()
    return Document(
        lambda vectors: model(inputs_embeds=vectors.unsqueeze(0)).logits[0],
        table[torch.tensor(ids)],
        table[model.config.pad_token_id],
    )


def pooled(model, ids: Tensor) -> Document:
    """A copy of the model in which each token has a row of the table for itself; positions do not depend on ids."""
    model = copy.deepcopy(model)
    table = model.encoder if isinstance(model.encoder, torch.nn.Embedding) else model.encoder.get_input_embeddings()
    special = torch.isin(ids, torch.tensor(model.config.special_token_ids)).flatten()
    model.config.special_token_ids = special.nonzero().flatten().tolist()
    rows = torch.arange(ids.numel()).view(ids.shape)
    found = table.weight.detach()[ids.flatten()]
    start = table.weight.detach()[model.config.pad_token_id]

    def logits(vectors: Tensor) -> Tensor:
        table.forward = lambda asked: vectors[asked]
        mask = (ids != model.config.pad_token_id).long()
        return model(rows.unsqueeze(0), attention_mask=mask.unsqueeze(0)).logits[0]

    return Document(logits, found, start)


@pytest.mark.parametrize(("name", "place"), [("bert", "layer:-1"), ("llama", "all"), ("mpnet", "layer:1")])
def test_inside_they_equal_autograd_on_input_embeddings(name, place):
    """Without the special tokens, which are no components here: their scores are dropped."""
    model, texts = tiny(name), documents((7, 5))
    with in_float64():
        site = site_of(name, place, left_out=(2,))
        reading = site.read(batch_of(model, texts), OF_EMBEDDINGS)
        found = scores(reading)
        missed = reading.signals.missed["integrated_gradients"]
        for row, ids in enumerate(texts):
            document = inside(model, ids)
            expected = document.expected()
            change = document.margin(document.embeddings, None) - document.margin(
                0 * document.embeddings + document.start, None
            )
            assert_close(missed[row], (expected[2].sum() - change).detach(), rtol=0, atol=1e-5)
            for own, wanted, near in zip(found, expected, NEAR, strict=True):
                assert_close(own[row, : len(ids) - 1], wanted[1:], rtol=0, atol=near)
                assert not own[row, len(ids) - 1 :].any()
                assert wanted.abs().max() > 1e-2


def test_inside_each_label_has_scores_of_its_own():
    model, texts = tiny("bert"), documents((5, 4))
    with in_float64():
        reading = SelfAttentionSite(model, targets=LABELS).read(batch_of(model, texts), OF_EMBEDDINGS)
        found = scores(reading)
        assert reading.cases is not None
        for row, (document, label) in enumerate(zip(reading.cases.documents, reading.cases.labels, strict=True)):
            ids = texts[int(document)]
            for own, wanted, near in zip(found, inside(model, ids).expected(int(label)), NEAR, strict=True):
                assert_close(own[row, : len(ids)], wanted, rtol=0, atol=near)


@pytest.mark.parametrize("targets", [None, LABELS])
def test_tokens_of_a_flat_model(tmp_path, targets):
    model = tiny_classifier(tmp_path, ("a", "b", "c")).double().eval()
    texts = tiny_tokenizer()(random_texts(2, seed=3, longest=7))["input_ids"]
    reading = PoolingSite(model, targets=targets).read(pad([*texts, [2, 3]], 0), OF_EMBEDDINGS)
    found = scores(reading)
    for row, document in enumerate(range(3) if reading.cases is None else reading.cases.documents):
        if document == 2:  # it has no components
            assert not any(own[row].any() for own in found)
            continue
        case = None if reading.cases is None else int(reading.cases.labels[row])
        ids = torch.tensor(texts[int(document)])
        for own, wanted, near in zip(found, pooled(model, ids).expected(case), NEAR, strict=True):
            assert_close(own[row, : len(ids) - 2], wanted[1:-1], rtol=0, atol=near)
            assert not own[row, len(ids) - 2 :].any()
            assert wanted.abs().max() > 1e-3


@pytest.mark.parametrize("kind", [("conv", "rnn", 0), ("none", "none", 1)])
def test_sentences_and_words_of_a_hierarchical_model(kind, model_of):
    """A sentence's score is the sum over its words; the frame of a sentence is no word."""
    model = model_of(*kind)
    texts = [*sentence_ids(sentence_texts(2, seed=4, most=3, longest=5)), [[2, 3], [2, 8, 3]]]
    batch = pad_sentences(texts, 0)
    sentences = PoolingSite(model).read(batch, OF_EMBEDDINGS)
    words = WordsSite(model).read(batch, OF_EMBEDDINGS)
    for row, text in enumerate(texts):
        own = pad_sentences([text], 0)["input_ids"][0]
        is_word = ~torch.isin(own, torch.tensor([0, 2, 3]))
        wanted = [each.view(own.shape) * is_word for each in pooled(model, own).expected()]
        for by_sentence, by_word, each, near in zip(scores(sentences), scores(words), wanted, NEAR, strict=True):
            some = is_word.any(1)
            assert_close(by_sentence[row, : int(some.sum())], each.sum(1)[some], rtol=0, atol=near)
            assert_close(by_word[row, : int(is_word.sum())], each[is_word], rtol=0, atol=near)
            assert not by_sentence[row, int(some.sum()) :].any()
            assert not by_word[row, int(is_word.sum()) :].any()


def test_documents_that_do_not_fit_at_once_have_the_same_scores(monkeypatch):
    """One document at a time, in one pass for each step of its path."""
    model, texts = tiny("bert"), documents((7, 5, 3))
    with in_float64():
        whole, apart = (
            scores(site_of("bert", "layer:-1", memory=memory).read(batch_of(model, texts), OF_EMBEDDINGS))
            for memory in (1e9, 1.0)
        )
    for one, other in zip(whole, apart, strict=True):
        assert_close(one, other, rtol=0, atol=1e-12)


def test_a_document_without_components_has_none(model_of):
    batch = pad_sentences([[[2, 8, 3]], []], 0)
    reading = PoolingSite(model_of("conv", "rnn", 0)).read(batch, OF_EMBEDDINGS)
    assert all(own[0, 0] != 0 and not own[1].any() for own in scores(reading))


def test_a_model_that_looks_its_tokens_up_otherwise_is_refused():
    table, ids = torch.nn.Embedding(7, 3), torch.tensor([[1, 2]])
    vectors = torch.ones(1, 2, 3)
    with embedded(table, ids, vectors):
        assert torch.equal(table(ids), vectors)

    def look_up(*lookups: Tensor) -> None:
        with embedded(table, ids, vectors):
            for asked in lookups:
                table(asked)

    for lookups in ((), (ids, ids), (ids + 1,)):
        with pytest.raises(UserError, match="looks up each token of a document once"):
            look_up(*lookups)
