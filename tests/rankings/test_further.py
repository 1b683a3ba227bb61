"""Rankings beyond Serrano & Smith's that come from a reading alone, against numpy and captum."""

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation
from torch.testing import assert_close

from eraserhead.data.batching import pad
from eraserhead.method.affine import AffineReading
from eraserhead.method.cases import Targets
from eraserhead.method.margins import margin
from eraserhead.method.signals import Signals
from eraserhead.rankings.basic import FURTHER
from eraserhead.sites.pooling import PoolingSite
from heads import random_head
from readings import Toy, affine, evaluated, replayed
from tiny import tiny_classifier, tiny_tokenizer

LEAVE_ONE_OUT, VALUE_NORM = FURTHER


def test_leave_one_out_by_hand():
    """Weights (.5, .5), logits (2, 0) and (0, 1): (1, .5) together, alone (2, 0) and (0, 1).

    The margins are .5, and without the first component -1, without the second 2.
    """
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    weights, mask = torch.tensor([[0.5, 0.5]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.bool)
    reading = AffineReading.of(weights, logits, torch.zeros(2).double(), mask)
    assert_close(LEAVE_ONE_OUT.score(reading), torch.tensor([[1.5, -1.5]], dtype=torch.float64))
    assert LEAVE_ONE_OUT.order(reading).tolist() == [[0, 1]]


@pytest.mark.parametrize("make", [affine, lambda head: replayed(affine(head), 40)], ids=["affine", "replayed"])
def test_leave_one_out_is_captums_ablation_of_keep_masks(make):
    """captum takes keep masks for inputs, and 0, erased, for their baseline; its differences are the scores."""
    reading = make(random_head(7, [11, 5, 2]))
    decision = reading.unerased.decision

    def margins(keep):
        return margin(evaluated(reading, keep.bool().unsqueeze(1)), decision).squeeze(1)

    everything = torch.ones(reading.mask.shape, dtype=torch.float64)
    expected = FeatureAblation(margins).attribute(everything, baselines=0.0)
    assert_close(LEAVE_ONE_OUT.score(reading), expected * reading.mask, rtol=1e-10, atol=1e-12)


def test_leave_one_out_is_the_difference_of_slow_margins():
    """Three classes: the margin against the log of the summed exponentials of all the others."""
    toy = Toy.draw(3, (7, 4), lean=0.5)
    scores = LEAVE_ONE_OUT.score(toy.reading())
    for row in range(2):
        decided = int(toy.erase(row, ())[0].argmax())

        def of(erased, row=row, decided=decided):
            logits = toy.erase(row, erased)[0].numpy()
            return logits[decided] - np.log(np.exp(np.delete(logits, decided)).sum())

        expected = [of(()) - of((i,)) for i in range(int(toy.mask[row].sum()))]
        np.testing.assert_allclose(scores[row, : len(expected)], expected, rtol=1e-10)


def test_single_erasures_are_evaluated_once():
    toy = Toy.draw(5, (7, 4), lean=0.5)
    reading = toy.reading()
    LEAVE_ONE_OUT.order(reading)
    count = sum(toy.evaluated)
    assert count == 2 * 7
    reading.singles()
    assert sum(toy.evaluated) == count


@pytest.mark.parametrize("targets", [None, Targets(cut=0.1, labels=(0, 1))], ids=["one decision", "labels"])
def test_value_norm_at_a_pooling_layer_is_the_length_of_each_weighted_vector(targets, tmp_path):
    model, texts = tiny_classifier(tmp_path).double(), ["a fine cast", "never good but bad", ""]
    batch = pad(tiny_tokenizer()(texts)["input_ids"], 0)
    reading = PoolingSite(model, targets=targets).read(batch, VALUE_NORM.needs)
    vectors = model.token_vectors(**batch).detach().numpy()
    documents = range(3) if reading.cases is None else reading.cases.documents.tolist()
    scores = VALUE_NORM.score(reading)
    assert len(scores) == (3 if targets is None else 6)
    for row, document in enumerate(documents):
        n = len(texts[document].split())
        lengths = np.sqrt((vectors[document, 1 : n + 1] ** 2).sum(-1))  # behind [CLS]
        np.testing.assert_allclose(scores[row, :n], reading.weights[row, :n].numpy() * lengths, rtol=1e-12)
        assert (scores[row, n:] == 0).all()


def test_signals_are_computed_when_they_are_first_asked_for():
    made = []

    def late():
        made.append(1)
        return torch.ones(1, 2)

    signals = Signals({"now": torch.zeros(1, 2)}, {"late": late})
    assert list(signals) == ["now", "late"]
    assert len(signals) == 2
    assert "late" in {*signals}
    assert made == []
    assert signals["late"] is signals["late"]
    assert made == [1]
    with pytest.raises(KeyError):
        signals["never"]
