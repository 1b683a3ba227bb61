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
USE_CPU, DYNAMO = "ACCELERATE_USE_CPU", "ACCELERATE_DYNAMO_BACKEND"
ON, OFF = ("1", "true", "yes", "y", "t", "on"), ("0", "false", "no", "n", "f", "off")  # as Accelerate reads them
JOINING = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # by which processes find each other
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
                "the whole model: choose multi_gpu in `accelerate config`, or another file; if memory is short, train "
                "with ",
                Setting("training.gradient_checkpointing", True),
                " or ",
                Setting("training.adapter", "lora"),
            )
    if given.get(ACCUMULATION, "1") not in ("0", "1", "auto"):
        raise UserError(
            f"the launcher asks to accumulate {given[ACCUMULATION]} batches a step ({ACCUMULATION}); a step has ",
            Setting("training.batch_size"),
            " documents here, whatever fits into memory at once: set that, and unset the variable",
        )
    on_cpu = given.get(USE_CPU, "no").lower()
    if on_cpu not in (*ON, *OFF):
        raise UserError(
            f"the environment variable {USE_CPU} is '{given[USE_CPU]}', and must be true or false; unset it"
        )
    said_by = next((name for name in WORLD if name in given), None)
    local = next((name for name in LOCAL if name in given), None)
    return Launcher(
        processes=1 if said_by is None else _number(given, said_by),
        said_by=said_by,
        local_processes=None if local is None else _number(given, local),
        cpu=on_cpu in ON,
        mixed_precision=given.get("ACCELERATE_MIXED_PRECISION", NO).lower(),
        dynamo=given.get(DYNAMO, NO).lower(),
    )


def rank() -> int:
    """Return the number of this process among those that work together."""
    given = (os.environ.get(name, "") for name in RANK)
    return next((int(number) for number in given if number.isdecimal()), 0)


def check_rank(said: Launcher) -> None:
    """Refuse a number of processes that no launcher stands behind: this one would wait for the others for ever.

    Raises:
        UserError: Naming the variables that a launcher sets, and that are not there.
    """
    if said.processes > 1 and not any(name in os.environ for name in RANK):
        absent = [name for name in JOINING if name not in os.environ]
        raise UserError(
            f"{said.said_by}={said.processes}, but {', '.join(absent)} {'are' if len(absent) > 1 else 'is'} not set: "
            f"unset {said.said_by}, or start the processes with `torchrun` or `accelerate launch`"
        )


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
    number = given[name].strip()
    if not number.isdecimal() or int(number) < 1:
        raise UserError(
            f"the environment variable {name} is '{given[name]}', and must be a whole number from 1; unset it, if no "
            "launcher has set it"
        )
    return int(number)


def _is_on(given: Mapping[str, str], name: str) -> bool:
    return given.get(name, "").lower() in ON
