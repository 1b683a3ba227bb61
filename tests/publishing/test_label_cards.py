"""What the card of a model says that decides label by label."""

import json

import pytest

from eraserhead.cli.main import main
from labels import LABELS, TEXTS, multi_label

pytestmark = pytest.mark.slow


def test_the_card_speaks_of_labels(tmp_path, capsys):
    """Accuracy by label, F1 beside it, and no word of classes that are told apart."""
    folder, data = multi_label(tmp_path), tmp_path / "texts.jsonl"
    rows = [{"text": text, "label": [LABELS[row % 4]]} for row, text in enumerate(TEXTS)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["erase", folder, "--data.path", str(data), "--draws", "2", "--cpu"]) == 0
    capsys.readouterr()
    assert main(["push", folder, "user/model", "--dry_run"]) == 0
    card = " ".join(capsys.readouterr().out.split())
    assert f"It decides on 4 labels, each by itself: {', '.join(LABELS)}" in card
    assert "each label that is on, else the largest (on above a probability of 0.5)" in card
    assert "of the states of all labels; F1 micro" in card
    assert "| label | accuracy of its state |" in card
    assert "Each document's labels weigh together as one document." in card
    assert "Micro F1" in card
