"""The pooling site against the model itself, and everything to its right on a toy site of a few lines."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch.testing import assert_close

from eraserhead.data.batching import pad
from eraserhead.method.analysis import analyse
from eraserhead.method.names import Outcome
from eraserhead.method.orders import order_by
from eraserhead.models.pooling import attend
from eraserhead.sites.pooling import PoolingSite, attention_of, component_logits
from eraserhead.sites.site import AffineHead, Attention
from heads import random_head
from tiny import random_texts, tiny_classifier, tiny_tokenizer

TEXTS = [*random_texts(6, seed=3), "", "good"]


class ToySite:
    """Two weights' worth of model: a head that is not affine, so that everything is replayed."""

    def __init__(self, head):
        self.head = head

    def logits(self, weights, rows):
        return torch.tanh(weights @ self.head.component_logits[rows]) * 3 + self.head.bias

    def read(self, batch):
        affine = attention_of(
            self.head.scores, self.head.component_logits, self.head.bias, self.head.mask, torch.zeros(3).long()
        )
        affine = replace(affine, head=None, state=Rows(torch.arange(len(affine.mask))))
        whole = self.replay(affine, affine.mask.unsqueeze(1))[:, 0]
        return replace(affine, whole=replace(affine.whole, scaled_logits=whole, scale=torch.ones_like(whole[:, 0])))

    def replay(self, attention, keep):
        kept = attention.weights.unsqueeze(1) * keep
        mass = kept.sum(-1, keepdim=True)
        return self.logits(torch.where(mass > 0, kept / mass, 0.0), attention.state.documents)


@dataclass(frozen=True)
class Rows:
    """The state of a site that replays from elsewhere: which documents the rows are."""

    documents: torch.Tensor

    def select(self, documents):
        return Rows(self.documents[documents])


def read(tmp_path, texts=TEXTS, labels=("a", "b", "c")):
    model = tiny_classifier(tmp_path, labels).double()
    site = PoolingSite(model)
    ids = tiny_tokenizer()(texts)["input_ids"]
    return site, pad(ids, 0), site.read(pad(ids, 0))


def test_weights_and_logits_are_the_models(tmp_path):
    site, batch, attention = read(tmp_path)
    output = site.model(**batch)
    assert_close(attention.weights, output.pooling_weights.gather(1, attention.positions) * attention.mask)
    assert_close(attention.whole.logits, output.logits, rtol=0, atol=1e-12)
    assert attention.lengths.tolist() == [len(text.split()) for text in TEXTS]
    assert torch.equal(attention.model_decision, output.logits.argmax(-1))


def test_replay_equals_the_model_with_keep_masks(tmp_path):
    """Erased weights in our closed form, -inf on the scores in the model: two ways to the same logits."""
    site, batch, attention = read(tmp_path)
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand((len(TEXTS), 5, attention.mask.shape[1]), generator=generator) < 0.5
    replayed = site.replay(attention, keep)
    for erasure in range(5):
        tokens = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        tokens.scatter_(1, attention.positions, keep[:, erasure] & attention.mask)
        with torch.no_grad():
            assert_close(replayed[:, erasure], site.model(**batch, keep=tokens).logits, rtol=0, atol=1e-12)


def test_gradient_equals_central_differences_through_the_head(tmp_path):
    _, _, attention = read(tmp_path)
    head, step = attention.head, 1e-6
    decision = attention.whole.decision.unsqueeze(1)

    def probability(weights):
        logits = torch.einsum("bn,bnk->bk", weights, head.component_logits) + head.bias
        return logits.softmax(-1).gather(1, decision).squeeze(1)

    for component in range(attention.mask.shape[1]):
        shift = step * torch.nn.functional.one_hot(torch.tensor(component), attention.mask.shape[1])
        slope = (probability(attention.weights + shift) - probability(attention.weights - shift)) / (2 * step)
        assert_close(attention.gradient[:, component], slope * attention.mask[:, component], rtol=1e-5, atol=1e-8)


def test_a_document_is_read_the_same_alone_and_beside_a_longer_one(tmp_path):
    site, _, together = read(tmp_path)
    for row, text in enumerate(TEXTS):
        alone = site.read(pad(tiny_tokenizer()([text])["input_ids"], 0))
        n = int(together.lengths[row])
        for name in ("weights", "gradient"):
            assert_close(getattr(alone, name)[0, :n], getattr(together, name)[row, :n], rtol=0, atol=1e-10)
        assert_close(alone.whole.logits[0], together.whole.logits[row], rtol=0, atol=1e-10)


def test_whatever_stands_at_padding_takes_no_part():
    """NaN behind the first document, whose logits are (1 + 2) / 2 and 0, as they are alone."""
    nan = float("nan")
    logits = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [nan, nan]], [[1.0, 1.0]] * 3], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True] * 3])
    bias = torch.zeros(2, dtype=torch.float64)
    attention = attention_of(torch.zeros(2, 3), logits, bias, mask, torch.zeros(2).long())
    assert attention.whole.logits.tolist() == [[1.5, 0.0], [1.0, 1.0]]
    assert attention.gradient.isfinite().all()
    pooled, _ = attend(logits, torch.zeros(2, 3, dtype=torch.float64), mask)
    assert_close(pooled, attention.whole.logits)


def test_component_logits_are_projected_in_float64():
    vectors = torch.randn(3, 700, 5)
    weight = torch.randn(2, 5)
    assert_close(component_logits(vectors, weight), vectors.double() @ weight.double().T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_replayed_analysis_equals_the_closed_form(seed):
    """The same affine head through the generic path, one replay an erasure, and through the closed forms."""
    head = random_head(seed, [11, 6, 3, 2, 1], classes=3, bias=0.3, sharpness=2.0)
    affine = attention_of(head.scores, head.component_logits, head.bias, head.mask, torch.zeros(5).long())
    site = PoolingSite.__new__(PoolingSite)  # replay needs the attention alone
    ids = [f"test/{i}" for i in range(5)]
    closed = analyse(site, affine, ids, draws=3, seed=1)

    class Replayed:
        def read(self, batch):
            raise AssertionError("already read")

        def replay(self, attention, keep):
            return site.replay(affine.select(attention.state.documents), keep)

    generic = analyse(Replayed(), replace(affine, head=None, state=Rows(torch.arange(5))), ids, draws=3, seed=1)
    assert_close(generic.singles.js, closed.singles.js, rtol=0, atol=1e-12)
    assert [flips.ranking for flips in closed.flips[-1:] + generic.flips[-1:]] == ["minimum", "best_found"]
    for slow, fast in zip(generic.flips[:-1], closed.flips[:-1], strict=True):
        assert torch.equal(slow.order, fast.order)
        assert torch.equal(slow.flips.outcome, fast.flips.outcome)
        flipped = fast.flips.outcome != Outcome.NEVER
        assert torch.equal(slow.flips.removed[flipped], fast.flips.removed[flipped])


def test_a_site_that_is_not_affine_is_analysed_by_replay_alone():
    head = random_head(1, [9, 5, 2], classes=3, bias=0.1, sharpness=2.0)
    site = ToySite(head)
    attention = site.read({})
    analysis = analyse(site, attention, ["a", "b", "c"], draws=2, seed=0)
    rankings = ["random", "random", "attention", "gradient", "product", "best_found"]
    assert [flips.ranking for flips in analysis.flips] == rankings
    for flips in analysis.flips:
        for row, n in enumerate([9, 5, 2]):
            decisions = []
            for k in range(1, n + 1):
                keep = head.mask.clone()
                keep[row, flips.order[row, :k]] = False
                decisions.append(int(site.replay(attention, keep.unsqueeze(1))[row, 0].argmax()))
            original = int(attention.whole.decision[row])
            expected = next((k for k, decision in enumerate(decisions, 1) if decision != original), None)
            assert (flips.flips.outcome[row] == Outcome.NEVER) == (expected is None)
            assert expected is None or flips.flips.removed[row] == expected


def test_product_ranks_weights_that_underflow():
    head = random_head(0, [3], classes=2, bias=0.0, sharpness=1.0)
    attention = replace(
        attention_of(head.scores, head.component_logits, head.bias, head.mask, torch.zeros(1).long()),
        weights=torch.tensor([[1.0, 1e-310, 1e-311]], dtype=torch.float64),
        margin_gradient=torch.tensor([[-1.0, 1e-20, 5e-20]], dtype=torch.float64),
    )
    assert order_by(attention.product_key, attention.mask).tolist() == [[1, 2, 0]]


def test_results_do_not_depend_on_the_order_of_documents(tmp_path):
    site, _, attention = read(tmp_path)
    ids = [f"test/{i}" for i in range(len(TEXTS))]
    forward = analyse(site, attention, ids, draws=3, seed=0)
    backward_attention = site.read(pad(tiny_tokenizer()(TEXTS[::-1])["input_ids"], 0))
    backward = analyse(site, backward_attention, ids[::-1], draws=3, seed=0)
    for one, other in zip(forward.flips, backward.flips, strict=True):
        assert torch.equal(one.flips.outcome, other.flips.outcome.flip(0))
        assert torch.equal(one.flips.removed, other.flips.removed.flip(0))
    assert any((flips.flips.outcome == Outcome.FLIP).any() for flips in forward.flips)


def test_an_attention_without_components_has_no_minimum_to_find():
    bias = torch.tensor([0.0, 1.0], dtype=torch.float64)
    empty = attention_of(
        torch.zeros(1, 3), torch.zeros(1, 3, 2, dtype=torch.float64), bias, torch.zeros(1, 3, dtype=torch.bool),
        torch.ones(1, dtype=torch.long),
    )  # fmt: skip
    assert isinstance(empty, Attention)
    assert isinstance(empty.head, AffineHead)
    analysis = analyse(PoolingSite.__new__(PoolingSite), empty, ["x"], draws=2, seed=0)
    assert all(flips.flips.outcome.tolist() == [Outcome.NEVER] for flips in analysis.flips)
    assert empty.whole.decision.tolist() == [1]
