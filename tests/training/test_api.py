"""`eraserhead.train` and `eraserhead.push`: from data to a folder, and from the folder to what is published."""

from pathlib import Path

import pytest
import yaml

import eraserhead
from eraserhead.training.config import TrainConfig
from tiny import labelled_file, tiny_encoder


def trained(tmp_path, **changes) -> Path:
    data = eraserhead.DataConfig(path=labelled_file(tmp_path / "texts.jsonl", 40), validation_size=10)
    model = {"encoder": tiny_encoder(tmp_path / "encoder"), "attention_size": 5}
    options = {"model": model, "training": {"epochs": 1}, "output_dir": tmp_path / "run", "cpu": True}
    return eraserhead.train(data, **{**options, **changes})


def test_the_folder_is_that_of_the_keywords_and_serves_erase_and_push(tmp_path):
    folder = trained(tmp_path)
    assert folder == tmp_path / "run"
    stored = yaml.safe_load((folder / "run.yaml").read_text())
    assert (stored["model"]["attention_size"], stored["training"]["epochs"]) == (5, 1)
    model = eraserhead.AttentionPoolingForSequenceClassification.from_pretrained(folder)
    assert model.config.architecture.attention_size == 5
    assert len(eraserhead.erase(folder, ["good film", "bad"], draws=2, cpu=True).documents) == 2
    pushed = eraserhead.push(folder, "someone/model", language="en", dry_run=True)
    assert (pushed.commit, pushed.new, pushed.address) == (None, False, str(folder / "hub"))
    assert "language:\n- en\n" in (folder / "hub" / "README.md").read_text()


def test_a_whole_configuration_is_taken_and_keywords_replace_its_parts(tmp_path):
    data = eraserhead.DataConfig(path=labelled_file(tmp_path / "texts.jsonl", 40), validation_size=10)
    config = TrainConfig(data=data, output_dir="never", cpu=True)
    folder = eraserhead.train(
        config,
        model={"encoder": tiny_encoder(tmp_path / "encoder")},
        training={"epochs": 1, "seed": 7},
        output_dir=tmp_path / "run",
    )
    stored = yaml.safe_load((folder / "run.yaml").read_text())
    assert stored["training"]["seed"] == 7
    assert not Path("never").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"epoch": 3}}, "training: no setting 'epoch'; did you mean 'epochs'"),
        ({"model": {"contxt": "rnn", "encodr": "x"}}, "'contxt'; did you mean 'context'.*'encodr'; did you mean 'enco"),
        ({"model": "bert"}, "model is a str; give a ModelConfig or a dict of its fields"),
        ({"training": {"epochs": 0}}, "training.epochs=0"),
    ],
)
def test_settings_that_are_none_are_user_errors(tmp_path, changes, message):
    with pytest.raises(eraserhead.UserError, match=message):
        trained(tmp_path, **changes)


def test_data_of_another_type_and_a_push_are_refused():
    with pytest.raises(eraserhead.UserError, match="data is a list; give a DataConfig"):
        eraserhead.train(["good"])  # pyright: ignore[reportArgumentType]
    with pytest.raises(eraserhead.UserError, match=r"train first, then push\(folder, 'a/b'\)"):
        eraserhead.train(TrainConfig(push_to_hub="a/b"))
    for options in ({"push_every": "best"}, {"push_private": True}):
        with pytest.raises(eraserhead.UserError, match="push_every, push_private: nothing is pushed without push_to"):
            eraserhead.train(TrainConfig(**options))
    with pytest.raises(eraserhead.UserError, match="model is a int; give the folder"):
        eraserhead.push(7, "a/b")  # pyright: ignore[reportArgumentType]
    with pytest.raises(eraserhead.UserError, match="language=5: must be a list of texts"):
        eraserhead.push("run", "a/b", language=5)  # pyright: ignore[reportArgumentType]
