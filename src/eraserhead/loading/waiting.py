"""Say what takes long where no bar counts it; light imports alone, since loading the libraries takes long itself."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from eraserhead.loading import launcher

FIRST, EVERY = 2.0, 30.0  # seconds until the first line, and at most between two

logger = logging.getLogger("eraserhead")


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say what is being done, in a line after `FIRST` seconds and again at growing intervals, on the main process.

    Args:
        what: What is done, such as ``loading the model``.
    """
    if launcher.rank():
        yield
        return
    done, started = threading.Event(), time.monotonic()

    def tell() -> None:
        wait = FIRST
        while not done.wait(wait):
            took = time.monotonic() - started
            logger.info("%s ...%s", what, "" if wait == FIRST else f" ({took:.0f} s so far)")
            wait = min(2 * wait, EVERY)

    teller = threading.Thread(target=tell, name="eraserhead waiting", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
