"""Data sets of the hub: CSV files by our own reader, so that no row is lost or merged, and others by `datasets`."""

import json
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datasets import Dataset, DatasetBuilder, DatasetDict, Features, load_dataset, load_dataset_builder
from datasets import config as settings
from datasets.config import DATASET_INFO_FILENAME
from datasets.fingerprint import Hasher
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from datasets.packaged_modules.text.text import TextConfig
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from eraserhead.data.dialects import TABLE, DialectSettings
from eraserhead.data.layout import dialect_of_card, read_splits, with_card, with_features
from eraserhead.data.sources import Source, reason_of, splits_of
from eraserhead.errors import Setting, UserError
from eraserhead.records import read_record, write_record
from eraserhead.remote.downloads import DATASET_FILE, cached_dataset_file, fetch_dataset_files
from eraserhead.remote.failures import causes, failure, http_error, with_retries

logger = logging.getLogger("eraserhead")

COMMIT = re.compile(r"[0-9a-f]{40}")
*_OTHERS, _LAST = (Setting(f"data.{name}") for name in TABLE)
ANY_OF_TABLE = UserError(UserError.joined(_OTHERS, ", "), " or ", _LAST).args


@dataclass(frozen=True)
class HubFiles:
    """The files of a data set, kept so that they are found again without the hub.

    Attributes:
        name: Id of the data set.
        commit: Commit that they are of.
        files: Their paths in the repository, by split.
        card: What the card says about their dialect.
        features: The types and class names that it declares, as JSON; null for none.
    """

    FORMAT: ClassVar[int] = 1

    name: str
    commit: str
    files: dict[str, list[str]]
    card: DialectSettings
    features: str | None


def read_hub(name: str, subset: str | None, revision: str | None, asked: DialectSettings | None = None) -> Source:
    """Read a data set of the hub, or of the local cache where the hub cannot be reached.

    Raises:
        UserError: If neither has it; the message says what was tried. Or if `asked` means nothing for its files.
    """
    _check_id(name)
    try:
        return with_retries(lambda: _read(name, subset, revision, asked or DialectSettings()))
    except UserError:
        raise
    except Exception as error:  # whatever a data set's files make its readers raise
        if http_error(error) is not None:
            raise UserError(failure(error, name, revision=revision)) from error
        if any(isinstance(each, UnicodeError) for each in causes(error)):
            raise UserError(
                f"{name}: cannot be read ({reason_of(error)}); say how its files are written with ", *ANY_OF_TABLE
            ) from error
        raise UserError(
            f"{name}: cannot be loaded from the hub or from the local cache ({reason_of(error)}); check ",
            Setting("data.name"),
            ", ",
            Setting("data.subset"),
            " and the network, give a copy with ",
            Setting("data.path"),
            ", or set HF_HUB_OFFLINE=1 to skip the network",
        ) from error


def _read(name: str, subset: str | None, revision: str | None, asked: DialectSettings) -> Source:
    record = Path(settings.HF_DATASETS_CACHE) / "eraserhead" / "hub" / f"{Hasher.hash((name, subset, revision))}.json"
    try:
        builder = load_dataset_builder(name, subset, revision=revision)
    except Exception as error:  # whatever the client raises without a network
        if http_error(error) is None and record.is_file():
            return _read_files(read_record(HubFiles, record, "remove it"), asked)
        if "find cache" not in str(error):
            raise
        builder = None
    if builder is None or not builder.config.data_files:  # away, or cached by `datasets`
        if record.is_file():
            return _read_files(read_record(HubFiles, record, "remove it"), asked)
        given = [_given(asked)] if asked.given else []
        return _loaded(name, subset, revision, [{}, *given] if builder is None else [*given, {}][:1])
    if isinstance(builder.config, CsvConfig):
        found = _fetched(name, builder)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_record(record, found)
        return _read_files(found, asked)
    _check_listens(name, builder.config, asked)
    if not (Path(builder.cache_dir) / DATASET_INFO_FILENAME).is_file():
        fetch_dataset_files(name, _addresses(builder))
    return _loaded(name, subset, revision, [_given(asked)])


def _fetched(name: str, builder: DatasetBuilder) -> HubFiles:
    """Download the files of a data set, and return where they are."""
    elsewhere = next((each for each in _addresses(builder) if DATASET_FILE.fullmatch(each) is None), None)
    if elsewhere is not None:
        raise UserError(f"{name}: its files are elsewhere ({elsewhere}): fetch them, and give ", Setting("data.path"))
    fetch_dataset_files(name, _addresses(builder))
    matches = {str(split): [DATASET_FILE.fullmatch(str(file)) for file in files]
               for split, files in (builder.config.data_files or {}).items()}  # fmt: skip
    files = {split: [match[3] for match in of_split if match] for split, of_split in matches.items()}
    commit = next(match[2] for of_split in matches.values() for match in of_split if match)
    features = builder.info.features
    try:
        local = [cached_dataset_file(name, file, commit) for of_split in files.values() for file in of_split]
        card = dialect_of_card(builder.config, local)
    except UserError as error:
        raise UserError(f"{name}: ", error) from error
    return HubFiles(name, commit, files, card, None if features is None else json.dumps(features.to_dict()))


def _read_files(found: HubFiles, asked: DialectSettings) -> Source:
    """Read files from the hub's cache, as those of a folder are."""
    files = {
        split: [cached_dataset_file(found.name, file, found.commit) for file in of_split]
        for split, of_split in found.files.items()
    }
    features = None if found.features is None else Features.from_dict(json.loads(found.features))
    try:
        read = with_features(read_splits(files, with_card(asked, found.card)), features)
    except UserError as error:
        raise UserError(f"{found.name}: cannot be read (", error, ")") from error
    return Source(read.splits, revision=found.commit, hint=read.hint)


def _loaded(name: str, subset: str | None, revision: str | None, options: list[dict[str, Any]]) -> Source:
    """Load a data set by `datasets`, under the first options with which its cache has it."""
    *others, last = options
    for some in others:
        with suppress(ValueError):
            return _source(load_dataset(name, subset, revision=revision, **some), revision)
    return _source(load_dataset(name, subset, revision=revision, **last), revision)


def _source(loaded: DatasetDict, revision: str | None) -> Source:
    splits = splits_of(loaded)
    if any(rows.info.builder_name == "csv" for rows in splits.values()):
        logger.warning("read from the cache of `datasets`, which does not compare lines of CSV files with rows")
    return Source(splits, revision=_resolved_revision(splits) or revision)


def _given(asked: DialectSettings) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.given}


def _check_listens(name: str, config: Any, asked: DialectSettings) -> None:
    """Refuse settings that the reader of a data set's files does not have."""
    listens = ("encoding", "field") if isinstance(config, JsonConfig) else ()
    listens = ("encoding",) if isinstance(config, TextConfig) else listens
    strange = [Setting(f"data.{each}", value) for each, value in _given(asked).items() if each not in listens]
    if strange:
        raise UserError(UserError.joined(strange, ", "), f": mean nothing for the files of {name}; leave them out")


def _addresses(builder: DatasetBuilder) -> list[str]:
    return [str(file) for files in (builder.config.data_files or {}).values() for file in files]


def _check_id(name: str) -> None:
    """Refuse what is no id of a data set, and what `datasets` would read from a folder of that name."""
    try:
        validate_repo_id(name)
        here = Path(name).exists()
    except (HFValidationError, ValueError, OSError):
        raise UserError(
            Setting("data.name", name),
            ": no name of a data set; a folder or a file is read with ",
            Setting("data.path"),
        ) from None
    if here:
        raise UserError(
            Setting("data.name", name), ": there is also a folder or file of that name here; to read it, give ",
            Setting("data.path", name), ", and to read the hub, run the command elsewhere",
        )  # fmt: skip


def _resolved_revision(splits: dict[str, Dataset]) -> str | None:
    """Return the commit of a hub data set, after which `datasets` names the folder in its cache."""
    folders = [Path(file["filename"]).parent.name for rows in splits.values() for file in rows.cache_files]
    return next((folder for folder in folders if COMMIT.fullmatch(folder)), None)
