"""Files that are whole or not there, and folders that are ours or left alone."""

import errno
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

from eraserhead.errors import Setting, UserError

UNFINISHED = ".unfinished"
PACKAGES = (
    "eraserhead",
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "tokenizers",
    "sentencex",
    "numpy",
    "pyarrow",
)
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)
FULL = 1 << 20  # bytes: a writer that fails with less than this left has filled the disk


def read_mapping(path: Path, mend: str) -> dict[str, Any]:
    """Read a JSON or YAML file that holds a mapping.

    Raises:
        UserError: It is damaged; `mend` says what to do then.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: damaged ({' '.join(str(error).split())[:100]}); {mend}") from error
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path}: damaged (no mapping in it); {mend}")
    return content


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON under its final name only when all of it is written."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text under its final name only when all of it is written."""
    unfinished = path.with_name(path.name + UNFINISHED)
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


@contextmanager
def full_disk_is_an_os_error(folder: Path) -> Iterator[None]:
    """Raise `OSError` where torch or safetensors fail because the disk is full, which each says in its own way."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        if shutil.disk_usage(folder).free > FULL:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error


def refuse_foreign(folder: Path, what: str) -> None:
    """Refuse an output folder that holds something else.

    Raises:
        UserError: It is a file, or holds files although it has no mark of ours.
    """
    if folder.is_file():
        raise UserError(f"{folder}: is a file; ", Setting("output_dir"), " names a folder")
    if folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise UserError(f"{folder}: holds files that are not {what}; choose another ", Setting("output_dir"))


def differences(first: Any, second: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of what differs between two JSON contents."""
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return [prefix] if first != second else []
    return [
        name
        for key in sorted({*first, *second})
        for name in differences(first.get(key), second.get(key), f"{prefix}.{key}" if prefix else key)
    ]


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return two mappings as one, nested ones too; the second wins."""
    both = {
        name: merged(first[name], second[name])
        for name in {*first, *second}
        if isinstance(first.get(name), dict) and isinstance(second.get(name), dict)
    }
    return {**first, **second, **both}


def environment() -> dict[str, Any]:
    """Return versions and the machine, as far as they bear on results."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": {package: version(package) for package in PACKAGES},
    }
