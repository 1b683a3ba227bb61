"""A training run's folder: the one writer of what is in it.

``config.json``, ``model.safetensors`` and the tokenizer make it a model for `from_pretrained`; ``run.yaml`` is the
configuration that made it, ``data.json`` its documents and label table, ``metrics.json`` and ``environment.json`` what
came out and where. ``checkpoints/`` holds what `--resume` continues from.
"""

import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from eraserhead.errors import UserError
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.runs.checkpoints import DATA, quiet
from eraserhead.runs.config import RUN_CONFIG, TrainConfig
from eraserhead.runs.files import UNFINISHED, differences, full_disk_is_an_os_error, refuse_foreign, write_json

METRICS, ENVIRONMENT, CHECKPOINTS = "metrics.json", "environment.json", "checkpoints"
PACKAGES = ("eraserhead", "torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy", "pyarrow")
# What may differ between a run and its continuation: none of it changes the results.
FREE_TO_DIFFER = ("output_dir", "resume", "overwrite", "cache_limit", "cpu")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one training run."""

    path: Path

    @property
    def complete(self) -> bool:
        """Whether the model is there."""
        return (self.path / "config.json").is_file()

    @property
    def latest(self) -> Path:
        """The newest state to resume from."""
        return self.path / CHECKPOINTS / "latest"

    @property
    def best(self) -> Path:
        """The trained weights of the best epoch."""
        return self.path / CHECKPOINTS / "best.safetensors"

    def metrics(self) -> dict[str, Any]:
        """Read the metrics of a finished run."""
        return json.loads((self.path / METRICS).read_text())

    def check(self, config: TrainConfig) -> None:
        """Refuse a folder that this run may not use.

        Raises:
            UserError: There is a run that is neither to be resumed nor to be replaced, a run of another configuration,
                or something else.
        """
        stored = self.path / RUN_CONFIG
        if not stored.is_file():
            refuse_foreign(self.path, "a run")
        elif not config.overwrite:
            self._check_resumable(config, yaml.safe_load(stored.read_text()))

    def open(self, config: TrainConfig) -> None:
        """Make the folder this run's, after `check`; an earlier run goes where `overwrite` says so."""
        if config.overwrite:
            self._clear()
        self.path.mkdir(parents=True, exist_ok=True)
        unfinished = self.path / f"{RUN_CONFIG}{UNFINISHED}"
        unfinished.write_text(yaml.safe_dump(dataclasses.asdict(config), sort_keys=False))
        os.replace(unfinished, self.path / RUN_CONFIG)

    def save_state(self, accelerator: Accelerator) -> None:
        """Save all that resuming needs; the previous state stays until the new one is complete."""
        unfinished = self.latest.with_name(self.latest.name + UNFINISHED)
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        with full_disk_is_an_os_error(self.path):
            accelerator.save_state(str(unfinished))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            shutil.rmtree(self.latest, ignore_errors=True)
            os.replace(unfinished, self.latest)
        accelerator.wait_for_everyone()

    def save_best(self, state: Mapping[str, Tensor]) -> None:
        """Save the trained weights of the best epoch so far; the previous best stays until these are complete."""
        self.best.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.best.with_name(self.best.name + UNFINISHED)
        with full_disk_is_an_os_error(self.path):
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, unfinished)
        os.replace(unfinished, self.best)

    def finish(
        self,
        model: AttentionPoolingForSequenceClassification,
        tokenizer: PreTrainedTokenizerBase,
        data: Mapping[str, Any],
        metrics: Mapping[str, Any],
    ) -> None:
        """Write the model and all that belongs to it, ``config.json`` last, and remove the checkpoints."""
        unfinished = self.path / f"model{UNFINISHED}"
        shutil.rmtree(unfinished, ignore_errors=True)
        with quiet(), full_disk_is_an_os_error(self.path):
            model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        write_json(unfinished / DATA, data)
        write_json(unfinished / METRICS, metrics)
        write_json(unfinished / ENVIRONMENT, environment())
        for file in sorted(unfinished.iterdir(), key=lambda path: path.name == "config.json"):
            os.replace(file, self.path / file.name)
        unfinished.rmdir()
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def _check_resumable(self, config: TrainConfig, stored: dict[str, Any]) -> None:
        changed = [
            name for name in differences(stored, dataclasses.asdict(config)) if name.split(".")[0] not in FREE_TO_DIFFER
        ]
        if changed:
            raise UserError(
                f"{self.path}: holds a run of another configuration (different: {', '.join(changed)}); choose another "
                "--output_dir, or replace it with --overwrite"
            )
        if not config.resume and not self.complete:
            raise UserError(
                f"{self.path}: holds an interrupted run; continue it with --resume or replace it with --overwrite"
            )

    def _clear(self) -> None:
        """Remove what a run writes, the model's configuration first, and nothing else."""
        (self.path / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)


def environment() -> dict[str, Any]:
    """Return versions and the machine, as far as they bear on results."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "versions": {package: version(package) for package in PACKAGES},
    }
