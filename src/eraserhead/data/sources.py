"""Reads the splits of a source: the hub, a folder or a file (`eraserhead.data.files`), with one-line errors."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetBuilder, DatasetDict, load_dataset, load_dataset_builder, load_from_disk
from datasets.config import DATASET_INFO_FILENAME
from datasets.exceptions import DatasetsError
from datasets.packaged_modules.csv.csv import CsvConfig

from eraserhead.data.files import ONLY_EMPTY_IS_ABSENT, lacks_header, read_file
from eraserhead.errors import MissingSplitError, Setting, UserError, nearest
from eraserhead.remote.downloads import fetch_dataset_files
from eraserhead.remote.failures import HTTP_ERROR, failure, http_error, with_retries

SAVED_FOLDER = ("dataset_dict.json", "state.json")  # written by save_to_disk
COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST_REASON = 240
UNREADABLE: tuple[type[Exception], ...] = (
    OSError, ValueError, RuntimeError, StopIteration, DatasetsError, HTTP_ERROR,
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What a source holds before anything is chosen or cleaned.

    Attributes:
        splits: Rows of every split, columns as in the source.
        single: Whether the source is one table without splits of its own, which then serves every role.
        revision: Commit of a hub data set, where the cache knows it.
        in_place: Whether the rows are read from the user's own Arrow files rather than from the cache of `datasets`.
    """

    splits: dict[str, Dataset]
    single: bool = False
    revision: str | None = None
    in_place: bool = False


def read_path(path: str, subset: str | None, headerless: tuple[str, ...] = ()) -> Source:
    """Read a folder in the hub's layout, a folder written by `save_to_disk`, or one file.

    Args:
        path: The folder or file; ``~`` is expanded.
        subset: Configuration of a folder in the hub's layout.
        headerless: Columns of a CSV file without a header line; such a file is recognised by its first field, a number
            from 1 to 5.

    Raises:
        UserError: If there is nothing at `path`, or nothing that can be read.
    """
    place = Path(path).expanduser()
    if not place.exists():
        siblings = [sibling.name for sibling in place.parent.iterdir()] if place.parent.is_dir() else []
        raise UserError(Setting("data.path", path), f": there is no such file or folder{nearest(place.name, siblings)}")
    if subset is not None and (place.is_file() or _is_saved(place)):
        raise UserError(Setting("data.subset", subset), f": {path} has no configurations; leave it out")
    try:
        if place.is_file():
            return Source({place.stem: read_file(place, headerless)}, single=True)
        if _is_saved(place):
            return _read_saved(place)
        return Source(_splits(_load(str(place), subset, None, headerless)))
    except UNREADABLE as error:
        raise UserError(Setting("data.path", path), f": cannot be read ({_reason(error)})") from error


def read_hub(name: str, subset: str | None, revision: str | None, headerless: tuple[str, ...] = ()) -> Source:
    """Read a data set of the hub, or of the local cache where the hub cannot be reached.

    Raises:
        UserError: If neither has it; the message says what was tried.
    """
    try:
        splits = _splits(with_retries(lambda: _load(name, subset, revision, headerless)))
    except UNREADABLE as error:
        if http_error(error) is not None:
            raise UserError(failure(error, name, revision=revision)) from error
        raise UserError(
            f"{name}: cannot be loaded from the hub or from the local cache ({_reason(error)}); check ",
            Setting("data.name"),
            ", ",
            Setting("data.subset"),
            " and the network, give a copy with ",
            Setting("data.path"),
            ", or set HF_HUB_OFFLINE=1 to skip the network",
        ) from error
    return Source(splits, revision=_resolved_revision(splits) or revision)


def pick_split(source: Source, wanted: str, setting: str) -> str:
    """Return the split to read for a role: `wanted`, or the only one of a source without splits.

    Raises:
        MissingSplitError: If there is no such split.
        UserError: If it is empty.
    """
    split = next(iter(source.splits)) if source.single else wanted
    if split not in source.splits:
        known = ", ".join(source.splits)
        hint = nearest(wanted, source.splits)
        raise MissingSplitError(Setting(setting, wanted), f": no such split{hint}; there are: {known}")
    if not len(source.splits[split]):
        raise UserError(Setting(setting), f": split '{split}' has no rows")
    return split


def _load(where: str, subset: str | None, revision: str | None, headerless: tuple[str, ...]) -> DatasetDict:
    *others, last = _options(where, subset, revision, headerless)
    for options in others:
        with suppress(ValueError):
            return load_dataset(where, subset, revision=revision, **options)
    return load_dataset(where, subset, revision=revision, **last)


def _options(
    where: str, subset: str | None, revision: str | None, headerless: tuple[str, ...]
) -> tuple[dict[str, Any], ...]:
    """Return the reader's options for the source; if it cannot be reached, all that it may be cached under."""
    named = {**ONLY_EMPTY_IS_ABSENT, "names": list(headerless)}
    try:
        builder = load_dataset_builder(where, subset, revision=revision)
        _fetch(where, builder)
    except ValueError as error:
        if "find cache" not in str(error):
            raise
        return (ONLY_EMPTY_IS_ABSENT, named) if headerless else (ONLY_EMPTY_IS_ABSENT,)
    if not isinstance(builder.config, CsvConfig) or not builder.config.data_files:
        return ({},)
    first_file = next(iter(builder.config.data_files.values()))[0]
    return (named if headerless and lacks_header(first_file) else ONLY_EMPTY_IS_ABSENT,)


def _fetch(name: str, builder: DatasetBuilder) -> None:
    """Download a hub data set's files, unless they have been read into the cache before."""
    if not (Path(builder.cache_dir) / DATASET_INFO_FILENAME).is_file():
        files = builder.config.data_files or {}
        fetch_dataset_files(name, (str(file) for split in files.values() for file in split))


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SAVED_FOLDER)


def _read_saved(folder: Path) -> Source:
    try:
        saved = load_from_disk(str(folder))
    except IndexError as error:  # what `datasets` raises for a split without rows
        raise ValueError("a split without rows was saved there") from error
    if isinstance(saved, DatasetDict):
        return Source(_splits(saved), in_place=True)
    return Source({str(saved.split or folder.name): saved}, single=True, in_place=True)


def _splits(loaded: DatasetDict) -> dict[str, Dataset]:
    if not loaded:
        raise ValueError("there are no rows")
    return {str(split): rows for split, rows in loaded.items()}


def _resolved_revision(splits: dict[str, Dataset]) -> str | None:
    """Return the commit of a hub data set, after which `datasets` names the folder in its cache."""
    folders = [Path(file["filename"]).parent.name for rows in splits.values() for file in rows.cache_files]
    return next((folder for folder in folders if COMMIT.fullmatch(folder)), None)


def _reason(error: BaseException) -> str:
    """Return the innermost message on one line."""
    innermost = error
    while isinstance(innermost, DatasetsError) and innermost.__cause__ is not None:
        innermost = innermost.__cause__
    line = " ".join(str(innermost).split()) or type(innermost).__name__
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
