"""What lies at a local path: a file, or a folder in one of the layouts that people have."""

import os
from pathlib import Path

from datasets import DatasetDict, load_dataset, load_dataset_builder, load_from_disk
from datasets.data_files import DataFilesDict, get_data_patterns
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from datasets.packaged_modules.text.text import TextConfig

from eraserhead.data.dialects import DialectSettings
from eraserhead.data.files import FORMATS, read_file, read_label_folders, refuse_unused
from eraserhead.data.label_folders import label_folders
from eraserhead.data.layout import dialect_of_card, read_splits, with_card, with_features
from eraserhead.data.places import existing_place
from eraserhead.data.sources import Source, reason_of, splits_of
from eraserhead.data.text_files import named_format
from eraserhead.errors import Setting, UserError

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
    setting, place = Setting("data.path", path), existing_place(path)
    if subset is not None and (place.is_file() or _is_saved(place)):
        raise UserError(Setting("data.subset", subset), f": {path} has no configurations; leave it out")
    try:
        return _read(place, subset, asked or DialectSettings())
    except UserError as error:
        raise UserError(setting, ": cannot be read (", error, ")") from error
    except Exception as error:  # whatever damaged files make their readers raise
        raise UserError(setting, f": cannot be read ({reason_of(error)})") from error


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
        return read_splits(files, asked)
    config = builder.config
    if not isinstance(config, OWN_READERS) or not config.data_files:
        refuse_unused("other", asked)
        return Source(splits_of(load_dataset(str(place), subset)))
    files = {str(split): list(map(Path, of_split)) for split, of_split in config.data_files.items()}
    card = dialect_of_card(config, [file for of_split in files.values() for file in of_split])
    return with_features(read_splits(files, with_card(asked, card)), builder.info.features)


def _named_files(place: Path) -> dict[str, list[Path]]:
    """Return the files by split that have formats of ours, for folders that `datasets` finds nothing in."""
    found = DataFilesDict.from_patterns(get_data_patterns(str(place)), base_path=str(place))
    files = {str(split): [Path(file) for file in of_split if named_format(Path(file)) in FORMATS]
             for split, of_split in found.items()}  # fmt: skip
    return {split: of_split for split, of_split in files.items() if of_split}


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
