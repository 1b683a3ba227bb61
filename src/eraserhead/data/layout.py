"""Files by split, in the dialect that a data set's card says."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import BuilderConfig, Dataset, Features
from datasets.packaged_modules.csv.csv import CsvConfig

from eraserhead.data.dialects import DIALECT, DialectSettings
from eraserhead.data.files import DELIMITED, Rows, read_files
from eraserhead.data.separators import Quoting
from eraserhead.data.sources import Source, reason_of
from eraserhead.data.text_files import named_format
from eraserhead.errors import Setting, UserError, listed

FOLLOWED = {  # of the options that a card can give the readers of `datasets`
    *("sep", "delimiter", "encoding", "names", "column_names", "header", "quoting", "quotechar", "escapechar", "field"),
}  # fmt: skip
WITHOUT_EFFECT = {*(field.name for field in fields(BuilderConfig)), "features", "chunksize", "low_memory", "memory_map"}
UNQUOTED = 3  # `csv.QUOTE_NONE`
NO_CAST = (pa.ArrowException, ValueError, TypeError, KeyError)
COLUMN_NAMES = Setting("data.column_names")
BACKSLASH = "\\"

logger = logging.getLogger("eraserhead")


def read_splits(files: Mapping[str, Sequence[Path]], asked: DialectSettings) -> Source:
    """Read the files of every split.

    Raises:
        UserError: They cannot be read; the message names the split.
    """
    read: dict[str, Rows] = {}
    for split, of_split in files.items():
        try:
            read[split] = read_files(of_split, asked)
        except UserError as error:
            raise UserError(f"split '{split}': ", error) from error
        except ValueError as error:
            raise UserError(f'split "{split}" corresponds to no data, or cannot be read: ', reason_of(error)) from error
    return Source({split: each.rows for split, each in read.items()}, hint=next(iter(read.values())).hint)


def dialect_of_card(config: Any, files: Sequence[Path]) -> DialectSettings:
    """Return what a data set's card says about the dialect of its files; null for what it leaves as usual.

    Args:
        config: The configuration of a reader of `datasets`, as the card fills it.
        files: Files that it reads.

    Raises:
        UserError: It describes files that are not read.
    """
    _point_out_unfollowed(config)
    encoding, names = getattr(config, "encoding", None), getattr(config, "names", None)
    said = DialectSettings(
        encoding=None if encoding in (None, "utf-8") else encoding,
        column_names=tuple(map(str, names)) if names else None,
        field=getattr(config, "field", None),
    )
    if not isinstance(config, CsvConfig):
        return said
    usual = {DELIMITED.get(named_format(file)) for file in files}
    separator = None if config.sep is None or usual == {config.sep} else config.sep
    return replace(said, separator=separator, quoting=_quoting(config), header=_header(config))


def with_card(asked: DialectSettings, card: DialectSettings) -> DialectSettings:
    """Return the settings with what the card says, where the user says nothing.

    Raises:
        UserError: There is no header line by the card, and nobody names the columns.
    """
    found = replace(asked, **{name: getattr(card, name) for name in DIALECT if getattr(asked, name) is None})
    if card.header is False and found.column_names is None:
        raise UserError("its card says that there is no header line; name all columns with ", COLUMN_NAMES)
    return found


def with_features(read: Source, features: Features | None) -> Source:
    """Return the source with the types and class names that the card declares; a column of others stays as it is."""
    if features is None:
        return read
    splits = {
        split: _cast(rows.select_columns(list(features)), features) if set(features) <= set(rows.column_names) else rows
        for split, rows in read.splits.items()
    }
    return replace(read, splits=splits)


def _cast(rows: Dataset, features: Features) -> Dataset:
    with suppress(*NO_CAST):
        return rows.cast(features)
    for name, feature in features.items():
        try:
            rows = rows.cast_column(name, feature)
        except NO_CAST as error:
            reason = reason_of(error)
            logger.warning(f"column '{name}' is not what the card says ({reason}); it is read as it stands in the file")
    return rows


def _point_out_unfollowed(config: Any) -> None:
    """Warn of options of a card that have no effect here."""
    usual, known = type(config)(), FOLLOWED | WITHOUT_EFFECT
    others = [field.name for field in fields(config) if field.name not in known]
    changed = [name for name in others if getattr(config, name) != getattr(usual, name)]
    if changed:
        logger.warning(f"{listed(changed)} of the data set's card has no effect here; see whether the rows are right")


def _quoting(config: CsvConfig) -> Quoting | None:
    if config.quoting == UNQUOTED:
        return "none"
    if config.escapechar == BACKSLASH:
        return "backslash"
    if config.quotechar == "'":
        return "single"
    if config.quotechar not in (None, '"'):
        raise UserError(
            f"its card says that texts stand in {config.quotechar}, which is not read; write the files with quotation "
            "marks"
        )
    return None


def _header(config: CsvConfig) -> bool | None:
    """Return whether there is a header line; null where the file tells."""
    header: Any = config.header
    if header == "infer":
        return None
    if header in (None, 0):
        return header == 0 and (bool(config.names) or None)
    raise UserError(f"its card says that the header is in line {header}; leave out the lines above it in the files")
