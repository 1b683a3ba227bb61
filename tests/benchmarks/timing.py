"""Ratios of two things timed in turns, and how they are reported."""

import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.table import Table

PACKAGES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "numpy", "captum")


@dataclass(frozen=True)
class Pair:
    """Seconds of two sides that were timed in turns: one entry a round."""

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median of `first` over median of `second`."""
        return median(self.first) / median(self.second)

    @property
    def spread(self) -> tuple[float, float]:
        """Smallest and largest ratio of one round."""
        ratios = [first / second for first, second in zip(self.first, self.second, strict=True)]
        return min(ratios), max(ratios)


@dataclass(frozen=True)
class Result:
    """What one benchmark measured.

    Attributes:
        name: Name of the benchmark.
        what: What is divided by what, or measured.
        measured: The ratio of medians, or the number itself.
        wanted: Bound on it; null where none is set.
        at_least: Whether `wanted` is a lower bound.
        spread: Smallest and largest in one round.
        unit: "x" for ratios.
        figures: Absolute figures, by what they are.
        notes: How it was measured, as far as it bears on the figure.
    """

    name: str
    what: str
    measured: float
    wanted: float | None
    at_least: bool
    spread: tuple[float, float]
    figures: Mapping[str, float | str]
    unit: str = "x"
    notes: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the bound holds; null where none is set."""
        if self.wanted is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


def seconds(call: Callable[[], object]) -> float:
    """Return the processor time of one call, and of the processes that it ran: others on the machine do not count."""
    started = _processor_time()
    call()
    return _processor_time() - started


def _processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def in_turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> Pair:
    """Take two measurements in turns: first, second, first, second, ...; the caller has warmed both up."""
    measured = [(first(), second()) for _ in range(rounds)]
    return Pair(*map(tuple, zip(*measured, strict=True)))


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    return {
        "cpu": _cpu_model(),
        "cores": len(_cpu_entries("processor")) or None,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
    }


def describe(facts: Mapping[str, Any]) -> str:
    """Return one line on the machine."""
    versions = ", ".join(f"{package} {number}" for package, number in facts["versions"].items())
    return (
        f"{facts['cores']} cores of {facts['cpu']}, {facts['threads']} thread(s); Python {facts['python']}, {versions}"
    )


def table(results: list[Result]) -> Table:
    """Return all results as one table."""
    rendered = Table("benchmark", "what", "measured", "wanted", "reached", "absolute figures", show_lines=True)
    for result in results:
        low, high = result.spread
        bound = "" if result.wanted is None else f"{'>=' if result.at_least else '<='} {result.wanted:g}{result.unit}"
        rendered.add_row(
            result.name,
            result.what + (f"\n({result.notes})" if result.notes else ""),
            f"{_number(result.measured)}{result.unit}\n({_number(low)}..{_number(high)})",
            bound,
            {None: "", True: "yes", False: "no"}[result.reached],
            "\n".join(f"{name}: {_number(value)}" for name, value in result.figures.items()),
        )
    return rendered


def as_json(results: list[Result], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that the table shows, and more digits."""
    return {"machine": facts, "results": [{**asdict(result), "reached": result.reached} for result in results]}


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _cpu_entries(key: str) -> list[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    return [line.split(":", 1)[1].strip() for line in lines if line.split(":", 1)[0].strip() == key]


def _cpu_model() -> str:
    return next(iter(_cpu_entries("model name")), platform.processor() or "an unknown CPU")
