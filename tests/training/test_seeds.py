"""One configuration with several seeds: a folder each, and the metrics over them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.errors import UserError
from eraserhead.method.seeds import over_seeds
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.seeds import train_seeds
from tiny import labelled_file, tiny_encoder


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    tiny_encoder(tmp_path / "encoder")
    labelled_file(tmp_path / "train.jsonl", 80)
    return TrainConfig(
        output_dir=str(tmp_path / "runs"),
        data=DataConfig(path=str(tmp_path / "train.jsonl"), max_length=32, validation_size=20),
        model=ModelConfig(encoder=str(tmp_path / "encoder")),
        training=TrainingConfig(epochs=2, learning_rate=2e-2),
        seeds=[3, 5],
        cpu=True,
    )


@pytest.mark.slow
def test_each_seed_has_a_run_and_the_metrics_are_averaged_over_them(config):
    """Two runs that differ; the mean and its interval are those of both, and a third seed trains once more alone."""
    over = train_seeds(config)
    folders = [RunFolder(Path(config.output_dir, name)) for name in ("seed-3", "seed-5")]
    losses = [folder.metrics().epochs[0].loss for folder in folders]
    assert losses[0] != losses[1]
    values = [folder.metrics().validation["macro_f1"] for folder in folders]
    assert over.metrics["validation"]["macro_f1"] == over_seeds(values, 0.0)
    written = json.loads(Path(config.output_dir, "seeds.json").read_text())
    assert written["metrics"]["validation"]["macro_f1"]["value"] == pytest.approx(sum(values) / 2)
    before = (folders[0].path / "model.safetensors").stat().st_mtime_ns
    eraserhead.train(config, seeds=[3, 5, 7])
    assert (folders[0].path / "model.safetensors").stat().st_mtime_ns == before
    assert json.loads(Path(config.output_dir, "seeds.json").read_text())["seeds"] == [3, 5, 7]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": [1, 2, 1]}, "1 stands in it twice"),
        ({"seeds": []}, "empty; name each seed once"),
        ({"training": TrainingConfig(seed=4)}, "training.seed=4: has no effect with seeds=[3, 5]"),
        ({"push_to_hub": "user/name"}, "push_to_hub='user/name': has no effect with seeds=[3, 5]"),
        ({"seeds": [-1]}, "must be from 0 to"),
    ],
)
def test_seeds_that_cannot_be_are_refused_before_any_work(config, changes, said):
    with pytest.raises(UserError, match=re.escape(said)):
        train_seeds(replace(config, **changes))
    assert not Path(config.output_dir).exists()


def test_a_folder_of_something_else_is_refused(config):
    Path(config.output_dir).mkdir()
    Path(config.output_dir, "thesis.tex").write_text("")
    with pytest.raises(UserError, match="holds files that are not runs of several seeds"):
        train_seeds(config)
