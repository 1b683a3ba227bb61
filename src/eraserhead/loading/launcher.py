"""What a launcher says in the environment: `torchrun`, `accelerate launch` and its file, or MPI.

Standard library only: it is also asked where a process ends before torch is imported.
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eraserhead.errors import Setting, UserError

WORLD = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
RANK = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # in accelerate's order
LOCAL = ("LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")
NO = "no"

# Parts of a launcher's file that split a model over devices: nothing here does that.
SPLITTING = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
}
ACCUMULATION = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"
PRECISIONS = (NO, "fp16", "bf16")  # that our training has


@dataclass(frozen=True)
class Launcher:
    """What the launcher of this process says.

    Attributes:
        processes: How many work together; 1 without a launcher.
        said_by: The variable that says so; null without one.
        local_processes: How many of them are on this machine; null where it does not say.
        cpu: Whether they are to use the CPU.
        mixed_precision: Precision of the forward pass in training.
        dynamo: Backend that compiles the model in training.
    """

    processes: int = 1
    said_by: str | None = None
    local_processes: int | None = None
    cpu: bool = False
    mixed_precision: str = NO
    dynamo: str = NO

    @property
    def for_training(self) -> list[str]:
        """What it asks of training, for a message."""
        precision = [] if self.mixed_precision == NO else [f"mixed precision {self.mixed_precision}"]
        return precision + ([] if self.dynamo == NO else [f"dynamo '{self.dynamo}'"])


def launcher(environment: Mapping[str, str] | None = None) -> Launcher:
    """Return what the launcher of this process says.

    Args:
        environment: Environment variables; by default those of this process.

    Raises:
        UserError: It asks for what nothing here does, or a number in it is none.
    """
    given = os.environ if environment is None else environment
    for variable, what in SPLITTING.items():
        if _is_on(given, variable):
            raise UserError(
                f"the launcher asks for {what} ({variable}), which splits a model over devices; here every device has "
                "the whole model: choose multi_gpu in `accelerate config`, or another file"
            )
    if given.get(ACCUMULATION, "1") not in ("0", "1", "auto"):
        raise UserError(
            f"the launcher asks to accumulate {given[ACCUMULATION]} batches a step ({ACCUMULATION}); a step has ",
            Setting("training.batch_size"),
            " documents here, whatever fits into memory at once: set that, and unset the variable",
        )
    said_by = next((name for name in WORLD if name in given), None)
    local = next((name for name in LOCAL if name in given), None)
    return Launcher(
        processes=1 if said_by is None else _number(given, said_by),
        said_by=said_by,
        local_processes=None if local is None else _number(given, local),
        cpu=_is_on(given, "ACCELERATE_USE_CPU"),
        mixed_precision=given.get("ACCELERATE_MIXED_PRECISION", NO).lower(),
        dynamo=given.get("ACCELERATE_DYNAMO_BACKEND", NO).lower(),
    )


def rank() -> int:
    """Return the number of this process among those that work together."""
    given = (os.environ.get(name, "") for name in RANK)
    return next((int(number) for number in given if number.isdecimal()), 0)


def tell_failure(line: str) -> bool:
    """Give `torchrun` the line that it prints last, below its own traceback; return whether it takes one.

    Without the file it prints an address of its manual there.
    """
    file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not file:
        return False
    # As torch's own handler writes it, which would import torch first.
    message = {"message": line, "extraInfo": {"timestamp": str(int(time.time()))}}
    try:
        Path(file).write_text(json.dumps({"message": message}), encoding="utf-8")
    except OSError:
        return False
    return True


def training_precision(asked: str | None) -> str:
    """Return the precision that training runs in: what is asked for, else the launcher's.

    Raises:
        UserError: The launcher asks for one that training does not have.
    """
    found = asked or launcher().mixed_precision
    if found not in PRECISIONS:
        raise UserError(
            f"the launcher asks for mixed precision '{found}', and training has {', '.join(PRECISIONS)}; give ",
            Setting("training.mixed_precision"),
        )
    return found


def _number(given: Mapping[str, str], name: str) -> int:
    try:
        return int(given[name])
    except ValueError as error:
        raise UserError(f"the environment variable {name} is '{given[name]}', and must be a whole number") from error


def _is_on(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").lower() in ("1", "true", "yes", "y", "t", "on")
