"""Half precision in training: of the forward pass alone, and the weights that are saved are float32."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.loading.checkpoints import load_checkpoint
from eraserhead.training.config import ModelConfig, TrainConfig, TrainingConfig
from eraserhead.training.training import train
from tiny import labelled_file, tiny_encoder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))


def run(tmp_path: Path, output: str, precision: str, frozen: bool) -> TrainConfig:
    if not (tmp_path / "encoder").exists():
        tiny_encoder(tmp_path / "encoder")
        labelled_file(tmp_path / "train.jsonl", 60)
    return TrainConfig(
        output_dir=str(tmp_path / output),
        data=DataConfig(path=str(tmp_path / "train.jsonl"), max_length=32, validation_size=20),
        model=ModelConfig(encoder=str(tmp_path / "encoder"), dropout=0.0),
        training=TrainingConfig(
            epochs=2, batch_size=16, learning_rate=2e-2, freeze_encoder=frozen, mixed_precision=precision
        ),
        cpu=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("frozen", [True, False])
def test_bf16_rounds_the_forward_pass_and_saves_float32(tmp_path, frozen):
    half, whole = (train(run(tmp_path, precision, precision, frozen)) for precision in ("bf16", "no"))
    losses = [[epoch.loss for epoch in folder.metrics().epochs] for folder in (half, whole)]
    assert losses[0] != losses[1]  # it was rounded
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)
    saved, plain = (load_file(folder.path / "model.safetensors") for folder in (half, whole))
    assert {tensor.dtype for tensor in saved.values()} == {torch.float32}
    kept = "head.classifier.weight"
    assert not torch.equal(saved[kept], saved[kept].bfloat16().float())  # the weights themselves were never rounded
    assert torch.allclose(saved[kept], plain[kept], atol=2e-2)
    assert load_checkpoint(str(half.path)).model.dtype == torch.float32


@pytest.mark.skipif(torch.accelerator.is_available(), reason="accelerators have fp16")
def test_fp16_on_a_cpu_is_refused_before_anything_is_written(tmp_path, capsys):
    run(tmp_path, "out", "fp16", True)
    data = ["--data.path", str(tmp_path / "train.jsonl"), "--model.encoder", str(tmp_path / "encoder")]
    options = ["--training.mixed_precision", "fp16", "--output_dir", str(tmp_path / "out"), "--cpu"]
    assert main(["train", *data, *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said == ("eraserhead: error: --training.mixed_precision fp16: has no effect on cpu; choose no, or bf16")
    assert not (tmp_path / "out").exists()
