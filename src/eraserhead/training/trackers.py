"""Experiment trackers of a run; what goes wrong with one of them never ends the training."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import GeneralTracker
from accelerate.utils import LoggerType

from eraserhead.errors import Setting, UserError, nearest
from eraserhead.records import plain
from eraserhead.training.config import TrainConfig

logger = logging.getLogger("eraserhead")

OPTION = "training.trackers"
# Environment variables that keep what a tracker writes on this machine, in the run's folder; those already set win.
ENVIRONMENT: dict[str, dict[str, str]] = {
    "tensorboard": {},
    "trackio": {"TRACKIO_DIR": "{folder}/trackio"},
    "wandb": {"WANDB_MODE": "offline", "WANDB_DIR": "{folder}", "WANDB_SILENT": "true"},
    "mlflow": {"MLFLOW_TRACKING_URI": "sqlite:///{folder}/mlflow.db"},
}


def check_trackers(names: list[str] | None) -> None:
    """Refuse trackers that are unknown or not installed.

    Raises:
        UserError: There is one; the message says how to install it.
    """
    for name in names or ():
        if name not in ENVIRONMENT:
            known = ", ".join(ENVIRONMENT)
            raise UserError(
                Setting(OPTION, name), f": there is no such tracker{nearest(name, ENVIRONMENT) or f'; choose {known}'}"
            )
        if find_spec(name) is None:
            raise UserError(
                Setting(OPTION, name), f": not installed; `pip install 'eraserhead[{name}]'`, or leave it out"
            )


@contextmanager
def writing_into(names: list[str] | None, folder: Path) -> Iterator[None]:
    """Let trackers write into a folder, where their own environment variables say nothing else.

    Several runs of one process share the outermost folder: a tracker keeps the place that it found first.
    """
    wanted = {
        variable: value.format(folder=folder.absolute())
        for name in names or ()
        for variable, value in ENVIRONMENT[name].items()
        if variable not in os.environ
    }
    os.environ.update(wanted)
    try:
        yield
    finally:
        for variable in wanted:
            os.environ.pop(variable, None)


def start(accelerator: Accelerator, config: TrainConfig) -> None:
    """Start the trackers of a run with its options; one that cannot be started is left out, with a line."""
    options = dict(_flat(plain(config)))
    project = config.folder.name or "eraserhead"
    started: list[Any] = []
    for name in config.training.trackers or ():
        accelerator.log_with = list[str | LoggerType | GeneralTracker]([name])
        try:
            accelerator.init_trackers(project, config=options)
            started += accelerator.trackers
        except Exception as error:  # whatever a tracker raises
            logger.warning("tracker %s cannot be started; training goes on without it: %s", name, _line(error))
    accelerator.trackers = started


def log(accelerator: Accelerator, values: Mapping[str, float], step: int) -> None:
    """Log numbers to all trackers; one that fails gets nothing more."""
    _each(accelerator, lambda tracker: tracker.log(dict(values), step=step))


def finish(accelerator: Accelerator) -> None:
    """Let all trackers write what they have."""
    _each(accelerator, lambda tracker: tracker.finish())


def _each(accelerator: Accelerator, act: Callable[[Any], None]) -> None:
    for tracker in list(accelerator.trackers):
        try:
            act(tracker)
        except Exception as error:  # whatever a tracker raises
            why = _line(error)
            logger.warning("tracker %s failed, and gets no more numbers; training goes on: %s", tracker.name, why)
            accelerator.trackers.remove(tracker)


def _flat(values: Mapping[str, Any], prefix: str = "") -> "list[tuple[str, bool | int | float | str]]":
    """Return nested options under dotted names; those that are null are left out, and lists become text."""
    found: list[tuple[str, bool | int | float | str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}.")
        elif value is not None:
            found.append((prefix + name, value if isinstance(value, (bool, int, float, str)) else str(value)))
    return found


def _line(error: Exception) -> str:
    return " ".join([f"{type(error).__name__}:", *str(error).split()])
