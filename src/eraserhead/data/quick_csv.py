"""The quick reader of plain files: pyarrow's, for those whose quotation marks all fit together at a glance."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from pyarrow import csv

from eraserhead.data.dialects import Dialect
from eraserhead.data.merged_rows import MOST_VALUES, Merged
from eraserhead.data.text_files import open_bytes

compute: Any = pyarrow.compute  # whose functions are made at run time

BLOCK = 1 << 22  # bytes
QUOTE = ord('"')


class NotPlainError(Exception):
    """Only the careful reader can read a file, or say what is wrong with it."""


def quick_tables(file: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """Yield the rows of a file as tables of texts, an empty field as null: as `delimited_tables` does.

    Raises:
        NotPlainError: Its dialect is none of the common ones, or something in it needs to be looked at; tables may have
            been yielded before.
    """
    common = dialect.encoding.startswith("utf-8") and len(dialect.separator.encode()) == 1 and not dialect.spaced
    if not common or dialect.quoting in ("backslash", "single") or len(dialect.names) == 1:
        raise NotPlainError
    with open_bytes(file) as stream:
        if dialect.quoting == "double" and not _quotes_fit(stream, dialect.separator):
            raise NotPlainError
    merged = Merged(dialect)
    try:
        for table in _tables(file, dialect):
            _compare(table, merged)
            yield table
    except pa.ArrowException as error:
        raise NotPlainError from error
    if merged.found() is not None:
        raise NotPlainError


def _tables(file: Path, dialect: Dialect) -> Iterator[pa.Table]:
    quoted = dialect.quoting == "double"
    names = list(dialect.names)
    reading = csv.ReadOptions(column_names=names, skip_rows=dialect.skipped, block_size=BLOCK)
    quotes = {"quote_char": '"' if quoted else False, "double_quote": quoted, "newlines_in_values": quoted}
    parsing = csv.ParseOptions(delimiter=dialect.separator, **quotes)
    types = dict.fromkeys(names, pa.string())
    texts = csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    with open_bytes(file) as stream, csv.open_csv(stream, reading, parsing, texts) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _compare(table: pa.Table, merged: Merged) -> None:
    """Let `merged` see the rows over several lines, and the values of columns."""
    for place in merged.columns:
        some = table.column(place).slice(0, 2 * MOST_VALUES)  # where these are too many, the rest need not be looked at
        merged.learn(place, _distinct(some))
        if place in merged.columns:
            merged.learn(place, _distinct(table.column(place)))
    if not merged.room:
        return
    several = np.zeros(table.num_rows, dtype=bool)
    for column in table.columns:
        several |= compute.match_substring_regex(column, "[\r\n]").fill_null(False).to_numpy()
    for row in table.take(np.flatnonzero(several)[: merged.room]).to_pylist():
        merged.keep([value or "" for value in row.values()], 0, 0)


def _distinct(column: pa.ChunkedArray) -> list[str]:
    return [value for value in column.unique().to_pylist() if value]


def _quotes_fit(stream: IO[bytes], separator: str) -> bool:
    """Tell whether every other quotation mark opens a field and the next one closes it, twice being one inside.

    An opening one stands behind a separator or line end, a closing one in front of one; one that ends a pair and begins
    the next does neither. A mark inside a field without quotation marks breaks the pairs: such a file is not plain.
    """
    edges = np.frombuffer(f"{separator}\r\n".encode(), np.uint8)
    before, seen = np.frombuffer(b"\n", np.uint8), 0
    mark = stream.read(3)
    rest = b"" if mark == b"\xef\xbb\xbf" else mark
    while True:
        block = rest + stream.read(BLOCK)
        rest = b""
        follows = stream.read(1)
        content = np.concatenate([before, np.frombuffer(block + (follows or b"\n"), np.uint8)])
        marks = np.flatnonzero(content[1:-1] == QUOTE) + 1
        opens = (np.arange(len(marks)) + seen) % 2 == 0
        ahead, behind = content[marks - 1], content[marks + 1]
        fit = np.where(opens, np.isin(ahead, edges) | (ahead == QUOTE), np.isin(behind, edges) | (behind == QUOTE))
        if not fit.all():
            return False
        seen += len(marks)
        if not follows:
            return seen % 2 == 0
        before, rest = content[-2:-1], follows
