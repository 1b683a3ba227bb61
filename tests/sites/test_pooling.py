"""The pooling site against the model itself, which has a closed form for everything."""

import torch
from torch.testing import assert_close

from eraserhead.data.batching import pad
from eraserhead.method.names import Outcome
from eraserhead.models.pooling import attend
from eraserhead.sites.pooling import PoolingSite, component_logits, pooled_reading
from readings import analysed, evaluated, numbers
from tiny import random_texts, tiny_classifier, tiny_tokenizer

TEXTS = [*random_texts(6, seed=3), "", "good"]


def read(tmp_path, texts=TEXTS, labels=("a", "b", "c")):
    model = tiny_classifier(tmp_path, labels).double()
    site = PoolingSite(model)
    ids = tiny_tokenizer()(texts)["input_ids"]
    return site, pad(ids, 0), site.read(pad(ids, 0))


def test_weights_and_logits_are_the_models(tmp_path):
    site, batch, reading = read(tmp_path)
    output = site.model(**batch)
    assert_close(reading.weights, output.pooling_weights.gather(1, reading.positions) * reading.mask)
    assert_close(reading.unerased.logits, output.logits, rtol=0, atol=1e-12)
    assert reading.lengths.tolist() == [len(text.split()) for text in TEXTS]
    assert torch.equal(reading.model_decision, output.logits.argmax(-1))


def test_replay_equals_the_model_with_keep_masks(tmp_path):
    """Erased weights in our closed form, -inf on the scores in the model: two ways to the same logits."""
    site, batch, reading = read(tmp_path)
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand((len(TEXTS), 5, reading.mask.shape[1]), generator=generator) < 0.5
    replayed = evaluated(reading, keep)
    for erasure in range(5):
        tokens = torch.zeros_like(batch["input_ids"], dtype=torch.bool)
        tokens.scatter_(1, reading.positions, keep[:, erasure] & reading.mask)
        with torch.no_grad():
            assert_close(replayed[:, erasure], site.model(**batch, keep=tokens).logits, rtol=0, atol=1e-12)


def test_the_head_sees_the_pooled_vector_that_is_left(tmp_path):
    """Its classifier makes the replayed logits of it; where nothing is left it is 0, and the logits the bias."""
    site, _, reading = read(tmp_path)
    rows = torch.arange(len(TEXTS))
    keep = torch.rand((len(TEXTS), 5, reading.mask.shape[1]), generator=torch.Generator().manual_seed(1)) < 0.5
    keep[:, 0] = False
    seen = reading.seen(rows, keep)
    assert seen is not None
    assert_close(site.model.head.classifier(seen), evaluated(reading, keep), rtol=0, atol=1e-12)
    assert not seen[:, 0].any()
    assert seen[:-2, 1:].any(-1).all()
    assert reading.vectors is not None
    first = reading.weights[0] * keep[0, 1]
    assert_close(seen[0, 1], first / first.sum() @ reading.vectors[0], rtol=0, atol=1e-12)


def test_gradient_equals_central_differences_through_the_head(tmp_path):
    _, _, reading = read(tmp_path)
    step, gradient = 1e-6, numbers(reading)["gradient"]
    decision = reading.unerased.decision.unsqueeze(1)

    def probability(weights):
        logits = torch.einsum("bn,bnk->bk", weights, reading.component_logits) + reading.bias
        return logits.softmax(-1).gather(1, decision).squeeze(1)

    for component in range(reading.mask.shape[1]):
        shift = step * torch.nn.functional.one_hot(torch.tensor(component), reading.mask.shape[1])
        slope = (probability(reading.weights + shift) - probability(reading.weights - shift)) / (2 * step)
        assert_close(gradient[:, component], slope * reading.mask[:, component], rtol=1e-5, atol=1e-8)


def test_a_document_is_read_the_same_alone_and_beside_a_longer_one(tmp_path):
    site, _, together = read(tmp_path)
    for row, text in enumerate(TEXTS):
        alone = site.read(pad(tiny_tokenizer()([text])["input_ids"], 0))
        n = int(together.lengths[row])
        for name, values in numbers(alone).items():
            assert_close(values[0, :n], numbers(together)[name][row, :n], rtol=0, atol=1e-10)
        assert_close(alone.unerased.logits[0], together.unerased.logits[row], rtol=0, atol=1e-10)


def test_whatever_stands_at_padding_takes_no_part():
    """NaN behind the first document, whose logits are (1 + 2) / 2 and 0, as they are alone."""
    nan = float("nan")
    logits = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [nan, nan]], [[1.0, 1.0]] * 3], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True] * 3])
    bias = torch.zeros(2, dtype=torch.float64)
    positions = torch.arange(3).expand(2, 3)
    reading = pooled_reading(torch.zeros(2, 3), logits, bias, mask, positions, torch.zeros(2).long())
    assert reading.unerased.logits.tolist() == [[1.5, 0.0], [1.0, 1.0]]
    assert all(values.isfinite().all() for values in reading.signals.values())
    pooled, _ = attend(logits, torch.zeros(2, 3, dtype=torch.float64), mask)
    assert_close(pooled, reading.unerased.logits)


def test_component_logits_are_projected_in_float64():
    vectors = torch.randn(3, 700, 5)
    weight = torch.randn(2, 5)
    for at_once in (11, 5000):
        found = component_logits(vectors, weight, at_once)
        assert_close(found, vectors.double() @ weight.double().T, rtol=0, atol=1e-14)


def test_results_do_not_depend_on_the_order_of_documents(tmp_path):
    site, _, reading = read(tmp_path)
    ids = [f"test/{i}" for i in range(len(TEXTS))]
    forward = analysed(reading, ids, draws=3)
    reversed_ = site.read(pad(tiny_tokenizer()(TEXTS[::-1])["input_ids"], 0))
    backward = analysed(reversed_, ids[::-1], draws=3)
    for one, other in zip(forward.flips, backward.flips, strict=True):
        assert torch.equal(one.flips.outcome, other.flips.outcome.flip(0))
        assert torch.equal(one.flips.removed, other.flips.removed.flip(0))
    assert any((flips.flips.outcome == Outcome.FLIP).any() for flips in forward.flips)
