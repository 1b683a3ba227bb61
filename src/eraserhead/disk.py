"""Failures of the disk, whatever a library makes of them."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eraserhead.errors import UserError, causes

FAILURES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
NUMBER = re.compile(r"(?:os error|errno) (\d+)", re.IGNORECASE)  # in texts of Rust's libraries and of Arrow
TORCH_WRITING = re.compile(r"PytorchStreamWriter|unexpected pos \d+|iostream error")  # torch gives no number
PROBE = 1 << 20  # bytes that are written to find out why torch could not write


@contextmanager
def disk_failures(folder: Path) -> Iterator[None]:
    """Raise `OSError` with its number and a path where a library fails because of the disk.

    Tokenizers raise a bare `Exception`, safetensors an error of its own, torch a `RuntimeError` without a number.

    Args:
        folder: Where the library writes.
    """
    try:
        yield
    except Exception as error:
        found = disk_failure(error)
        if found is None and isinstance(error, RuntimeError) and TORCH_WRITING.search(str(error)):
            found = OSError(_why(folder), "")
        if found is None or (found is error and found.filename is not None):
            raise
        number = found.errno or errno.EIO
        raise OSError(number, os.strerror(number), str(found.filename or folder)) from error


def disk_failure(error: BaseException) -> OSError | None:
    """Return the failure of the disk among the causes of an error; null where there is none."""
    if isinstance(error, UserError):
        return None
    for each in causes(error):
        if isinstance(each, OSError) and each.errno in FAILURES:
            return each
        number = NUMBER.search(str(each))
        if number is not None and int(number[1]) in FAILURES:
            return OSError(int(number[1]), os.strerror(int(number[1])))
    return None


def _why(folder: Path) -> int:
    """Return the number of the error that a file in a folder gives; that of input and output where it gives none."""
    place = next(each for each in (folder, *folder.parents) if each.is_dir())
    probe = place / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(bytes(PROBE))
    except OSError as error:
        return error.errno or errno.EIO
    finally:
        with suppress(OSError):
            probe.unlink()
    return errno.EIO
