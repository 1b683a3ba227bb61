"""Benchmarks: ratios against slower or plainer ways, each measured within one run.

``python tests/benchmarks/bench.py [--only NAME,...] [--json FILE]``. Both sides of a ratio are timed in turns, with one
thread; medians are divided. Nothing here is a test: a ratio that is not reached is reported, and the exit code is 0.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # the slow references of the tests
sys.path.append(str(Path(__file__).parents[2] / "examples"))  # the script that fine-tunes

import atlas
import attributions
import coverage
import curves
import datasets
import hierarchy
import host
import inside
import inside_passes
import page
import processes
import runs
import torch
import words
from rich.console import Console
from timing import Result, as_json, describe, machine, table

import method
import training

BENCHMARKS: dict[str, Callable[[], list[Result]]] = {
    "method-100": partial(method.benchmark, 100, wanted=100),
    "method-400": partial(method.benchmark, 400, wanted=500),
    "limits": curves.limits,
    "curves-pooling": curves.pooling,
    "curves-inside": curves.last_layer,
    "coverage": coverage.intervals,
    "erase": runs.erase,
    "pipeline": runs.pipelines,
    "epochs": runs.epochs,
    "training-head": training.head,
    "training-whole": training.whole,
    "host": host.work,
    "summary": host.summary,
    "memory": processes.memory,
    "memory-of-many": processes.memory_of_many,
    "help": processes.help_text,
    "hierarchy": hierarchy.throughput,
    "inside-opening": inside_passes.opening,
    "words-growth": words.growth,
    "words-singles": words.singles,
    "inside-analysis": inside.analysis,
    "inside-last-row": inside_passes.last_row,
    "inside-waits": inside_passes.waiting,
    "inside-singles": inside.singles,
    "inside-lower": inside.lower,
    "inside-prefixes": inside.prefixes,
    "atlas": atlas.whole,
    "inside-captum": inside.captum,
    "inside-memory": inside.memory,
    "rankings": attributions.costs,
    "page-frames": page.frames,
    "page-opening": page.opening,
}


def main() -> None:
    """Run the benchmarks asked for, print their table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME,...", help=f"some of {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="file to write (%(default)s)")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    results: list[Result] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += BENCHMARKS[name]()
    facts = machine()
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table(results))
    console.print(describe(facts))
    options.json.write_text(json.dumps(as_json(results, facts), indent=2) + "\n")
    console.print(f"written: {options.json}")


if __name__ == "__main__":
    main()
