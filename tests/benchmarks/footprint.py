"""Erase some planted reviews and print the peak memory of this process in KiB: the child of the memory benchmarks.

The peak is the kernel's ``VmHWM`` where there is one: ``ru_maxrss`` starts from what the parent occupied.
"""

import resource
import sys
from pathlib import Path

import torch

from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder


def main(model: str, folder: str, documents: str, kind: str = "whole") -> None:
    """Analyse `documents` planted reviews with the model; `kind` ``short``: cut ones, 3 draws, no curves."""
    torch.set_num_threads(1)
    short = kind == "short"
    config = EraseConfig(
        model=model,
        output_dir=str(Path(folder) / "results"),
        data=DataConfig(name="planted", test_size=int(documents), max_length=16 if short else 64),
        cpu=True,
        draws=3 if short else None,
        curves="none" if short else None,
    )
    erase_to_folder(config)
    print(peak())


def peak() -> int:
    """Return the peak memory of this process in KiB."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return own[0] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(*sys.argv[1:])
