"""SIGTERM as an exception: what schedulers and containers send first, so that a command can end as after Ctrl-C."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM  # as of a process that it has ended
SETTLING = 5.0  # seconds


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise `Terminated` at SIGTERM; further ones within `SETTLING` seconds do not disturb what is tidied up then.

    A later one raises again: `datasets`, where it hashes, catches everything and may swallow the first.
    """
    if threading.current_thread() is not threading.main_thread():  # Python lets no other set handlers
        yield
        return
    process, raised = os.getpid(), float("-inf")

    def terminate(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if os.getpid() != process:  # a worker that was forked ends at once, as its pool expects
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if time.monotonic() - raised >= SETTLING:
            raised = time.monotonic()
            raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
