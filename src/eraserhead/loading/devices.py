"""The devices and processes that a run uses."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs, DynamoBackend, broadcast_object_list
from torch import Tensor
from tqdm.auto import tqdm

from eraserhead.errors import Setting, UserError
from eraserhead.files import check_folder
from eraserhead.loading.launcher import DYNAMO, NO, Launcher, check_rank, launcher
from eraserhead.locks import locked
from eraserhead.method.cases import Replay
from eraserhead.method.reading import Reading
from eraserhead.method.replayed import ReplayedReading
from eraserhead.method.shuffled import through

Item = TypeVar("Item")
LONG = 5  # seconds of one batch, after which its erasures are counted on the terminal

logger = logging.getLogger("eraserhead")


def join(cpu: bool) -> PartialState:
    """Let this process join those that its launcher started, and return what it is among them.

    On a machine without an accelerator they share the work on the CPU.

    Args:
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: The launcher wants what is not there, or what it says and what came of it are not the same: its
            processes would each do all the work.
    """
    said = launcher()
    check_rank(said)
    if said.dynamo.upper() not in DynamoBackend.__members__:
        known = ", ".join(name.lower() for name in DynamoBackend.__members__)
        raise UserError(
            f"the environment variable {DYNAMO} is '{said.dynamo}', and must be one of {known}; or unset it"
        )
    together = said.processes > 1
    on_cpu = cpu or said.cpu or (together and not torch.accelerator.is_available())
    if together and not on_cpu:
        check_devices(said, torch.accelerator.device_count())
    new = not PartialState._shared_state
    try:
        state = PartialState(cpu=on_cpu)
    except (ValueError, RuntimeError, ImportError, KeyError) as error:
        raise UserError(f"the {said.processes} processes cannot join: {_line(error)}") from error
    if state.num_processes != said.processes:
        raise UserError(
            f"{said.said_by}={said.processes}, and this process works alone, so that each of them would do all the "
            "work: start them with `torchrun` or `accelerate launch`, ",
            *(() if on_cpu else ("add ", Setting("cpu", True), ", ")),
            f"or unset {said.said_by}",
        )
    if new and on_cpu and not (cpu or said.cpu) and state.is_main_process:
        logger.info(f"no accelerator here: the {said.processes} processes of the launcher share the work on the CPU")
    return state


def check_devices(said: Launcher, devices: int) -> None:
    """Refuse more processes on this machine than it has devices.

    Raises:
        UserError: Saying how many there are.
    """
    local = said.local_processes or 1
    if local > devices:
        raise UserError(
            f"the launcher started {local} processes on this machine, which has {devices} accelerator"
            f"{'s' * (devices > 1)}: start {devices} at most, or add ",
            Setting("cpu", True),
        )


def start(cpu: bool) -> Accelerator:
    """Return the accelerator of this process, and say what it runs on; nothing is trained.

    Args:
        cpu: Use the CPU even where there is an accelerator.

    Raises:
        UserError: See `join`.
    """
    state = join(cpu)
    # Precision and compiler of the launcher's file are for training; a model is erased as its own option says.
    accelerator = _accelerator(
        cpu=state.device == torch.device("cpu"), mixed_precision=None if is_initialized() else NO
    )
    tell(accelerator, describe(accelerator))
    ignored = launcher().for_training
    if ignored:
        tell(accelerator, f"{' and '.join(ignored)} of the launcher: for training alone, no effect here")
    return accelerator


def start_training(
    cpu: bool,
    mixed_precision: str,
    trackers: Sequence[str] = (),
    log_folder: Path | None = None,
    leaves_unused: bool = False,
) -> Accelerator:
    """Return the accelerator of this process for training, and say what it runs on.

    Args:
        cpu: Use the CPU even where there is an accelerator.
        mixed_precision: Precision of the forward pass.
        trackers: Names of accelerate's trackers that get the run's numbers.
        log_folder: Folder in which they write.
        leaves_unused: Whether a batch may leave parameters without a gradient, as encoders do that are made for more
            than classification.

    Raises:
        UserError: The device does not have the precision, or see `join`.
    """
    state = join(cpu)
    if is_initialized() and AcceleratorState().mixed_precision != mixed_precision:
        AcceleratorState._reset_state()  # of an analysis before, or of another training
    accelerator = _accelerator(
        cpu=state.device == torch.device("cpu"),
        mixed_precision=mixed_precision,
        # Processes accumulate different numbers of batches, so synchronising buffers in each batch would hang.
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, find_unused_parameters=leaves_unused)],
        log_with=list(trackers) or None,
        project_dir=log_folder,
    )
    if mixed_precision != NO and not accelerator.native_amp:  # Accelerate then says nothing and computes in float32
        device = accelerator.device
        AcceleratorState._reset_state()
        raise UserError(
            Setting("training.mixed_precision", mixed_precision),
            f": has no effect on {device.type}; ",
            "choose no, or bf16" if mixed_precision == "fp16" else "choose no",
        )
    tell(accelerator, describe_training(accelerator))
    return accelerator


def _accelerator(**options: Any) -> Accelerator:
    try:
        return Accelerator(**options)
    except (ValueError, RuntimeError, ImportError) as error:
        AcceleratorState._reset_state()
        said = _line(error)
        mend = [", or give another ", Setting("training.mixed_precision")] if "mixed precision" in said else []
        raise UserError(f"{said}: change it in `accelerate config`", *mend) from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def describe(accelerator: Accelerator) -> str:
    """Return the processes and devices in use, in one line."""
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    count = accelerator.num_processes
    return f"{count} process{'es' if count > 1 else ''}, each on {device.type} ({name})"


def describe_training(accelerator: Accelerator) -> str:
    """Return the same, with the precision and the compiler of training where there are any."""
    precision, plugin = accelerator.mixed_precision, accelerator.state.dynamo_plugin
    used = [] if precision in (None, NO) else [precision]
    compiler = NO if plugin is None else plugin.backend.value.lower()
    used += [] if compiler == NO else [f"compiled by dynamo '{compiler}'"]
    return ", ".join([describe(accelerator), *used])


def copied(inputs: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Return a batch on the device; the host goes on while it is copied to a GPU."""
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in inputs.items()}
    return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in inputs.items()}


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


@contextmanager
def alone_in(folder: Path, state: PartialState | Accelerator) -> Iterator[None]:
    """Let this run alone write into a folder, which is created; its main process holds the folder's lock.

    Raises:
        UserError: Another run writes there; all processes raise it.
        OSError: The folder cannot be created.
    """
    problem: list[UserError | OSError | None] = [None]
    with ExitStack() as held:
        if state.is_main_process:
            try:
                check_folder(folder)
                held.enter_context(locked(folder))
            except (UserError, OSError) as error:
                problem = [error]
        broadcast_object_list(problem)
        if problem[0] is not None:
            raise problem[0]
        yield


def tell(accelerator: Accelerator, message: str, *parts: object) -> None:
    """Log on the main process only; errors and settings are `parts`, which the log spells for who reads it."""
    if accelerator.is_main_process:
        logger.info(message, *parts)


def progress(items: Sequence[Item], accelerator: Accelerator, what: str, unit: str) -> Iterable[Item]:
    """Show a progress bar over items, on the main process and on terminals only."""
    # None hides the bar if the output is not a terminal.
    return tqdm(items, desc=what, unit=unit, disable=None if accelerator.is_main_process else True, leave=False)


@contextmanager
def counted(reading: Reading, accelerator: Accelerator) -> Iterator[Reading]:
    """Count erasures that run a part of the model again, on a bar that is shown where a batch takes long.

    It is for the main process and terminals only.
    """
    if not isinstance(reading, ReplayedReading):
        yield reading
        return
    off = None if accelerator.is_main_process else True
    with tqdm(desc="this batch", unit=" erasures", disable=off, leave=False, delay=LONG) as bar:

        def counting(replay: Replay) -> Replay:
            def count(rows: Tensor, keep: Tensor) -> Tensor:
                logits = replay(rows, keep)
                bar.update(keep.shape[0] * keep.shape[1])
                return logits

            return count

        shuffle = reading.shuffle and through(reading.shuffle, counting)
        yield replace(reading, replay=counting(reading.replay), shuffle=shuffle)
