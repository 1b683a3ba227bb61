"""Splits as a source has them, and those of the hub; local files and folders are read by `eraserhead.data.paths`."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
from datasets import Dataset, DatasetBuilder, DatasetDict, load_dataset, load_dataset_builder
from datasets.config import DATASET_INFO_FILENAME
from datasets.exceptions import DatasetsError
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig
from datasets.packaged_modules.text.text import TextConfig
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from eraserhead.data.dialects import RATINGS, TABLE, DialectSettings
from eraserhead.data.separators import OPTIONS, spelled_separator
from eraserhead.errors import Job, MissingSplitError, Setting, UserError, nearest
from eraserhead.remote.downloads import fetch_dataset_files
from eraserhead.remote.failures import causes, failure, http_error, with_retries

ONLY_EMPTY_IS_ABSENT: dict[str, Any] = {"keep_default_na": False, "na_values": [""]}  # a review may be titled "None"
COMMIT = re.compile(r"[0-9a-f]{40}")
LONGEST_REASON = 240
*_OTHERS, _LAST = (Setting(f"data.{name}") for name in TABLE)
ANY_OF_TABLE = UserError(UserError.joined(_OTHERS, ", "), " or ", _LAST).args
ROW_NAMES = "__index_level_0__"  # the column that pandas makes of fields beyond the header
TOO_DEEP = "it is nested too deep"


@dataclass(frozen=True)
class Source:
    """What a source holds before anything is chosen or cleaned.

    Attributes:
        splits: Rows of every split, columns as in the source.
        single: Whether the source is one table without splits of its own, which then serves every role.
        revision: Commit of a hub data set, where the cache knows it.
        in_place: Whether the rows are read from the user's own Arrow files rather than from the cache of `datasets`.
        hint: What may be wrong where a column is missing.
    """

    splits: dict[str, Dataset]
    single: bool = False
    revision: str | None = None
    in_place: bool = False
    hint: tuple[str | Setting | Job, ...] = ()


def read_hub(name: str, subset: str | None, revision: str | None, asked: DialectSettings | None = None) -> Source:
    """Read a data set of the hub, or of the local cache where the hub cannot be reached.

    Raises:
        UserError: If neither has it; the message says what was tried. Or if `asked` means nothing for its files.
    """
    _check_id(name)
    try:
        splits = splits_of(with_retries(lambda: _load(name, subset, revision, asked or DialectSettings())))
    except UserError:
        raise
    except Exception as error:  # whatever a data set's files make its readers raise
        if http_error(error) is not None:
            raise UserError(failure(error, name, revision=revision)) from error
        if any(isinstance(each, (UnicodeError, pandas.errors.ParserError)) for each in causes(error)):
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
    if any(rows.info.builder_name == "csv" and ROW_NAMES in rows.column_names for rows in splits.values()):
        raise UserError(
            f"{name}: its rows have more fields than the header has names; say how its files are written with ",
            *ANY_OF_TABLE,
        )
    written = ("; if the files are written in another way, say so with ", *ANY_OF_TABLE)
    as_text = any(rows.info.builder_name == "csv" for rows in splits.values())
    return Source(splits, revision=_resolved_revision(splits) or revision, hint=written if as_text else ())


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


def splits_of(loaded: DatasetDict) -> dict[str, Dataset]:
    """Return the splits by name.

    Raises:
        ValueError: There are none.
    """
    if not loaded:
        raise ValueError("there are no rows")
    return {str(split): rows for split, rows in loaded.items()}


def reason_of(error: BaseException) -> str:
    """Return the innermost message on one line."""
    innermost = error
    while isinstance(innermost, DatasetsError) and innermost.__cause__ is not None:
        innermost = innermost.__cause__
    if isinstance(innermost, RecursionError):
        return TOO_DEEP
    line = " ".join(str(innermost).split()) or type(innermost).__name__
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


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


def _load(where: str, subset: str | None, revision: str | None, asked: DialectSettings) -> DatasetDict:
    *others, last = _options(where, subset, revision, asked)
    for options in others:
        with suppress(ValueError):
            return load_dataset(where, subset, revision=revision, **options)
    return load_dataset(where, subset, revision=revision, **last)


def _options(
    where: str, subset: str | None, revision: str | None, asked: DialectSettings
) -> tuple[dict[str, Any], ...]:
    """Return the reader's options that fit the source, or all that it may have been cached under where it is away."""
    usual = {**ONLY_EMPTY_IS_ABSENT, **_csv_options(asked)}
    named = usual if asked.column_names else {**usual, "names": list(asked.usual_names)}
    given = [{name: getattr(asked, name) for name in asked.given}] if asked.given else []
    unquoted = usual if asked.quoting else {**usual, **OPTIONS["none"]}
    try:
        builder = load_dataset_builder(where, subset, revision=revision)
        _fetch(where, builder)
    except ValueError as error:
        if "find cache" not in str(error):
            raise
        return (usual, *([named] if asked.usual_names else []), unquoted, *given)
    config = builder.config
    if given and not config.data_files:  # a cached one, which does not say what its files were
        return (usual, unquoted, *given)
    if not isinstance(config, CsvConfig) or not config.data_files:
        listens = ("encoding", "field") if isinstance(config, JsonConfig) else ()
        listens = ("encoding",) if isinstance(config, TextConfig) else listens
        strange = [Setting(f"data.{name}", getattr(asked, name)) for name in asked.given if name not in listens]
        if strange:
            raise UserError(UserError.joined(strange, ", "), f": mean nothing for the files of {where}; leave them out")
        return ({name: getattr(asked, name) for name in asked.given},)
    if asked.field is not None:
        raise UserError(Setting("data.field", asked.field), f": the files of {where} are no JSON; leave it out")
    first_file = next(iter(config.data_files.values()))[0]
    if asked.usual_names and (lacks_header(first_file) if asked.header is None else not asked.header):
        return (named,)
    return (unquoted if first_file.endswith((".tsv", ".tsv.gz")) else usual,)


def lacks_header(file: str) -> bool:
    """Tell whether a CSV file has no header line: its first field is then a rating from 1 to 5."""
    return str(pandas.read_csv(file, nrows=0).columns[0]).strip() in RATINGS


def _csv_options(asked: DialectSettings) -> dict[str, Any]:
    """Return the options of pandas that mean what the user says."""
    options: dict[str, Any] = {"encoding": asked.encoding, "sep": spelled_separator(asked.separator)}
    options = {name: value for name, value in options.items() if value is not None}
    names: dict[str, Any] = {} if asked.column_names is None else {"names": list(asked.column_names)}
    if names and asked.header is not None:
        names["header"] = 0 if asked.header else None
    return {**options, **OPTIONS.get(asked.quoting or "", {}), **names}


def _fetch(name: str, builder: DatasetBuilder) -> None:
    """Download a hub data set's files, unless they have been read into the cache before."""
    if not (Path(builder.cache_dir) / DATASET_INFO_FILENAME).is_file():
        files = builder.config.data_files or {}
        fetch_dataset_files(name, (str(file) for split in files.values() for file in split))


def _resolved_revision(splits: dict[str, Dataset]) -> str | None:
    """Return the commit of a hub data set, after which `datasets` names the folder in its cache."""
    folders = [Path(file["filename"]).parent.name for rows in splits.values() for file in rows.cache_files]
    return next((folder for folder in folders if COMMIT.fullmatch(folder)), None)
