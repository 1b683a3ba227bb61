"""What a run says: lines of epochs, classes, and that nothing was learnt."""

import io

import pytest
import torch
from rich.console import Console

from eraserhead.training.loop import Progress
from eraserhead.training.metrics import class_scores, score, score_labels
from eraserhead.training.records import ClassScores, Epoch, Metrics
from eraserhead.training.told import LargestClass, epoch_line
from eraserhead.training.view import metrics_view


def line(seconds, done=2, epochs=5, best=2):
    history = [Epoch(number, 0.5, {"accuracy": 0.75}, seconds) for number in range(1, done + 1)]
    progress = Progress(epoch=done, best=0.75, best_epoch=best, history=history)
    return epoch_line(history[-1], progress, documents=700, epochs=epochs)


@pytest.mark.parametrize(
    ("seconds", "epochs", "said"),
    [
        (7.0, 5, "7.0 s, 100 documents/s, 21 s left at most, the best so far"),  # 3 epochs of 7 s
        (700.0, 5, "700.0 s, 1 documents/s, 35 min left at most, the best so far"),
        (7000.0, 5, "7000.0 s, 0 documents/s, 5.8 h left at most, the best so far"),
        (7.0, 2, "7.0 s, 100 documents/s, the best so far"),
        (0.07, 5, "0.1 s, 10,000 documents/s, the best so far"),
    ],
)
def test_an_epoch_says_how_fast_it_was_and_what_is_left(seconds, epochs, said):
    assert line(seconds, epochs=epochs) == f"epoch 2: loss 0.5000, accuracy 0.7500 ({said})"
    assert "best" not in line(seconds, best=1)


def test_scores_of_classes_by_hand():
    """Truth 0 0 1 1 2, answers 0 1 1 1 0: class 0 half of its two answers right, class 2 never answered."""
    found = class_scores([0, 1, 1, 1, 0], [0, 0, 1, 1, 2], ("a", "b", "c"))
    assert found["a"] == ClassScores(0.5, 0.5, 0.5, 2)
    assert found["b"] == ClassScores(pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2)
    assert found["c"] == ClassScores(0.0, 0.0, 0.0, 1)
    assert class_scores([], [], ("a", "b")) is None
    assert score([0, 1, 1, 1, 0], [0, 0, 1, 1, 2], False)["balanced_accuracy"] == pytest.approx(1.5 / 3)


def test_balanced_accuracy_is_over_the_classes_that_documents_have():
    assert score([0, 0, 2], [0, 0, 1], False)["balanced_accuracy"] == 0.5


def test_scores_of_labels_by_hand():
    found = class_scores([[1, 0], [1, 1]], [[1, 0], [0, 1]], ("x", "y"))
    assert found == {"x": ClassScores(0.5, 1.0, pytest.approx(2 / 3), 1), "y": ClassScores(1.0, 1.0, 1.0, 1)}


def test_a_single_label_is_scored_as_one_that_is_on():
    """On in 1 of 4, said of 2: precision 1/2, recall 1, of the one document."""
    found = class_scores([[1], [1], [0], [0]], [[1], [0], [0], [0]], ("toxic",))
    assert found == {"toxic": ClassScores(0.5, 1.0, pytest.approx(2 / 3), 1)}
    scores = score_labels([[1], [1], [0], [0]], [[1], [0], [0], [0]])
    assert scores == pytest.approx({"accuracy": 0.75, "macro_f1": 2 / 3, "micro_f1": 2 / 3})


def test_a_model_that_answers_one_class_has_learnt_nothing():
    """Three of four documents are 'no': .75 by always answering it, and .5 in balanced accuracy."""
    largest = LargestClass.of(torch.tensor([1, 1, 0, 1, -1]), ("yes", "no"))
    assert largest == LargestClass("no", 0.75, 2)
    assert largest.as_good_as({"accuracy": 0.75, "balanced_accuracy": 0.5})
    assert largest.as_good_as({"accuracy": 0.5, "balanced_accuracy": 0.4})
    assert not largest.as_good_as({"accuracy": 0.76, "balanced_accuracy": 0.5})
    assert not largest.as_good_as({"accuracy": 0.7, "balanced_accuracy": 0.8})  # it tells the rare class
    assert "always answering 'no' (validation accuracy 0.7500" in largest.warning({"accuracy": 0.75})
    assert LargestClass.of(torch.tensor([[1, 0]]), ("yes", "no")) is None
    assert LargestClass.of(torch.tensor([-1]), ("yes", "no")) is None
    assert LargestClass.of(torch.tensor([1, 1]), ("yes", "no")) is None  # there is nothing else to answer


def test_of_many_classes_the_worst_are_shown():
    classes = {f"class {number}": ClassScores(1.0, 1.0, number / 100, number) for number in range(30)}
    metrics = Metrics(1, [Epoch(1, 0.5, {"accuracy": 0.5}, 1.0)], None, "cpu", classes=classes)
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(metrics_view(metrics))
    text = " ".join(console.export_text().split())  # long titles take several lines
    assert "Each class over the validation documents, the 20 of 30 with the lowest F1" in text
    assert "class 19" in text
    assert "class 20" not in text
