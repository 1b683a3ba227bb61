"""Sealed folders: a record in them has the digest of every other file."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from eraserhead.digests import changed_file, digests
from eraserhead.errors import UserError
from eraserhead.files import damaged
from eraserhead.records import read_record, write_record

SEAL = "digests.json"


@dataclass(frozen=True)
class Seal:
    """The files of a folder as they were written.

    Attributes:
        files: Digest of each file by its path in the folder.
    """

    FORMAT: ClassVar[int] = 1

    files: dict[str, str]


def seal(folder: Path, nested: bool = False) -> None:
    """Record the digests of all files in a folder; write nothing into it afterwards.

    Args:
        folder: The folder.
        nested: Whether files of the folders inside it are recorded too.
    """
    files = folder.rglob("*") if nested else folder.iterdir()
    names = sorted(file.relative_to(folder).as_posix() for file in files if file.is_file())
    write_record(folder / SEAL, Seal(digests(folder, (name for name in names if name != SEAL))))


def is_sealed(folder: Path) -> bool:
    """Tell whether a folder has a seal, broken or not."""
    return (folder / SEAL).is_file()


def check_seal(folder: Path, mend: str) -> Seal:
    """Return the seal of a folder whose files are all as they were written.

    Raises:
        UserError: A file is missing or differs, or the seal itself; the message names it, and `mend` says what to do.
    """
    found = read_record(Seal, folder / SEAL, mend)
    changed = changed_file(folder, found.files)
    if changed is not None:
        raise UserError(damaged(folder / changed[0], changed[1], mend))
    return found
