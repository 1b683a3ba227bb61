"""What a whole process takes: memory, and the seconds until help is there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from runs import save_classifier
from timing import Result, seconds

from eraserhead.data.config import DataConfig

SMALL, LARGE, HUGE = 200, 2000, 100_000
HELP = [sys.executable, "-m", "eraserhead", "--help"]


def memory(rounds: int = 2) -> list[Result]:
    """Peak memory of an analysis of ten times as many documents, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        model = save_classifier(Path(folder) / "model", DataConfig(name="planted"), encoder_layers=1)
        measured = [(_peak(model, LARGE), _peak(model, SMALL)) for _ in range(rounds)]
    large, small = (median(side) for side in zip(*measured, strict=True))
    ratios = [first / second for first, second in measured]
    return [
        Result(
            name="memory",
            what=f"peak memory of erasing {LARGE} / {SMALL} planted reviews",
            measured=large / small,
            wanted=1.2,
            at_least=False,
            spread=(min(ratios), max(ratios)),
            figures={f"{LARGE} documents, MB": large, f"{SMALL} documents, MB": small},
            notes="1 encoder layer, 64 tokens",
        )
    ]


def memory_of_many() -> list[Result]:
    """Peak memory of an analysis of very many short documents."""
    with tempfile.TemporaryDirectory() as folder:
        model = save_classifier(Path(folder) / "model", DataConfig(name="planted"), encoder_layers=1)
        huge, large = (_peak(model, documents, "short") for documents in (HUGE, LARGE))
    return [
        Result(
            name="memory-of-many",
            what=f"peak memory of erasing {HUGE} / {LARGE} short planted reviews",
            measured=huge / large,
            wanted=1.2,
            at_least=False,
            spread=(huge / large, huge / large),
            figures={f"{HUGE} documents, MB": huge, f"{LARGE} documents, MB": large},
            notes="1 encoder layer, 16 tokens, 3 draws, no curves; 10 minutes",
        )
    ]


def help_text(rounds: int = 7) -> list[Result]:
    """The whole process of ``python -m eraserhead --help``."""
    taken = [seconds(lambda: subprocess.run(HELP, check=True, capture_output=True)) for _ in range(rounds)]
    traced = subprocess.run([HELP[0], "-X", "importtime", *HELP[1:]], check=True, capture_output=True, text=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in traced.stderr.splitlines()}
    return [
        Result(
            name="help",
            what="seconds of `python -m eraserhead --help`",
            measured=median(taken),
            wanted=0.7,
            at_least=False,
            spread=(min(taken), max(taken)),
            figures={"torch imported": "yes" if "torch" in imported else "no", "modules imported": len(imported)},
            unit=" s",
        )
    ]


def _peak(model: str, documents: int, kind: str = "whole") -> float:
    """Return the megabytes that one analysis in a fresh process occupies at most."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HF_DATASETS_CACHE": str(Path(folder) / "datasets")}
        command = [sys.executable, str(Path(__file__).with_name("footprint.py")), model, folder, str(documents), kind]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout.splitlines()[-1]) / 1024
