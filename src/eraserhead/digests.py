"""Digests of files: what a disk has changed is found, and not read as if it were right."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import xxhash

MISSING, CHANGED = "missing", "its digest differs from the one recorded when it was written"


def digest(content: bytes) -> str:
    """Return the digest of some bytes: 128 bits of XXH3, as quick as memory; nobody has to be kept from forging it."""
    return xxhash.xxh3_128_hexdigest(content)


def file_digest(file: Path) -> str:
    """Return the digest of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, xxhash.xxh3_128).hexdigest()


def digests(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the digests of files in a folder, by name."""
    return {name: file_digest(folder / name) for name in files}


def changed_file(folder: Path, recorded: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first file that is not as it was written, and what is wrong with it; null where all are right."""
    for name, known in recorded.items():
        if not (folder / name).is_file():
            return name, MISSING
        if file_digest(folder / name) != known:
            return name, CHANGED
    return None
