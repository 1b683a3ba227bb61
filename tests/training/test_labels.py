"""Training models that decide label by label."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoModelForSequenceClassification, pipeline

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.batches import Objective
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.metrics import score_labels
from eraserhead.training.training import train
from tiny import random_texts, tiny_encoder, tiny_tokenizer

pytestmark = pytest.mark.slow

WORDS = ("good", "bad", "dull")  # a document's labels are the words in it


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))


def config(folder: Path, columns: bool = False, **changes) -> TrainConfig:
    texts, path = random_texts(300, seed=3, longest=7), folder / "train.jsonl"
    rows = []
    for text in texts:
        own = [word for word in WORDS if word in text.split()]
        rows.append({"text": text, **({word: int(word in own) for word in WORDS} if columns else {"label": own})})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = DataConfig(path=str(path), max_length=32, validation_size=60, label_columns=list(WORDS) if columns else None)
    settings = {"epochs": 12, "batch_size": 16, "learning_rate": 2e-2, "encoder_learning_rate": 1e-2, **changes}
    encoder = tiny_encoder(folder / "encoder", layers=1)
    return TrainConfig(
        output_dir=str(folder / "run"),
        data=data,
        model=ModelConfig(encoder=encoder, dropout=0.0, problem_type="multi_label_classification"),
        training=TrainingConfig(**settings),
        cpu=True,
    )


@pytest.mark.parametrize(("columns", "frozen"), [(False, True), (True, False)], ids=["lists", "columns, finetuned"])
def test_a_trained_model_knows_its_labels_and_is_erased(tmp_path, columns, frozen):
    """It learns which words are there; its folder, pipeline and erasure speak of labels."""
    folder = train(config(tmp_path, columns, freeze_encoder=frozen)).path
    written = json.loads((folder / "config.json").read_text())
    names = tuple(written["id2label"].values())
    assert names == (WORDS if columns else ("bad", "dull", "good"))
    assert written["problem_type"] == "multi_label_classification"
    metrics = RunFolder(folder).metrics()
    assert metrics is not None
    assert set(metrics.validation) == {"accuracy", "macro_f1", "micro_f1"}
    assert metrics.epochs[-1].loss < metrics.epochs[0].loss
    assert max(epoch.scores["micro_f1"] for epoch in metrics.epochs) == metrics.validation["micro_f1"]
    assert metrics.validation["micro_f1"] > 0.7
    assert "metric: micro_f1" in (folder / "run.yaml").read_text()
    classify = pipeline("text-classification", model=str(folder), top_k=None)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(**tiny_tokenizer()("a good film", return_tensors="pt")).logits[0]
    scores = {each["label"]: each["score"] for each in classify(["a good film"])[0]}
    assert scores == pytest.approx(dict(zip(names, logits.sigmoid().tolist(), strict=True)), abs=1e-6)
    found = eraserhead.erase(folder, replace(config(tmp_path, columns).data, test_split="train"), draws=1, cpu=True)
    assert found.summary.labels is not None
    assert found.summary.accuracy.value > 0.8
    assert found.summary.accuracy_unseen is not None
    assert found.summary.accuracy_unseen.value is None  # training saw them all
    assert tuple(found.summary.labels.accuracy) == names


def test_the_model_computes_the_loss_that_it_was_trained_with(tmp_path):
    """The mean over documents and labels of the binary cross-entropy, as transformers has it."""
    encoder = tiny_encoder(tmp_path)
    model = AttentionPoolingForSequenceClassification.from_encoder(
        encoder, WORDS, problem_type="multi_label_classification"
    ).eval()
    inputs = dict(tiny_tokenizer()(random_texts(5), return_tensors="pt", padding=True))
    inputs.pop("token_type_ids", None)
    labels = torch.tensor([[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1]])
    output = model(**inputs, labels=labels.float())
    expected = binary_cross_entropy_with_logits(output.logits, labels.float())
    torch.testing.assert_close(output.loss, expected)
    summed, logits = Objective(model, frozen=False)(inputs, labels)
    torch.testing.assert_close(summed / 5, expected)
    torch.testing.assert_close(logits, output.logits)
    with pytest.raises(ValueError, match=r"labels are \(5,\), and must be \(5, 3\)"):
        model(**inputs, labels=labels[:, 0])
    with pytest.raises(ValueError, match="problem_type 'regression' makes no decision"):
        AttentionPoolingForSequenceClassification.from_encoder(encoder, WORDS, problem_type="regression")
    with pytest.raises(ValueError, match="two classes or more"):
        AttentionPoolingForSequenceClassification.from_encoder(encoder, ("one",))


def test_metrics_of_labels_by_hand():
    """States 5 of 6 right; hits 2, one miss: micro 4/5. Label a: 1; label b: hits 1, one miss: 2/3; c: neither, 0."""
    found = score_labels([[1, 0, 0], [0, 1, 0]], [[1, 1, 0], [0, 1, 0]])
    assert found == pytest.approx({"accuracy": 5 / 6, "macro_f1": (1 + 2 / 3 + 0) / 3, "micro_f1": 0.8})
    generator = np.random.default_rng(0)
    predictions, references = generator.integers(0, 2, (2, 40, 7))
    found = score_labels(predictions.tolist(), references.tolist())
    assert found["macro_f1"] == pytest.approx(f1_score(references, predictions, average="macro"))


def test_one_class_a_document_has_no_micro_f1(tmp_path):
    run = config(tmp_path)
    one = replace(run, model=replace(run.model, problem_type="single_label_classification"))
    with pytest.raises(UserError, match=r"label.*list"):
        train(one)
    with pytest.raises(UserError, match=r"metric.*belongs to multi-label models"):
        train(replace(one, training=replace(one.training, metric="micro_f1")))
    with pytest.raises(UserError, match=r"metric.*needs three or more ordered classes"):
        train(replace(run, data=replace(run.data, ordered=True), training=TrainingConfig(metric="mean_absolute_error")))


def test_the_command_line_trains_on_columns(tmp_path, capsys):
    run = config(tmp_path, columns=True)
    arguments = ["train", "--data.path", str(run.data.path), "--data.label_columns", ",".join(WORDS), "--cpu"]
    arguments += ["--model.problem_type", "multi_label_classification", "--model.encoder", run.model.encoder]
    arguments += ["--training.epochs", "1", "--output_dir", str(tmp_path / "cli")]
    assert main(arguments) == 0
    assert "micro f1" in capsys.readouterr().out
    assert main(["erase", str(tmp_path / "cli"), "--data.test_split", "train", "--draws", "1", "--cpu"]) == 0


def test_a_pushed_models_own_code_computes_the_same(tmp_path):
    """In a process without this package: the loss, and sigmoids from the pipeline."""
    folder = train(config(tmp_path)).path
    script = (
        "import sys, torch\n"
        "from transformers import AutoModelForSequenceClassification\n"
        "model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], trust_remote_code=True).eval()\n"
        "out = model(torch.tensor([[2, 5, 6, 3]]), labels=torch.tensor([[1.0, 0.0, 1.0]]))\n"
        "print(float(out.loss))\n"
    )
    saved = tmp_path / "remote"
    model = AttentionPoolingForSequenceClassification.from_pretrained(folder).eval()
    AttentionPoolingForSequenceClassification.register_for_auto_class("AutoModelForSequenceClassification")
    try:
        model.config.__class__.register_for_auto_class()
        model.save_pretrained(saved)
    finally:
        AttentionPoolingForSequenceClassification._auto_class = None
        model.config.__class__._auto_class = None
    environment = {"PATH": "/usr/bin", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, str(saved)], env=environment, capture_output=True, text=True, check=True
    )
    labels = torch.tensor([[1.0, 0.0, 1.0]])
    with torch.no_grad():
        expected = model(torch.tensor([[2, 5, 6, 3]]), labels=labels).loss
    assert float(done.stdout.strip().splitlines()[-1]) == pytest.approx(float(expected), abs=1e-6)
