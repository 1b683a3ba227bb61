"""Which devices and processes a run really uses."""

import logging

import torch
from accelerate import Accelerator

logger = logging.getLogger("eraserhead")

CPU_BUDGET, ACCELERATOR_BUDGET = 2048, 32768  # tokens at a time; on a CPU small batches waste least on padding


def start(cpu: bool, mixed_precision: str = "no") -> Accelerator:
    """Return the accelerator of this process, and say what it runs on."""
    accelerator = Accelerator(cpu=cpu, mixed_precision=mixed_precision)
    tell(accelerator, describe(accelerator))
    return accelerator


def describe(accelerator: Accelerator) -> str:
    """Return one line: the processes and devices that are really in use."""
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    count = accelerator.num_processes
    precision = "" if accelerator.mixed_precision in (None, "no") else f", {accelerator.mixed_precision}"
    return f"{count} process{'es' if count > 1 else ''}, each on {device.type} ({name}){precision}"


def token_budget(batch_tokens: int | None, device: torch.device) -> int:
    """Return the tokens processed at a time: what was asked for, or what suits the device."""
    return batch_tokens or (CPU_BUDGET if device.type == "cpu" else ACCELERATOR_BUDGET)


def tell(accelerator: Accelerator, message: str) -> None:
    """Log on the main process only."""
    if accelerator.is_main_process:
        logger.info(message)
