"""SIGTERM as an exception: what schedulers and containers send first, so that a command can end as after Ctrl-C."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM  # as of a process that it has ended


class Terminated(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise `Terminated` at the first SIGTERM; further ones do not disturb what is tidied up then."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other set handlers
        yield
        return
    process = os.getpid()

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN if os.getpid() == process else signal.SIG_DFL)
        if os.getpid() != process:  # a worker that was forked ends at once, as its pool expects
            os.kill(os.getpid(), number)
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
