"""Files of rows: parquet, CSV, JSON or texts, in the dialects that people have, kept as Arrow in the cache."""

import glob
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
from datasets import Dataset, concatenate_datasets, load_dataset
from datasets import config as settings
from datasets.fingerprint import Hasher
from pyarrow import parquet

from eraserhead.caches import is_cached, new_entry, tidy
from eraserhead.data.delimited import delimited_tables
from eraserhead.data.dialects import TABLE, DialectSettings, known_dialect, refuse_json, sampled_lines, shortened
from eraserhead.data.json_files import json_table
from eraserhead.data.label_folders import LabelFolders, files_of, texts_of
from eraserhead.data.lines_of_text import (
    LABEL,
    begins_with_label,
    labelled_table,
    remarks_on_lines,
    separator_in,
    text_column,
    text_tables,
)
from eraserhead.data.quick_csv import NotPlainError, quick_tables
from eraserhead.data.separators import SEPARATORS, spelled_separator
from eraserhead.data.text_files import COMPRESSED_SUFFIXES, compression_of, encoding_of, named_format, refuse_pointer
from eraserhead.errors import Setting, UserError, listed

ROWS = "rows.arrow"  # name of the file in an entry of the cache
READER_VERSION = 2  # part of the cache key: raise it when a reader returns something else
DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
JSON = (".json", ".jsonl", ".ndjson")
TEXT = (".txt", ".text")
FORMATS = (".parquet", *DELIMITED, *JSON, *TEXT)
ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".7z", ".rar")
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
USED: dict[str, tuple[str, ...]] = {  # which settings a kind of file listens to
    "delimited": TABLE,
    "json": ("encoding", "field", "column_names"),
    "lines": ("encoding", "column_names"),
    "labelled": ("encoding",),
    "folders": ("encoding",),
}
KINDS = {
    "parquet": "a parquet file",
    "saved": "a folder of save_to_disk",
    "other": "the files of this folder",
    "delimited": "text with separated columns",
    "json": "a JSON file",
    "lines": "a file of texts, one a line",
    "labelled": "a file of fastText",
    "folders": "folders of texts",
}

logger = logging.getLogger("eraserhead")

NO_HEADER: tuple[str | Setting, ...] = (
    "; if the file has no header line, name its columns with ", Setting("data.column_names"),
)  # fmt: skip
PARQUET = b"PAR1"  # with which its files begin
SHOWN = 240  # bytes of a file in a message

LINES: tuple[str | Setting, ...] = (
    "; each line of the file is read as one text: if it has several columns, give ", Setting("data.separator"),
)  # fmt: skip
INNER: tuple[str | Setting, ...] = (
    "; a column inside an object is named with both names and a dot; if all rows are inside one object, give ",
    Setting("data.field"),
)


@dataclass(frozen=True)
class Rows:
    """What was read of a file.

    Attributes:
        rows: Its rows.
        hint: What may be wrong where a column is missing.
    """

    rows: Dataset
    hint: tuple[str | Setting, ...] = ()


def read_files(files: Sequence[Path], asked: DialectSettings) -> Rows:
    """Read the files of one split, one after the other; a mistake names its file where there are several.

    Raises:
        UserError: A file is in another dialect than `asked` says, or than files of its name are.
        ValueError: A file has no rows, or its format is unknown.
    """
    read = [_named_file(file, asked) if len(files) > 1 else read_file(file, asked) for file in files]
    if len(read) == 1:
        return read[0]
    for file, each in zip(files, read, strict=True):
        if set(each.rows.column_names) != set(read[0].rows.column_names):
            raise UserError(
                f"{file.name} has the columns {listed(each.rows.column_names)}, and {files[0].name} "
                f"{listed(read[0].rows.column_names)}",
                *each.hint,
            )
    names = read[0].rows.column_names
    return Rows(concatenate_datasets([each.rows.select_columns(names) for each in read]), read[0].hint)


def read_file(file: Path, asked: DialectSettings) -> Rows:
    """Read one file; see `read_files`."""
    if not file.is_file():
        raise UserError("is no file with an end, such as a device or a pipe; write it to a file first")
    if not file.stat().st_size:
        raise ValueError("the file is empty")
    refuse_pointer(file)
    ending = named_format(file)
    if ending == ".parquet":
        refuse_unused("parquet", asked)
        _check_parquet(file)
        return Rows(next(iter(load_dataset("parquet", data_files=glob.escape(str(file.resolve()))).values())))
    if ending in JSON:
        refuse_unused("json", asked)
        rows = cached([file], replace(asked, columns=()), lambda: iter([json_table(file, asked)]))
        nested = any(isinstance(feature, (dict, list)) for feature in rows.features.values())
        return Rows(rows, INNER if nested and asked.field is None else ())
    if ending in TEXT and asked.separator is None:
        return _read_text(file, asked)
    if ending in DELIMITED:
        return _read_delimited(file, asked, DELIMITED[ending], quoted=ending == ".csv")
    if asked.separator is None and ending not in (*ARCHIVES, *SPREADSHEETS) and begins_with_label(file):
        return _read_labelled(file, asked)
    if asked.separator is None and ending not in TEXT:
        known = f"'{ending}' is none of {', '.join(FORMATS)}, also with {', '.join(COMPRESSED_SUFFIXES)} behind"
        if ending in ARCHIVES:
            raise UserError("it is an archive of files: unpack it, and give the folder or one file")
        if ending in SPREADSHEETS:
            raise UserError(f"{known}; save the spreadsheet as CSV")
        raise UserError(f"{known}; if it is text with separated columns, give ", Setting("data.separator"))
    return _read_delimited(file, asked, ",", quoted=spelled_separator(asked.separator) != "\t")


def read_label_folders(found: LabelFolders, asked: DialectSettings) -> dict[str, Dataset]:
    """Read texts in folders named after labels: the columns ``text`` and ``label``.

    Raises:
        UserError: A file is not in the encoding that `asked` names, else UTF-8.
    """
    refuse_unused("folders", asked)
    for folder in found.left_out:
        logger.info(f"{folder}: its texts have no label, and are left out")
    splits = {split: files_of(folders) for split, folders in found.splits.items()}
    return {
        split: cached(files, asked.encoding, partial(texts_of, files, asked.encoding))
        for split, files in splits.items()
        if files
    }


def cached(files: Sequence[Path], asked: object, *readers: Callable[[], Iterator[pa.Table]]) -> Dataset:
    """Return the rows of files from the cache, into which they are written where they, or the settings, are new.

    Each reader but the last may raise `NotPlainError`, and the next one reads everything.

    Raises:
        ValueError: There are none.
    """
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    entry = Path(settings.HF_DATASETS_CACHE) / "eraserhead" / Hasher.hash((READER_VERSION, stamps, asked))
    tidy(entry.parent)
    if not is_cached(entry):
        with new_entry(entry, mark=f"-{os.getpid()}") as unfinished:
            unfinished.mkdir()
            _write(unfinished / ROWS, readers)
    return Dataset.from_file(str(entry / ROWS))


def _write(path: Path, readers: Sequence[Callable[[], Iterator[pa.Table]]]) -> None:
    *quick, careful = readers
    for reader in quick:
        with suppress(NotPlainError):
            return _write_tables(path, reader())
    return _write_tables(path, careful())


def _write_tables(path: Path, tables: Iterator[pa.Table]) -> None:
    first = next(tables, None)
    if first is None or not len(first):
        raise ValueError("there are no rows, or only a header line")
    with pa.ipc.new_stream(str(path), first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _read_delimited(file: Path, asked: DialectSettings, separator: str, quoted: bool) -> Rows:
    refuse_unused("delimited", asked)
    known = known_dialect(file, asked, separator, quoted)
    for note in known.notes:
        logger.info("%s: %s", file.name, note)
    readers = (partial(reader, file, known.dialect) for reader in (quick_tables, delimited_tables))
    rows = cached([file], known.dialect, *readers)
    return Rows(rows, NO_HEADER if known.dialect.headed else ())


def _check_parquet(file: Path) -> None:
    """Refuse a file that is named as one of parquet, and is none, or has no rows."""
    try:
        rows = parquet.read_metadata(str(file)).num_rows
    except (pa.ArrowException, OSError) as error:
        if (compressed := compression_of(file)) is not None:
            raise UserError(f"it is {compressed}, and a parquet file inside would have to be unpacked first") from error
        with open(file, "rb") as stream:
            begins = stream.read(SHOWN)
        if not begins.startswith(PARQUET):
            shown = shortened(begins.decode("utf-8", "replace").split("\n")[0])
            raise UserError(f"it is no parquet file: it begins with {shown}; name it as what it is") from error
        raise UserError(
            "the parquet file is damaged, or was not written to its end; fetch or write it again"
        ) from error
    if not rows:
        raise ValueError("there are no rows")


def _read_text(file: Path, asked: DialectSettings) -> Rows:
    """Read a file whose name says no more than that it is text: rows of columns, or one text a line."""
    encoding = encoding_of(file, asked.encoding)
    if begins_with_label(file):
        return _read_labelled(file, asked)
    lines = sampled_lines(file, encoding)
    refuse_json(lines)
    separator = separator_in(lines, asked)
    if separator is not None:
        read = _read_delimited(file, asked, separator, quoted=separator != "\t")
        shown = SEPARATORS.get(separator, f"'{separator}'")
        logger.info(f"{file.name}: read as columns separated by {shown}: {listed(read.rows.column_names)}")
        return read
    refuse_unused("lines", asked)
    name = text_column(asked)
    logger.info(f"{file.name}: each line is read as one text")
    for remark in remarks_on_lines(lines, asked):
        logger.warning("%s: %s", file.name, remark)
    return Rows(cached([file], (encoding, name), lambda: text_tables(file, encoding, name)), LINES)


def _read_labelled(file: Path, asked: DialectSettings) -> Rows:
    """Read a file of fastText: the columns ``text`` and ``label``."""
    refuse_unused("labelled", asked)
    encoding = encoding_of(file, asked.encoding)
    logger.info(f"{file.name}: read as a file of fastText: each line's labels ({LABEL}...), then its text")
    return Rows(cached([file], (encoding, LABEL), lambda: iter([labelled_table(file, encoding)])))


def _named_file(file: Path, asked: DialectSettings) -> Rows:
    try:
        return read_file(file, asked)
    except UserError as error:
        raise UserError(f"{file.name}: ", error) from error
    except ValueError as error:
        raise UserError(f"{file.name}: ", str(error)) from error


def refuse_unused(kind: str, asked: DialectSettings) -> None:
    """Refuse settings that mean nothing for a kind of file.

    Raises:
        UserError: Naming them, and those that mean something.
    """
    unused = [Setting(f"data.{name}", getattr(asked, name)) for name in asked.given if name not in USED.get(kind, ())]
    if unused:
        listens = [Setting(f"data.{name}") for name in USED.get(kind, ())]
        raise UserError(
            UserError.joined(unused, ", "),
            f": without meaning for {KINDS[kind]}; leave it out",
            *(("; what counts is ", UserError.joined(listens, ", ")) if listens else ()),
        )
