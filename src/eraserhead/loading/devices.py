"""The devices and processes that a run uses."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from tqdm.auto import tqdm

from eraserhead.errors import Setting, UserError
from eraserhead.sites.budget import WITHOUT_ENCODER, budget_for

Item = TypeVar("Item")

logger = logging.getLogger("eraserhead")


def start(
    cpu: bool, mixed_precision: str | None = None, log_folder: str | None = None, leaves_unused: bool = False
) -> Accelerator:
    """Return the accelerator of this process, and log what it runs on.

    Args:
        cpu: Use the CPU even where there is an accelerator.
        mixed_precision: Precision of training; default: what this process has used before, or full precision.
        log_folder: Folder of the curves for tensorboard.
        leaves_unused: Whether a batch may leave parameters without a gradient, as in encoders that have layers which
            classification does not use.

    Raises:
        UserError: tensorboard is requested but not installed.
    """
    if log_folder and find_spec("tensorboard") is None:
        raise UserError(
            Setting("training.tensorboard"), ": not installed; `pip install 'eraserhead[tensorboard]'`, or leave it out"
        )
    accelerator = Accelerator(
        cpu=cpu,
        mixed_precision=mixed_precision,
        # Processes accumulate different numbers of batches, so synchronising buffers in each batch would hang.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=leaves_unused)],
        log_with="tensorboard" if log_folder else None,
        project_dir=log_folder,
    )
    tell(accelerator, describe(accelerator))
    return accelerator


def describe(accelerator: Accelerator) -> str:
    """Return the processes and devices in use, in one line."""
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    count = accelerator.num_processes
    precision = "" if accelerator.mixed_precision in (None, "no") else f", {accelerator.mixed_precision}"
    return f"{count} process{'es' if count > 1 else ''}, each on {device.type} ({name}){precision}"


@contextmanager
def main_first(accelerator: Accelerator) -> Iterator[None]:
    """Let the main process go first; the others follow even if it fails, so that all fail in the same way."""
    if not accelerator.is_main_process:
        accelerator.wait_for_everyone()
    try:
        yield
    finally:
        if accelerator.is_main_process:
            accelerator.wait_for_everyone()


def token_budget(batch_tokens: int | None, device: torch.device, without_encoder: bool = False) -> int:
    """Return the tokens processed at a time: the given number, or a default for the device and the model."""
    own = budget_for(device).tokens
    return batch_tokens or own * (WITHOUT_ENCODER if without_encoder else 1)


def tell(accelerator: Accelerator, message: str, *parts: object) -> None:
    """Log on the main process only; errors and settings are `parts`, which the log spells for who reads it."""
    if accelerator.is_main_process:
        logger.info(message, *parts)


def progress(items: Sequence[Item], accelerator: Accelerator, what: str, unit: str) -> Iterable[Item]:
    """Show a progress bar over items, on the main process and on terminals only."""
    # None hides the bar if the output is not a terminal.
    return tqdm(items, desc=what, unit=unit, disable=None if accelerator.is_main_process else True, leave=False)
