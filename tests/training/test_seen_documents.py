"""What training saw of the documents analysed reaches results, metrics and card, whatever file the documents are in."""

import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.loading.training_data import read_training_data
from eraserhead.publishing.model_folder import find_results, read_source
from eraserhead.publishing.publication import Options, write_publication
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from tiny import labelled_file, tiny_encoder

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))


def trained(tmp_path: Path, data: DataConfig):
    tiny_encoder(tmp_path / "encoder")
    return train(
        TrainConfig(
            output_dir=str(tmp_path / "run"),
            data=data,
            model=ModelConfig(encoder=str(tmp_path / "encoder"), dropout=0.0),
            training=TrainingConfig(epochs=1, learning_rate=2e-2),
            cpu=True,
        )
    )


def erased(folder, data: DataConfig, to: str):
    return erase_to_folder(EraseConfig(str(folder.path), to, data=data, draws=2, cpu=True))


def published(folder, results, to: Path) -> tuple[ModelCard, str]:
    write_publication(read_source(folder.path, find_results(folder.path, [str(results.path)])), to, Options("user/x"))
    text = (to / "README.md").read_text()
    return ModelCard(text), " ".join(text.split())


def rows_of(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_model_erased_on_its_own_training_data_publishes_no_accuracy(tmp_path):
    """One file of 41 rows is trained on (34), held out (7) and, having no other split, erased: nothing is unseen."""
    data = DataConfig(path=labelled_file(tmp_path / "own.jsonl", 41), validation_size=7)
    folder = trained(tmp_path, data)
    results = erased(folder, data, str(tmp_path / "results"))
    summary, table = results.summary(), results.analysed("documents").to_pandas()
    roles = results.table("documents").to_pandas().training_role.tolist()
    assert (roles.count("validation"), roles.count("none")) == (7, 0)
    assert summary.documents.trained_on == int((table.training_role == "train").sum()) > 25
    assert summary.documents.unseen == 0
    assert summary.accuracy.value is not None
    assert (summary.accuracy_unseen.value, summary.accuracy_unseen.count) == (None, 0)
    card, text = published(folder, results, tmp_path / "hub")
    assert "accuracy" not in [result.metric_type for result in card.data.eval_results]
    counted = f"The model was trained on {summary.documents.trained_on} of the {summary.documents.analysed} documents"
    assert counted in text
    assert "(accuracy" not in text
    assert "eraserhead erase user/x --data.path DATA.jsonl --output_dir erasure" in text
    assert not (tmp_path / "hub" / "seen_texts.parquet").exists()


def test_copies_of_training_texts_are_known_in_another_file_and_left_out_of_the_accuracy(tmp_path):
    """Eleven rows in another file: three copies, one with other white space; the accuracy is the others'."""
    rows = rows_of(Path(labelled_file(tmp_path / "all.jsonl", 61)))
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / "train.jsonl", rows[:40])
    write_rows(tmp_path / "data" / "validation.jsonl", rows[40:50])
    texts = {row["text"] for row in rows[:50]}
    new = [row for row in rows[50:] if row["text"] not in texts][:8]
    spaced = rows[2] | {"text": rows[2]["text"].replace(" ", "\n  ")}
    write_rows(tmp_path / "data" / "test.jsonl", [rows[0], *new[:4], rows[1], *new[4:], spaced])
    folder = trained(tmp_path, DataConfig(path=str(tmp_path / "data"), validation_split="validation"))
    other = tmp_path / "other.jsonl"
    other.write_text((tmp_path / "data" / "test.jsonl").read_text())
    results = erased(folder, DataConfig(path=str(other)), str(tmp_path / "results"))
    documents = results.table("documents").to_pandas()
    assert [row for row, role in enumerate(documents.training_role) if role == "train"] == [0, 5, len(documents) - 1]
    left = documents[(documents.training_role == "none") & (documents.n >= 2)]
    summary = results.summary()
    assert summary.accuracy_unseen.count == len(left)
    assert summary.accuracy_unseen.value == pytest.approx((left.label == left.prediction).mean())
    assert read_training_data(folder.path).trained_on["test"] == 3
    every = documents[documents.training_role == "none"]
    unseen = folder.metrics().test_unseen["accuracy"]
    assert unseen == pytest.approx((every.label == every.model_prediction).mean())
    assert folder.metrics().test["accuracy"] == pytest.approx((documents.label == documents.model_prediction).mean())
    card, text = published(folder, results, tmp_path / "hub")
    accuracy = next(result for result in card.data.eval_results if result.metric_type == "accuracy")
    assert accuracy.metric_value == round(unseen, 3)
    assert accuracy.metric_name == "Accuracy, over the documents that training did not see"
    assert f"3 of the {len(documents)} test documents were trained on." in text
