"""Progress of a long job: a bar on a terminal, elsewhere a line after two seconds, and then at growing intervals."""

import logging
import time
from types import TracebackType
from typing import Self

from accelerate import Accelerator
from tqdm.auto import tqdm

from eraserhead.loading.waiting import EVERY, FIRST

LONG_RUN = 60.0  # seconds; of a longer run it is said how long it takes

logger = logging.getLogger("eraserhead")


class Progress:
    """Shows how many documents, or other things, are done, on the main process.

    Args:
        what: What is done to them.
        total: How many there are to do; null where that is not known yet.
        accelerator: The processes; the main one shows its own share.
        unit: What they are.
        first: Seconds until the first line, where there is no terminal.
    """

    def __init__(
        self, what: str, total: int | None, accelerator: Accelerator, unit: str = "document", first: float = FIRST
    ) -> None:
        self.done = 0
        self.total = total
        self._shown = accelerator.is_main_process
        self._what = what if accelerator.num_processes == 1 else f"{what}, process 1 of {accelerator.num_processes}"
        self._started = self._last = time.monotonic()
        self._wait, self._units = first, unit + ("es" if unit.endswith(("ch", "s")) else "s")
        self._bar = tqdm(total=total, desc=self._what, unit=unit, disable=no_bar(self._shown), leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._bar.close()

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at the pace so far; null where it is not known how much that is."""
        if self.total is None:
            return None
        return (time.monotonic() - self._started) / max(self.done, 1) * (self.total - self.done)

    def advance(self, documents: int = 1) -> None:
        """Count some as done."""
        self.done += documents
        self._bar.update(documents)
        if self._bar.disable and time.monotonic() - self._last >= self._wait:
            self._wait = min(2 * self._wait, EVERY)
            self.tell()

    def tell(self, more: str = "") -> None:
        """Say in a line how far the job is, about how long the rest takes, and what else there is to say."""
        self._last = time.monotonic()
        if self._shown:
            of, left = "", self.left
            if left is not None:
                of, more = f" of {self.total:,}", f", about {duration(left)} left{more}"
            took = duration(self._last - self._started)
            self._bar.clear()
            logger.info(f"{self._what}: {self.done:,}{of} {self._units} in {took}{more}")
            self._bar.refresh()


def no_bar(main: bool) -> bool | None:
    """Return what tqdm's `disable` has to be: None leaves bars out where the output is no terminal.

    Args:
        main: Whether this is the main process, which alone shows bars, unless nothing but results is asked for.
    """
    return None if main and logger.isEnabledFor(logging.INFO) else True


def written_bytes(count: float) -> str:
    """Write a number of bytes, such as ``3.2 GB``."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def duration(seconds: float) -> str:
    """Write a time span with the two units that matter: ``50 s``, ``3 min 20 s``, ``3 h 20 min``, ``2 d 5 h``."""
    whole = round(seconds)
    for size, unit, smaller, name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {name}"
    return f"{whole} s"
