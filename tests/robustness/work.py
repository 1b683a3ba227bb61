"""The commands that are killed, starved and given damaged files, and what of their results must always be the same."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from robustness.forks import content
from tiny import labelled_file, saved_classifier, tiny_encoder


@dataclass(frozen=True)
class Work:
    """A command that writes a folder, and that is given again until it succeeds.

    Attributes:
        arguments: Its arguments, without the folder.
        same: What of the files in the folder is the same whenever and however often it was interrupted.
    """

    arguments: tuple[str, ...]
    same: Callable[[dict[str, bytes]], dict[str, Any]]

    def into(self, folder: Path) -> list[str]:
        """Return its arguments for a folder."""
        return [*self.arguments, "--output_dir", str(folder)]


def erasing(folder: Path) -> Work:
    """Erase 12 documents in shards of 3."""
    model, rows = saved_classifier(folder / "classifier"), labelled_file(folder / "erased.jsonl", 12)
    options = ("--data.path", rows, "--data.max_length", "16", "--draws", "2", "--shard_size", "3", "--cpu")
    return Work(("erase", model, *options), results)


def merging(folder: Path) -> Work:
    """Merge the two parts of 12 documents in shards of 3."""
    model, data = saved_classifier(folder / "classifier"), DataConfig(path=labelled_file(folder / "merged.jsonl", 12))
    for number in (1, 2):
        part = {"part": f"{number}/2", "output_dir": str(folder / f"part-{number}")}
        erase_to_folder(EraseConfig(model, data=data, draws=2, shard_size=3, cpu=True, **part))
    return Work(("merge", *(str(folder / f"part-{number}") for number in (1, 2))), results)


def training(folder: Path) -> Work:
    """Train a head with dropout for 3 epochs on 24 documents, from cached vectors; always resumed."""
    rows = labelled_file(folder / "trained.jsonl", 34)
    encoder = tiny_encoder(folder / "encoder")
    options = ("--data.path", rows, "--data.validation_size", "10", "--data.max_length", "16", "--cpu", "--resume")
    loop = ("--training.epochs", "3", "--training.patience", "3", "--training.batch_size", "8")
    return Work(("train", *options, *loop, "--model.encoder", encoder, "--model.dropout", "0.3"), run)


def reproducing(folder: Path) -> Work:
    """Train and erase two cells."""
    configs = folder / "configs"
    for kind in ("data", "model"):
        (configs / kind).mkdir(parents=True)
    rows, encoder = labelled_file(folder / "study.jsonl", 40), tiny_encoder(folder / "study-encoder")
    data = {"path": rows, "max_length": 16, "validation_size": 8, "test_size": 8}
    (configs / "data" / "first.yaml").write_text(yaml.safe_dump({"data": data}))
    for context in ("none", "conv"):
        model = {"encoder": encoder, "encoder_layers": 0, "context": context, "dropout": 0.3}
        loop = {"epochs": 2, "patience": 2, "batch_size": 8}
        (configs / "model" / f"flan-{context}.yaml").write_text(yaml.safe_dump({"model": model, "training": loop}))
    options = ("--datasets", "first", "--models", "flan-none,flan-conv", "--configs", str(configs), "--draws", "2")
    return Work(("reproduce", *options, "--cpu"), study)


def results(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the tables of erasure results, and their summary without what says how long it took."""
    found: dict[str, Any] = {name: each for name, each in files.items() if name.endswith(".parquet")}
    summary = json.loads(files["summary.json"])
    return found | {"summary": {name: summary[name] for name in summary.keys() - {"run", "digest"}}, "names": [*files]}


def run(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the weights of a run, and all its files but what says how long it took and when it was interrupted."""
    timed = ("metrics.json", "environment.json", "digests.json", "run.yaml")
    metrics = json.loads(files["metrics.json"])
    epochs = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in metrics["epochs"]]
    found = {name: each for name, each in files.items() if name not in timed}
    return found | {"epochs": epochs, "best": metrics["best_epoch"], "names": [*files]}


def study(files: dict[str, bytes]) -> dict[str, Any]:
    """Return a study's paper, its figures' numbers, and the results of its cells."""
    kept = ("model.safetensors", ".parquet", "paper.md", ".csv")
    return {name: each for name, each in files.items() if name.endswith(kept)} | {"names": [*files]}


def outcome(work: Work, folder: Path) -> dict[str, Any]:
    """Return what must be the same of the files in a folder."""
    return work.same(content(folder))
