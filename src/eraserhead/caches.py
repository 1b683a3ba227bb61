"""Entries of caches on disk: folders that several processes may write at once, and that any of them may need again."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.files import UNFINISHED, remove, remove_at_once, replacing, unfinished_name
from eraserhead.locks import LockedError, holding
from eraserhead.seals import check_seal, seal

LOCK = re.compile(r"\.(.+)\.lock")  # name of the lock of an entry that is being written
logger = logging.getLogger("eraserhead")


def is_cached(entry: Path) -> bool:
    """Tell whether an entry is there as it was written; one that is damaged is removed, and the log says so."""
    if not entry.is_dir():
        return False
    try:
        check_seal(entry, "it is made again")
    except UserError as error:
        logger.info("%s", error)
        with suppress(OSError):  # in a cache that may only be read
            remove_at_once(entry)
        return False
    return True


@contextmanager
def new_entry(entry: Path, mark: str) -> Iterator[Path]:
    """Yield a path to write a folder to; it becomes the entry when it is complete, unless another process was first.

    Args:
        entry: The entry.
        mark: Suffix of the temporary name, which no other process of this cache has.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    lock = _lock(unfinished_name(entry, mark))
    with holding(lock, str(entry)), replacing(entry, mark, keep=True) as unfinished:
        yield unfinished
        if unfinished.is_dir():
            seal(unfinished)


def tidy(cache: Path) -> None:
    """Remove what processes have left unfinished that were killed; what others are writing stays."""
    left = {LOCK.sub(r"\1", path.name) for path in cache.glob(f"*{UNFINISHED}-*")}
    for unfinished in (cache / name for name in left):
        with suppress(LockedError, OSError), holding(_lock(unfinished), str(unfinished)):
            remove(unfinished)


def _lock(unfinished: Path) -> Path:
    """Return the lock beside a folder, which is held before that is made."""
    return unfinished.with_name(f".{unfinished.name}.lock")
