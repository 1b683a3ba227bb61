"""The main job with a real encoder: always on the built-in corpus, and on real rows where there are any."""

from pathlib import Path

import numpy as np
import pytest

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.planted import planted_reviews
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from tiny import labelled_file

pytestmark = pytest.mark.slow

CLASSES = {"yelp": 5, "imdb": 2, "amazon": 5, "yahoo": 10}
FOLDERS = {
    "yelp": "yelp_review_full",
    "imdb": "imdb",
    "amazon": "amazon_review_full",
    "yahoo": "yahoo_answers_topics",
}


def train_and_erase(tmp_path: Path, monkeypatch, encoder: str, data: DataConfig, layers: int, epochs: int):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    run = TrainConfig(
        output_dir=str(tmp_path / "run"),
        data=data,
        model=ModelConfig(encoder=encoder, encoder_layers=layers, dropout=0.2),
        training=TrainingConfig(epochs=epochs, patience=epochs, learning_rate=5e-3),
        cpu=True,
    )
    folder = train(run)
    return folder, erase_to_folder(EraseConfig(str(folder.path), str(tmp_path / "results"), data=data, cpu=True))


def check_tables(results) -> None:
    documents, flips = results.table("documents").to_pandas(), results.table("flips").to_pandas()
    for row in documents.itertuples():
        for start, end, component in zip(row.starts, row.ends, row.components, strict=True):
            covered = row.text[start:end].lower()
            assert covered
            if component.isascii() and covered.isascii() and component != "[UNK]":
                assert component.removeprefix("##") == covered
    removed = flips.assign(removed=flips.removed.fillna(np.inf)).pivot_table(
        index="id", columns="ranking", values="removed", aggfunc="min"
    )
    found = flips[(flips.ranking == "minimum") & (flips.outcome == "flip")].id
    for name in ("attention", "gradient", "product", "random"):
        assert (removed.loc[found, name] >= removed.loc[found, "minimum"]).all()
    assert len(found) > 0.3 * len(documents)


def test_planted(tmp_path, monkeypatch, encoder_folder):
    """Better than chance, and the rankings that know the decision find it sooner than chance does."""
    data = DataConfig(name="planted", train_size=300, validation_size=60, test_size=80, max_length=64)
    folder, results = train_and_erase(tmp_path, monkeypatch, encoder_folder, data, layers=3, epochs=8)
    assert folder.metrics().test["accuracy"] > 0.6
    check_tables(results)
    summary = results.summary()
    pairs = {(pair.first, pair.second): pair for pair in summary.pairs}
    assert pairs["product", "random"].fewer.low > pairs["product", "random"].more.high
    aucs = {name: found.auc for name, found in summary.people.rankings.items()}
    assert aucs["random"].low < 0.5 < aucs["random"].high
    assert aucs["random"].count > 50
    check_given_scores(folder.path, data, results)


def check_given_scores(model: Path, data: DataConfig, results) -> None:
    """A table of the true evidence finds what decides sooner than chance does, and a table of noise no sooner.

    A clause counts for the label by its grade, and against it where the label is the other class.
    """
    documents = load_documents(data, "test").rows
    spans = {review.id: review.evidence for review in planted_reviews("test")}
    evidence, noise, generator = {}, {}, np.random.default_rng(0)
    for row in documents:
        sign = 1 if row["label"] else -1
        evidence[row["id"]] = [(span.start, span.end, sign * span.grade) for span in spans[row["id"]]]
        noise[row["id"]] = [(place, place + 1, generator.normal()) for place in range(len(row["text"]))]
    given = [{"evidence": evidence, "noise": noise}]
    found = eraserhead.erase(str(model), data, rankings=given, cpu=True).summary
    sooner, chance = found.pair("evidence", "random"), found.pair("noise", "random")
    assert sooner.fewer.low > sooner.more.high
    assert max(chance.fewer.low, chance.more.low) < min(chance.fewer.high, chance.more.high)
    auc = {name: ranking.auc for name, ranking in found.people.rankings.items()}
    assert auc["evidence"].low > max(0.85, auc["attention"].high)
    assert auc["noise"].low < 0.5 < auc["noise"].high


@pytest.mark.parametrize("name", CLASSES)
def test_real_rows(tmp_path, monkeypatch, encoder_folder, data_root, name):
    data = DataConfig(
        name=name, path=str(data_root / FOLDERS[name]), train_size=60, validation_size=20, test_size=20, max_length=48
    )
    folder, results = train_and_erase(tmp_path, monkeypatch, encoder_folder, data, layers=1, epochs=2)
    check_tables(results)
    summary = results.summary()
    assert len(summary.setup.model.classes) == CLASSES[name]
    assert summary.accuracy.count == 20
    assert summary.truncation.truncated_documents > 0
    texts = results.table("documents", ["text"]).column("text").to_pylist()
    assert not any(mark in text for text in texts for mark in ("<br />", "\\n", '\\"'))
    assert folder.metrics().test is not None


def test_one_file_has_no_test_documents_to_report(tmp_path, monkeypatch, encoder_folder):
    """Training took its rows: reporting them as a test would be reporting the training error."""
    data = DataConfig(path=labelled_file(tmp_path / "rows.jsonl", 60), max_length=32)
    folder, results = train_and_erase(tmp_path, monkeypatch, encoder_folder, data, layers=1, epochs=1)
    assert folder.metrics().test is None
    assert results.summary().documents.total == 60
