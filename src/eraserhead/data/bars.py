"""The progress bars of `datasets`."""

from collections.abc import Iterator
from contextlib import contextmanager

from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars


@contextmanager
def without_bars() -> Iterator[None]:
    """Leave out the bars of `datasets`, in a block or a decorated function: this package tells what takes long."""
    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
