"""Locks: one process at a time writes into a folder. The operating system takes them from a process that has ended."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from eraserhead.errors import Setting, UserError

LOCK = ".lock"  # name of the file in a folder; hidden, so that no folder is foreign because of it
PATIENCE = 0.2  # seconds: a lock that is just being given back is not taken for another process's


class LockedError(UserError):
    """Another process holds a lock."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let this process alone write into a folder; if that is new and still empty at the end, it is removed again.

    Raises:
        LockedError: Another process writes there; the message says which. Nothing is touched then.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with holding(folder / LOCK, str(folder), ", or choose another ", Setting("output_dir")):
            yield
    finally:
        for each in made:
            with suppress(OSError):
                each.rmdir()


@contextmanager
def holding(file: Path, name: str, *otherwise: str | Setting) -> Iterator[None]:
    """Hold a lock while the context lasts; its file is removed then.

    Args:
        file: The lock's file.
        name: What messages call the folder that is locked.
        otherwise: What messages say can be done beside waiting.

    Raises:
        LockedError: Another process holds it.
    """
    lock = FileLock(file)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout as error:
        raise LockedError(
            f"{name}: another process is writing here{_holder(file)}; wait until it has ended", *otherwise
        ) from error
    try:
        with suppress(OSError):  # a full disk: the lock holds, but does not say whose it is
            file.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # before the lock is given back: who waits for this file finds it gone, and makes a new one
        lock.release()


def _holder(file: Path) -> str:
    """Return whose a lock is, in brackets; nothing if its file does not say."""
    with suppress(OSError, ValueError):
        holder = file.read_text(encoding="utf-8").strip()
        return f" ({holder})" if holder else ""
    return ""
