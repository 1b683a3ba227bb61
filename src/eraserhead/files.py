"""Atomic writes, and checks that an output folder may be used."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eraserhead.disk import disk_failures
from eraserhead.errors import Setting, UserError
from eraserhead.yaml_text import read_yaml

UNFINISHED, PREVIOUS = ".unfinished", ".previous"  # suffixes of what is written, and of what it replaces
OURS = re.compile(rf".+({UNFINISHED}(-\w+)*|{PREVIOUS})")  # what a process that was killed leaves
POINTER = b"version https://git-lfs"  # what a file begins with that Git LFS has not fetched


@contextmanager
def replacing(final: Path, mark: str = "", keep: bool = False) -> Iterator[Path]:
    """Yield a path to write a file or folder to; it gets its final name only when it is complete.

    Until then, and after an error or Ctrl-C, the old file or folder is untouched. If the process is killed between the
    two renames of a folder, the old folder is left under the name `previous`. If nothing is written, nothing changes.

    Args:
        final: The final name; its parent folder is created.
        mark: Suffix of the temporary name, where several programs may write the same file at once.
        keep: If `final` exists when the context ends, leave it, and drop what was written.

    Raises:
        OSError: The disk is full or broken, whatever the library raises that writes; it has a number and a path.
    """
    unfinished = unfinished_name(final, mark)
    remove(unfinished)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        with disk_failures(unfinished):
            yield unfinished
            if unfinished.exists() and not (keep and final.exists()):
                _take_place(unfinished, final)
    finally:
        remove(unfinished)


@contextmanager
def moving_into(folder: Path, last: str) -> Iterator[Path]:
    """Yield an empty folder; at the end its files move into `folder`, the file named `last` after all others.

    Raises:
        OSError: As in `replacing`.
    """
    unfinished = moving_name(folder)
    remove(unfinished)
    unfinished.mkdir(parents=True)
    try:
        with disk_failures(folder):
            yield unfinished
        for file in sorted(unfinished.iterdir(), key=lambda path: (path.name == last, path.name)):
            _take_place(file, folder / file.name)
    finally:
        remove(unfinished)


def moving_name(folder: Path) -> Path:
    """Return the name of the folder from which files move into another one."""
    return unfinished_name(folder / "files")


def unfinished_name(final: Path, mark: str = "") -> Path:
    """Return the name of a file or folder while it is being written."""
    return final.with_name(f"{final.name}{UNFINISHED}{mark}")


def previous(final: Path) -> Path:
    """Return the name that a folder has while another one replaces it."""
    return final.with_name(final.name + PREVIOUS)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_at_once(folder: Path) -> None:
    """Remove a folder atomically: an interruption leaves all of it under its name, or nothing."""
    if folder.is_dir():
        remove(previous(folder))
        os.replace(folder, previous(folder))
    remove(previous(folder))


def _take_place(unfinished: Path, final: Path) -> None:
    if unfinished.is_dir() and final.is_dir():
        remove(previous(final))
        os.replace(final, previous(final))
    os.replace(unfinished, final)
    if final.is_dir():
        remove(previous(final))


def read_mapping(path: Path, mend: str) -> dict[str, Any]:
    """Read a JSON or YAML file that holds a mapping.

    Raises:
        UserError: The file is damaged; the message ends with `mend`, which says what to do.
    """
    if path.exists() and not path.is_file():
        raise UserError(damaged(path, "no regular file", mend))
    try:
        text = path.read_text(encoding="utf-8")
        content = read_yaml(text) if path.suffix == ".yaml" else json.loads(text)
    except RecursionError as error:
        raise UserError(damaged(path, "nested too deeply", mend)) from error
    except (OSError, ValueError) as error:
        raise UserError(damaged(path, error, mend)) from error
    if not isinstance(content, dict) or not content:
        raise UserError(damaged(path, "no mapping in it", mend))
    return content


def damaged(path: Path, why: object, mend: str) -> str:
    """Return the message about a damaged file."""
    return f"{path}: damaged ({' '.join(str(why).split())[:100]}); {mend}"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def check_folder(folder: Path) -> None:
    """Refuse an output folder that can be none.

    Raises:
        UserError: Its name has a NUL character, or it is a file.
    """
    if "\0" in str(folder):
        raise UserError(Setting("output_dir", str(folder)), ": no path holds a NUL character")
    if folder.is_file():
        raise UserError(f"{folder}: is a file; ", Setting("output_dir"), " names a folder")


def refuse_foreign(folder: Path, what: str) -> None:
    """Refuse an output folder that holds foreign files; what a killed process left of ours is none.

    Raises:
        UserError: It is a file, or a folder with any other file that is not hidden.
    """
    check_folder(folder)
    if folder.is_dir() and any(not (name.startswith(".") or OURS.fullmatch(name)) for name in os.listdir(folder)):
        raise UserError(f"{folder}: holds files that are not {what}; choose another ", Setting("output_dir"))


def differences(first: Any, second: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of the fields that differ between two JSON objects."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return [prefix] if first != second else []
    return [
        name
        for key in sorted({*first, *second})
        for name in differences(first.get(key), second.get(key), f"{prefix}.{key}" if prefix else key)
    ]
