"""What lies at a local path: a file, or a folder in one of the layouts that people have."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import DatasetBuilder, DatasetDict, load_dataset, load_dataset_builder, load_from_disk
from datasets.data_files import DataFilesDict, get_data_patterns
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from datasets.packaged_modules.text.text import TextConfig

from eraserhead.data.dialects import DialectSettings
from eraserhead.data.files import FORMATS, Rows, read_file, read_files, read_label_folders, refuse_unused
from eraserhead.data.label_folders import label_folders
from eraserhead.data.sources import Source, reason_of, splits_of
from eraserhead.data.text_files import named_format
from eraserhead.errors import Setting, UserError, nearest

SAVED_FOLDER = ("dataset_dict.json", "state.json")  # written by save_to_disk
OWN_READERS = (CsvConfig, JsonConfig, TextConfig)  # what `datasets` would read, and is read here with more care


def read_path(path: str, subset: str | None, asked: DialectSettings | None = None) -> Source:
    """Read one file, a folder in the hub's layout, one written by `save_to_disk`, or one of texts by label.

    Args:
        path: The folder or file; ``~`` is expanded.
        subset: Configuration of a folder in the hub's layout.
        asked: What the user says about the dialect of text files.

    Raises:
        UserError: If there is nothing at `path`, or nothing that can be read.
    """
    setting, place = Setting("data.path", path), _place(path)
    if subset is not None and (place.is_file() or _is_saved(place)):
        raise UserError(Setting("data.subset", subset), f": {path} has no configurations; leave it out")
    try:
        return _read(place, subset, asked or DialectSettings())
    except UserError as error:
        raise UserError(setting, ": cannot be read (", error, ")") from error
    except Exception as error:  # whatever damaged files make their readers raise
        raise UserError(setting, f": cannot be read ({reason_of(error)})") from error


def _place(path: str) -> Path:
    """Return an existing file or folder.

    Raises:
        UserError: There is none, or it is a device, which need not end.
    """
    setting = Setting("data.path", path)
    try:
        place = Path(path).expanduser()
        mode = place.stat().st_mode
    except FileNotFoundError:
        place = Path(path).expanduser()
        siblings = [sibling.name for sibling in place.parent.iterdir()] if place.parent.is_dir() else []
        raise UserError(setting, f": there is no such file or folder{nearest(place.name, siblings)}") from None
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL inside, no such user, not permitted
        raise UserError(
            setting, f": no path of a file or folder ({getattr(error, 'strerror', None) or error})"
        ) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(setting, ": neither a file nor a folder, but a device or a pipe; write it to a file first")
    return place


def _read(place: Path, subset: str | None, asked: DialectSettings) -> Source:
    if place.is_file():
        read = read_file(place, asked)
        split = _stem(place) if asked.field is None else f"{_stem(place)}.{asked.field}"
        return Source({split: read.rows}, single=True, hint=read.hint)
    _check_ends(place)
    if _is_saved(place):
        refuse_unused("saved", asked)
        return _read_saved(place)
    if subset is None and (found := label_folders(place)) is not None:
        return Source(read_label_folders(found, asked), single=found.single)
    return _read_layout(place, subset, asked)


def _stem(file: Path) -> str:
    """Return a file's name without the endings that tell its format."""
    return Path(file.stem).stem if Path(file.stem).suffix.lower() in FORMATS else file.stem


def _check_ends(folder: Path) -> None:
    """Refuse a folder with a device or a pipe in it, from which readers would read without an end."""
    for parent, _, files in os.walk(folder):
        for name in files:
            file = Path(parent, name)
            if file.exists() and not file.is_file():
                raise UserError(f"{file.relative_to(folder)} is neither a file nor a folder; remove it")


def _read_layout(place: Path, subset: str | None, asked: DialectSettings) -> Source:
    """Read a folder in the hub's layout: what its card or the names of its files say about splits."""
    try:
        builder = load_dataset_builder(str(place), subset)
    except FileNotFoundError:
        if subset is not None or not (files := _named_files(place)):
            raise
        return _read_splits(files, asked)
    config = builder.config
    if not isinstance(config, OWN_READERS) or not config.data_files:
        refuse_unused("other", asked)
        return Source(splits_of(load_dataset(str(place), subset)))
    read = _read_splits({str(split): list(map(Path, files)) for split, files in config.data_files.items()},
                        _with_card(asked, config))  # fmt: skip
    return _with_features(read, builder)


def _read_splits(files: Mapping[str, list[Path]], asked: DialectSettings) -> Source:
    read: dict[str, Rows] = {}
    for split, of_split in files.items():
        try:
            read[split] = read_files(of_split, asked)
        except UserError as error:
            raise UserError(f"split '{split}': ", error) from error
        except ValueError as error:
            raise UserError(f'split "{split}" corresponds to no data, or cannot be read: ', reason_of(error)) from error
    return Source({split: each.rows for split, each in read.items()}, hint=next(iter(read.values())).hint)


def _named_files(place: Path) -> dict[str, list[Path]]:
    """Return the files by split that have formats of ours, for folders that `datasets` finds nothing in."""
    found = DataFilesDict.from_patterns(get_data_patterns(str(place)), base_path=str(place))
    files = {str(split): [Path(file) for file in of_split if named_format(Path(file)) in FORMATS]
             for split, of_split in found.items()}  # fmt: skip
    return {split: of_split for split, of_split in files.items() if of_split}


def _with_card(asked: DialectSettings, config: Any) -> DialectSettings:
    """Return the settings with what the folder's card says, where the user says nothing."""
    separator = getattr(config, "sep", None)
    names = getattr(config, "names", None)
    encoding = getattr(config, "encoding", None)
    return replace(
        asked,
        encoding=asked.encoding or (None if encoding in (None, "utf-8") else encoding),
        separator=asked.separator or (None if separator in (None, ",", "\t") else separator),
        column_names=asked.column_names or (tuple(names) if names else None),
        field=asked.field or getattr(config, "field", None),
    )


def _with_features(read: Source, builder: DatasetBuilder) -> Source:
    """Return the source with the types and class names that the folder's card declares."""
    features = builder.info.features
    if features is None:
        return read
    splits = {
        split: rows.select_columns(list(features)).cast(features) if set(features) <= set(rows.column_names) else rows
        for split, rows in read.splits.items()
    }
    return replace(read, splits=splits)


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SAVED_FOLDER)


def _read_saved(folder: Path) -> Source:
    try:
        saved = load_from_disk(str(folder))
    except IndexError as error:  # how `datasets` puts it
        raise ValueError("a split without rows was saved there") from error
    if isinstance(saved, DatasetDict):
        return Source(splits_of(saved), in_place=True)
    return Source({str(saved.split or folder.name): saved}, single=True, in_place=True)
