"""Whole processes under `accelerate launch` and `torchrun`, on a machine without accelerators."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from datasets import Dataset
from pandas.testing import assert_frame_equal
from transformers import BertForSequenceClassification

from eraserhead.cli.main import main
from eraserhead.erasure.api import read
from eraserhead.erasure.draws import FEW
from eraserhead.training.folder import RunFolder
from tiny import labelled_file, random_texts, saved_classifier, tiny_bert_config, tiny_encoder, tiny_tokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(torch.accelerator.is_available(), reason="launchers would take the accelerator"),
]

ACCELERATE = [sys.executable, "-m", "accelerate.commands.accelerate_cli", "launch"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29619"]


def launched(launcher: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*launcher, "-m", "eraserhead", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def config_file(folder: Path, **settings: object) -> list[str]:
    """`accelerate launch` with a file of its own, not with that of whoever runs the tests."""
    common = {"compute_environment": "LOCAL_MACHINE", "num_machines": 1, "machine_rank": 0, "main_process_port": 29618}
    (folder / "launcher.yaml").write_text(yaml.safe_dump({**common, **settings}))
    return [*ACCELERATE, "--config_file", str(folder / "launcher.yaml")]


@pytest.fixture
def training(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    data = {"path": labelled_file(tmp_path / "rows.jsonl", 60), "validation_size": 20, "max_length": 32}
    model = {"encoder": tiny_encoder(tmp_path / "encoder"), "dropout": 0.0}
    run = {"data": data, "model": model, "training": {"epochs": 2, "patience": 2}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    return ["train", "--config", str(tmp_path / "run.yaml")]


def losses(folder: Path) -> list[float]:
    metrics = RunFolder(folder).metrics()
    assert metrics is not None
    return [epoch.loss for epoch in metrics.epochs]


@pytest.mark.thorough
def test_a_file_for_gpus_that_are_not_there_shares_the_work_on_the_cpu(tmp_path, training):
    """Two processes train one model: the losses are those of one process."""
    launcher = config_file(tmp_path, distributed_type="MULTI_GPU", num_processes=2, mixed_precision="no", gpu_ids="all")
    done = launched(launcher, *training, "--output_dir", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("no accelerator here: the 2 processes of the launcher share the work on the CPU") == 1
    assert main([*training, "--output_dir", str(tmp_path / "one")]) == 0
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)


def test_torchrun_without_cpu_erases_every_document_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    model, rows = saved_classifier(tmp_path), labelled_file(tmp_path / "rows.jsonl", 7)
    erase = ["erase", model, "--data.path", rows, "--shard_size", "2"]
    two = launched(TORCHRUN, *erase, "--output_dir", str(tmp_path / "two"))
    assert two.returncode == 0, two.stderr[-3000:]
    assert two.stdout.count("Erased until") <= 1
    assert main([*erase, "--output_dir", str(tmp_path / "one")]) == 0
    assert read(tmp_path / "two").summary.run.devices.startswith("2 processes")
    for name in ("documents", "flips"):  # a process of another kind may add numbers in another order
        two_tables, one_tables = (read(tmp_path / folder).tables[name].to_pandas() for folder in ("two", "one"))
        assert_frame_equal(two_tables, one_tables, rtol=0, atol=1e-7)


def test_two_processes_add_the_draws_that_one_adds(tmp_path, monkeypatch):
    """Both decide over all shards how many are needed, and each draws more for its own."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    torch.manual_seed(0)
    config = tiny_bert_config(("a", "b", "c"), num_hidden_layers=2)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    Dataset.from_dict({"text": random_texts(24, seed=5, longest=13)}).to_parquet(tmp_path / "texts.parquet")
    data = ["--data.path", str(tmp_path / "texts.parquet"), "--shard_size", "5", "--batch_tokens", "1"]
    erase = ["erase", str(tmp_path / "model"), *data]
    two = launched(TORCHRUN, *erase, "--output_dir", str(tmp_path / "two"))
    assert two.returncode == 0, two.stderr[-3000:]
    assert main([*erase, "--output_dir", str(tmp_path / "one")]) == 0
    found, expected = read(tmp_path / "two"), read(tmp_path / "one")
    assert found.summary.run.devices.startswith("2 processes")
    assert found.summary.random_orders == expected.summary.random_orders
    count = expected.summary.random_orders.count
    assert count > FEW
    assert two.stderr.count(f"by a tenth or more: {count} are drawn") == 1
    assert_frame_equal(found.flips, expected.flips, rtol=0, atol=1e-7)


@pytest.mark.thorough
def test_precision_and_dynamo_of_the_file_count_where_no_option_is_given(tmp_path, training):
    launcher = config_file(
        tmp_path,
        distributed_type="NO",
        num_processes=1,
        use_cpu=True,
        mixed_precision="bf16",
        dynamo_config={"dynamo_backend": "EAGER"},
    )
    half = launched(launcher, *training, "--output_dir", str(tmp_path / "half"))
    assert half.returncode == 0, half.stderr[-3000:]
    assert "CPU threads), bf16, compiled by dynamo 'eager'" in half.stderr
    config = RunFolder(tmp_path / "half").config()
    assert config is not None
    assert config.training.mixed_precision == "bf16"
    option = ["--training.mixed_precision", "no", "--output_dir", str(tmp_path / "whole")]
    whole = launched(launcher, *training, *option)
    assert whole.returncode == 0, whole.stderr[-3000:]
    assert "CPU threads), compiled by dynamo 'eager'" in whole.stderr
    assert losses(tmp_path / "half") != losses(tmp_path / "whole")
    assert losses(tmp_path / "half") == pytest.approx(losses(tmp_path / "whole"), rel=1e-2)


def test_accelerate_launch_shows_the_line_alone_when_it_is_quiet(tmp_path):
    launcher = config_file(tmp_path, distributed_type="NO", num_processes=1, use_cpu=True, mixed_precision="no")
    done = launched([*launcher, "-q"], "erase", str(tmp_path / "nothing"), "--output_dir", str(tmp_path / "out"))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line]
    assert said[-1].startswith("eraserhead: error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.thorough
def test_torchrun_ends_with_the_line_and_prints_it_once_before(tmp_path, training):
    done = launched(
        TORCHRUN, *training, "--data.path", str(tmp_path / "none.jsonl"), "--output_dir", str(tmp_path / "out")
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert sum(line.startswith("eraserhead: error: ") for line in lines) <= 1
    last = next(line for line in reversed(lines) if "traceback :" in line)
    assert "traceback : eraserhead: error: --data.path" in last
    assert "there is no such file" in last
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rank", ["0", pytest.param("1", marks=pytest.mark.thorough)])
def test_processes_that_cannot_join_are_refused_before_anything_is_written(tmp_path, training, rank):
    """As in a container that says how many there are and gives no address of theirs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MASTER_")}
    command = [sys.executable, "-m", "eraserhead", *training, "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**environment, "WORLD_SIZE": "2", "RANK": rank, "MASTER_PORT": "no port"},
    )
    assert done.returncode == 2
    assert "the 2 processes cannot join" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()
