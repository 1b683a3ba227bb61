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
        files: Digest of each file by name.
    """

    FORMAT: ClassVar[int] = 1

    files: dict[str, str]


def seal(folder: Path) -> None:
    """Record the digests of all files in a folder; write nothing into it afterwards."""
    files = sorted(file.name for file in folder.iterdir() if file.is_file() and file.name != SEAL)
    write_record(folder / SEAL, Seal(digests(folder, files)))


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
