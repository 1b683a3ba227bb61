"""A training run's folder: the one writer of what is in it.

``config.json``, ``model.safetensors`` and the tokenizer make it a model for `from_pretrained`; ``run.yaml`` is the
configuration that made it, ``data.json`` its documents and label table, ``metrics.json`` and ``environment.json`` what
came out and where. ``checkpoints/`` holds what `--resume` continues from.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from eraserhead.errors import Setting, UserError
from eraserhead.files import (
    UNFINISHED,
    differences,
    full_disk_is_an_os_error,
    merged,
    read_mapping,
    refuse_foreign,
    write_json,
    write_text,
)
from eraserhead.loading.checkpoints import DATA, quiet
from eraserhead.loading.config import RUN_CONFIG
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.training.config import TrainConfig

METRICS, ENVIRONMENT, IDENTITY = "metrics.json", "environment.json", "identity.json"
CHECKPOINTS = "checkpoints"
# What may differ between a run and its continuation: none of it changes the results.
FREE_TO_DIFFER = (
    *("output_dir", "resume", "overwrite", "cache_limit", "cpu", "training.batch_tokens"),
    *("push_to_hub", "push_every", "push_private"),
)


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
    def resumable(self) -> Path | None:
        """The state to resume from; null where there is none."""
        return next((state for state in (self.latest, self._previous) if state.is_dir()), None)

    @property
    def _previous(self) -> Path:
        """The state before, for the moment in which the newest takes its place."""
        return self.path / CHECKPOINTS / "previous"

    @property
    def best(self) -> Path:
        """The trained weights of the best epoch."""
        return self.path / CHECKPOINTS / "best.safetensors"

    def metrics(self) -> dict[str, Any]:
        """Read the metrics of a finished run."""
        return read_mapping(self.path / METRICS, self._again)

    def check(self, config: TrainConfig) -> None:
        """Refuse a folder that this run may not use.

        Raises:
            UserError: There is a run that is neither to be resumed nor to be replaced, a run of another configuration,
                or something else.
        """
        changed = self.changed(config)
        if changed is None:
            refuse_foreign(self.path, "a run")
        elif not config.overwrite:
            self._check_resumable(config, changed)

    def check_identity(self, identity: Mapping[str, Any], overwrite: bool) -> None:
        """Refuse to continue, or to call complete, a run whose documents or encoder have changed since.

        Raises:
            UserError: Naming what has changed.
        """
        stored = self.path / IDENTITY
        if overwrite or not stored.is_file():
            return
        changed = differences(read_mapping(stored, self._again), identity)
        if changed:
            raise UserError(
                f"{self.path}: what this run was trained on has changed since ({', '.join(changed)}); choose another ",
                Setting("output_dir"),
                ", or replace the run with ",
                Setting("overwrite", True),
            )

    def open(self, config: TrainConfig, identity: Mapping[str, Any]) -> None:
        """Make the folder this run's, after the checks; an earlier run goes where `overwrite` says so."""
        if config.overwrite:
            self._clear()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / RUN_CONFIG, yaml.safe_dump(dataclasses.asdict(config), sort_keys=False))
        write_json(self.path / IDENTITY, identity)

    def save_state(self, accelerator: Accelerator) -> None:
        """Save all that resuming needs; the previous state stays until the new one is complete."""
        unfinished = self.latest.with_name(self.latest.name + UNFINISHED)
        if accelerator.is_main_process:
            shutil.rmtree(unfinished, ignore_errors=True)
        accelerator.wait_for_everyone()
        with full_disk_is_an_os_error(self.path):
            # On a GPU a recurrent network's weights are views of one buffer, of which safetensors would keep one.
            accelerator.save_state(str(unfinished), safe_serialization=False)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            shutil.rmtree(self._previous, ignore_errors=True)
            if self.latest.is_dir():
                os.replace(self.latest, self._previous)
            os.replace(unfinished, self.latest)
            shutil.rmtree(self._previous, ignore_errors=True)
        accelerator.wait_for_everyone()

    def save_best(self, state: Mapping[str, Tensor]) -> None:
        """Save the trained weights of the best epoch so far; the previous best stays until these are complete."""
        self.best.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.best.with_name(self.best.name + UNFINISHED)
        with full_disk_is_an_os_error(self.path):
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, unfinished)
        os.replace(unfinished, self.best)

    def save_model(
        self,
        model: AttentionPoolingForSequenceClassification,
        tokenizer: PreTrainedTokenizerBase,
        data: Mapping[str, Any],
        metrics: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> None:
        """Write the model and all that belongs to it, ``config.json`` last."""
        unfinished = self.path / f"model{UNFINISHED}"
        shutil.rmtree(unfinished, ignore_errors=True)
        with quiet(), full_disk_is_an_os_error(self.path):
            model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        write_json(unfinished / DATA, data)
        write_json(unfinished / METRICS, metrics)
        write_json(unfinished / ENVIRONMENT, environment)
        for file in sorted(unfinished.iterdir(), key=lambda path: path.name == "config.json"):
            os.replace(file, self.path / file.name)
        unfinished.rmdir()

    def close(self) -> None:
        """Remove what resuming would need: the run is complete."""
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    @contextmanager
    def best_model(self) -> Iterator["RunFolder"]:
        """Give a folder for the model of the best epoch so far; what is written there goes with the context."""
        folder = RunFolder(self.path / CHECKPOINTS / "best-model")
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.path.mkdir(parents=True)
        for name in (RUN_CONFIG, IDENTITY):
            shutil.copyfile(self.path / name, folder.path / name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder.path, ignore_errors=True)

    def changed(self, config: TrainConfig) -> list[str] | None:
        """Return the names of what differs from the configuration of the run here; null where there is none."""
        stored = self.path / RUN_CONFIG
        if not stored.is_file():
            return None
        defaults = dataclasses.asdict(TrainConfig())  # of options that are younger than the run
        found = differences(merged(defaults, read_mapping(stored, self._again)), dataclasses.asdict(config))
        return [name for name in found if name not in FREE_TO_DIFFER]

    @property
    def _again(self) -> str:
        return f"delete {self.path} and train again"

    def _check_resumable(self, config: TrainConfig, changed: list[str]) -> None:
        if changed:
            different = UserError.joined(map(Setting, changed), ", ")
            raise UserError(
                f"{self.path}: holds a run of another configuration (different: ",
                different,
                "); choose another ",
                Setting("output_dir"),
                ", or replace it with ",
                Setting("overwrite", True),
            )
        if not config.resume and not self.complete:
            raise UserError(
                f"{self.path}: holds an interrupted run; continue it with ",
                Setting("resume", True),
                " or replace it with ",
                Setting("overwrite", True),
            )

    def _clear(self) -> None:
        """Remove what an earlier run wrote, the model's configuration first; folders such as `erasure` stay."""
        (self.path / "config.json").unlink(missing_ok=True)
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)
        for name in (IDENTITY, DATA, METRICS, ENVIRONMENT, "model.safetensors"):
            (self.path / name).unlink(missing_ok=True)
        for file in self.path.glob("*token*.json"):
            file.unlink()
