"""Weights of classes and smoothed targets, worked out by hand and against scikit-learn and torch."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.testing import assert_close

from eraserhead.errors import UserError
from eraserhead.training.batches import Objective
from eraserhead.training.class_weights import class_weights, described

NAMES = ("neg", "a=b", "pos")


def test_balanced_weights_are_those_of_scikit_learn():
    labels = torch.tensor([0] * 13 + [1] * 2 + [2] * 5 + [-1] * 7)
    known = labels[labels >= 0].numpy()
    expected = compute_class_weight("balanced", classes=np.arange(3), y=known)
    assert_close(class_weights(["balanced"], NAMES, labels), torch.tensor(expected))
    assert class_weights(["balanced"], NAMES, labels)[known].mean() == pytest.approx(1.0)


def test_a_class_without_documents_leaves_the_others_balanced():
    """Of 3 and 1 documents of two classes, weights 4 / (2 x 3) and 4 / (2 x 1)."""
    found = class_weights(["balanced"], NAMES, torch.tensor([0, 0, 0, 2]))
    assert_close(found[[0, 2]], torch.tensor([2 / 3, 2.0], dtype=torch.float64))


def test_balanced_labels_weigh_those_that_are_on():
    """Label 0 on in 1 of 4 documents: 3; label 1 in 2: 1; label 2 in none: 1."""
    labels = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [-1, -1, -1]])
    assert class_weights(["balanced"], NAMES, labels).tolist() == [3.0, 1.0, 1.0]


def test_pairs_name_classes_and_the_others_count_one():
    labels = torch.tensor([0, 1, 2])
    assert class_weights(None, NAMES, labels) is None
    found = class_weights(["a=b=2.5", "pos=0.5"], NAMES, labels)
    assert found.tolist() == [1.0, 2.5, 0.5]
    assert described(found, NAMES) == "class weights: neg 1, a=b 2.5, pos 0.5"
    many = torch.tensor([1.0, 3.0, 0.25, 1, 1, 1, 1])
    assert described(many, list("abcdefg")) == "class weights: from 0.25 (c) to 3 (b)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["neutral=2"], "there is no class 'neutral'"),
        (["ned=2"], "did you mean 'neg'"),
        (["neg"], "must be balanced, or CLASS=WEIGHT"),
        (["neg=0"], "a weight above 0"),
        (["neg=nan"], "a weight above 0"),
        (["neg=inf"], "a weight above 0"),
        (["neg=-1"], "a weight above 0"),
        (["neg=two"], "a weight above 0"),
        (["balanced", "neg=2"], "must be balanced, or"),
        (["neg=1", "neg=2"], "has a weight already"),
    ],
)
def test_pairs_that_say_nothing_are_refused(given, said):
    with pytest.raises(UserError, match=said):
        class_weights(given, NAMES, torch.tensor([0, 1, 2]))


class Fixed(torch.nn.Module):
    """A model whose logits are its inputs."""

    def forward(self, logits):
        return type("Output", (), {"logits": logits})


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_that_of_the_weighted_and_smoothed_target(smoothing):
    """Target probabilities 1 - s + s/3 of the class and s/3 of the others; all terms times the weight of the class."""
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels, weights = torch.tensor([0, 2, 1, 2, 0]), torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    objective = Objective(Fixed(), False, weights, smoothing)
    found, _ = objective({"logits": logits}, labels)
    target = torch.full((5, 3), smoothing / 3, dtype=torch.float64)
    target[torch.arange(5), labels] += 1 - smoothing
    expected = -(target * weights[labels, None] * logits.log_softmax(-1)).sum()
    assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    assert not objective.state_dict()  # weights come from the options, not from a checkpoint


def test_the_loss_of_labels_weighs_those_that_should_be_on_and_is_their_mean():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    states, weights = torch.randint(0, 2, (5, 3)), torch.tensor([0.5, 2.0, 3.0])
    found, _ = Objective(Fixed(), False, weights, 0.2)({"logits": logits}, states)
    smoothed = states * 0.8 + 0.1
    losses = binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
    assert_close(found, (losses * (states * weights + 1 - states)).sum() / 3)


def test_a_document_of_a_common_class_is_trained_towards_it():
    """99 to 1, balanced, smoothed by .1: its loss is least where its own class has .95, as without weights."""
    weights = class_weights(["balanced"], ("common", "rare"), torch.tensor([0] * 99 + [1]))
    share = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    objective = Objective(Fixed(), False, weights, 0.1)
    losses = [float(objective({"logits": torch.stack([p, 1 - p]).log()[None]}, torch.tensor([0]))[0]) for p in share]
    assert share[losses.index(min(losses))] == pytest.approx(0.95)


def test_a_label_that_is_always_on_still_counts():
    assert class_weights(["balanced"], ("x", "y"), torch.tensor([[1, 0], [1, 1]])).tolist() == [1.0, 1.0]
