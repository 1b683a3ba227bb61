"""Folders named after labels, with one text in each file, such as ``train/pos/0_9.txt``."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from eraserhead.data.text_files import encoding_of, left_there, open_text
from eraserhead.errors import UserError

TEXT_SUFFIXES = ("", ".txt", ".text")
SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip
WITHOUT_LABEL = ("unsup", "unsupervised", "unlabeled", "unlabelled", "unlab")
FILES_AT_ONCE = 10_000


@dataclass(frozen=True)
class LabelFolders:
    """Folders of texts.

    Attributes:
        splits: By the name of the split the folders of its labels; a folder without splits has one, called after it.
        single: Whether there are no splits.
        left_out: Folders whose texts have no label, as paths below the root.
    """

    splits: dict[str, list[Path]]
    single: bool
    left_out: tuple[str, ...]


def label_folders(root: Path) -> LabelFolders | None:
    """Return the folders named after labels inside a folder or its splits; null where it is another kind of folder."""
    below = {folder: _folders_of_texts(folder) for folder in _folders(root) if folder.name.lower() in SPLITS}
    splits = {SPLITS[folder.name.lower()]: inner for folder, inner in below.items() if len(inner) > 1}
    single = not below
    if single and len(found := _folders_of_texts(root)) > 1:
        splits = {root.resolve().name: found}
    if not splits or len(splits) < len(below):
        return None
    left_out = [folder for folders in splits.values() for folder in folders if _is_unlabelled(folder)]
    labelled = {split: [each for each in folders if not _is_unlabelled(each)] for split, folders in splits.items()}
    return LabelFolders(labelled, single, tuple(str(folder.relative_to(root)) for folder in left_out))


def files_of(folders: list[Path]) -> list[Path]:
    """Return the files of texts in folders, in the order of folders and names."""
    return [file for folder in folders for file in sorted(folder.iterdir()) if not left_there(file.name)]


def texts_of(files: list[Path], encoding: str | None) -> Iterator[pa.Table]:
    """Yield tables of texts, whole files, with the names of their folders as labels."""
    for start in range(0, len(files), FILES_AT_ONCE):
        some = files[start : start + FILES_AT_ONCE]
        texts = pa.array([_content(file, encoding) for file in some], pa.string())
        yield pa.table({"text": texts, "label": pa.array([file.parent.name for file in some], pa.string())})


def _content(file: Path, encoding: str | None) -> str:
    if not file.stat().st_size:
        return ""
    try:
        with open_text(file, encoding_of(file, encoding)) as stream:
            return stream.read().removeprefix("\ufeff").strip("\r\n")
    except UserError as error:
        raise UserError(f"{file.parent.name}/{file.name}: ", error) from error


def _folders_of_texts(folder: Path) -> list[Path]:
    return [each for each in _folders(folder) if _holds_texts_alone(each)]


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith((".", "__")))


def _holds_texts_alone(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if not left_there(entry.name)]
    return bool(shown) and all(entry.is_file() and Path(entry.name).suffix.lower() in TEXT_SUFFIXES for entry in shown)


def _is_unlabelled(folder: Path) -> bool:
    return folder.name.lower() in WITHOUT_LABEL
