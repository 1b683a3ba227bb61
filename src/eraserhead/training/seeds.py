"""Runs of one configuration with several seeds, and their metrics over seeds."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from accelerate import PartialState

from eraserhead.errors import Setting, UserError
from eraserhead.files import check_folder
from eraserhead.loading.run_layout import RUN
from eraserhead.method.seeds import OverSeeds, over_seeds
from eraserhead.records import write_record
from eraserhead.settings import check_settings
from eraserhead.training.config import TrainConfig
from eraserhead.training.folder import RunFolder
from eraserhead.training.option_checks import check_fit
from eraserhead.training.records import Metrics
from eraserhead.training.trackers import writing_into
from eraserhead.training.training import train

OWN = re.compile(rf"seed-\d+|{re.escape(RUN.seeds)}.*")


@dataclass(frozen=True)
class SeedMetrics:
    """Metrics of the best epochs of runs that differ in their seeds alone.

    Attributes:
        seeds: The seeds.
        metrics: Each metric over the seeds, by the role of the documents and its name.
    """

    FORMAT: ClassVar[int] = 1

    seeds: list[int]
    metrics: dict[str, dict[str, OverSeeds]]

    @classmethod
    def of(cls, seeds: Sequence[int], found: Sequence[Metrics]) -> "SeedMetrics":
        """Return the metrics that all of the runs have."""
        roles = [role for role in found[0].by_role if all(role in each.by_role for each in found)]
        return cls(
            list(seeds),
            {
                role: {
                    name: over_seeds([each.by_role[role][name] for each in found], least=0.0)
                    for name in found[0].by_role[role]
                }
                for role in roles
            },
        )


def runs_of(config: TrainConfig) -> dict[int, TrainConfig]:
    """Return the configuration of each seed's run."""
    return {
        seed: replace(
            config,
            seeds=None,
            output_dir=str(config.folder / f"seed-{seed}"),
            training=replace(config.training, seed=seed),
        )
        for seed in config.seeds or ()
    }


def train_seeds(config: TrainConfig) -> SeedMetrics:
    """Train with each seed into a folder of its own, and write the metrics over seeds beside these folders.

    A seed whose run is complete is not trained again, so that seeds can be added later.

    Raises:
        UserError: The configuration, the data, the encoder or a folder cannot be used.
    """
    check_settings(config)
    check_fit(config)
    _check_folder(config.folder)
    with writing_into(config.training.trackers, config.folder):
        found = [_metrics(train(run)) for run in runs_of(config).values()]
    over = SeedMetrics.of(config.seeds or (), found)
    if PartialState().is_main_process:
        write_record(Path(config.folder) / RUN.seeds, over)
    return over


def _check_folder(folder: Path) -> None:
    """Refuse a folder with files that are not those of seeds, such as of one run.

    Raises:
        UserError: There are some.
    """
    check_folder(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    if any(not (OWN.fullmatch(name) or name.startswith(".") or name in RUN.tracked) for name in names):
        raise UserError(
            f"{folder}: holds files that are not runs of several seeds; choose another ", Setting("output_dir")
        )


def _metrics(folder: RunFolder) -> Metrics:
    metrics = folder.metrics()
    assert metrics is not None  # of a finished run
    return metrics
