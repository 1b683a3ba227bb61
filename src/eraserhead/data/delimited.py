"""Rows of a text file with separated columns: every line accounted for, none lost or merged in silence."""

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from eraserhead.data.dialects import Dialect, broken_quotes, sampled_lines, shortened
from eraserhead.data.merged_rows import Merged, Row
from eraserhead.data.separators import QUOTES, SEPARATORS, any_length, fields_of, likely_separator, typed
from eraserhead.data.text_files import open_text
from eraserhead.errors import Setting, UserError

ROWS_AT_ONCE = 10_000


def delimited_tables(file: Path, dialect: Dialect) -> Iterator[pa.Table]:
    """Yield the rows of a file as tables of texts, an empty field as null.

    Raises:
        UserError: A row has more or fewer fields than there are columns, quotes do not fit together, or rows seem to
            have become one; the message names the line.
    """
    merged = Merged(dialect)
    with open_text(file, dialect.encoding) as stream, any_length():
        rows = _rows(file, dialect, stream, merged)
        while block := _block(rows):
            columns = list(zip(*block, strict=True))
            for place in merged.columns:
                merged.learn(place, columns[place])
            arrays = [pa.array([field or None for field in column], pa.string()) for column in columns]
            yield pa.table(arrays, names=list(dialect.names))
    if (lines := merged.found()) is not None:
        raise UserError(
            f"lines {lines[0]} to {lines[1]} are one row by their quotation marks, and look like several; if quotation "
            "marks belong to the texts, give ",
            Setting("data.quoting", "none"),
            "; if not, ",
            Setting("data.quoting", dialect.quoting),
        )


def _block(rows: Iterator[Row]) -> list[Row]:
    return list(islice(rows, ROWS_AT_ONCE))


def _rows(file: Path, dialect: Dialect, stream: Any, merged: Merged) -> Iterator[Row]:
    """Yield the rows, each with as many fields as there are columns."""
    for _ in range(dialect.skipped):
        next(stream, None)
    reader = fields_of(stream, dialect.separator, dialect.quoting, dialect.spaced)
    width, line = len(dialect.names), dialect.skipped
    try:
        for number, row in enumerate(reader):
            before, line = line, dialect.skipped + getattr(reader, "line_num", number + 1)
            if not row or (len(row) == 1 and not row[0].strip() and width > 1):
                continue  # a blank line
            if not number and not before:
                row[0] = row[0].removeprefix("\ufeff")
            if len(row) != width:
                row = _fitted(file, dialect, row, before + 1)  # noqa: PLW2901
            if line - before > 1:
                merged.keep(row, before + 1, line)
            yield row
    except csv.Error as error:
        last = dialect.skipped + reader.line_num
        at = line + 1 if "end of data" in str(error) else last
        raise broken_quotes(str(error), at, _line(file, dialect, at), dialect.quoting) from error


def _fitted(file: Path, dialect: Dialect, row: Row, line: int) -> Row:
    """Return a row without empty fields at its end, or with those that columns without a name lack."""
    width = len(dialect.names)
    if len(row) > width and not any(row[width:]):
        return row[:width]
    if len(row) < width and all(name.startswith("Unnamed: ") for name in dialect.names[len(row) :]):
        return row + [""] * (width - len(row))
    raise _ragged(file, dialect, row, line)


def _ragged(file: Path, dialect: Dialect, row: Row, line: int) -> UserError:
    width, count = len(dialect.names), len(row)
    against = ("the header has ",) if dialect.headed else (Setting("data.column_names"), " names ")
    said = (f"line {line} ({shortened(dialect.separator.join(row))}) has {_fields(count)}, and ", *against, str(width))
    lines = sampled_lines(file, dialect.encoding)
    likely = likely_separator(lines[max(dialect.skipped - dialect.headed, 0) :], dialect.separator)
    if likely is not None:
        return UserError(*said, f"; separated by {SEPARATORS[likely]}? give ", Setting("data.separator", typed(likely)))
    for quoting in ("double", "single"):
        if QUOTES.get(dialect.quoting) != QUOTES[quoting] and _may_be_quoted(row, QUOTES[quoting]):
            kind = "single " if quoting == "single" else ""
            give = Setting("data.quoting", quoting)
            return UserError(*said, f"; if fields stand in {kind}quotation marks, give ", give)
    shown = SEPARATORS.get(dialect.separator, f"'{dialect.separator}'")
    if count > width:
        mend = f"; put a field that holds {shown} in quotation marks in the file"
        return UserError(*said, mend, *_names_too_few(dialect))
    return UserError(
        *said, "; complete the row in the file, and put a field that holds a line break in quotation marks"
    )


def _may_be_quoted(row: Row, mark: str) -> bool:
    """Tell whether a field begins with a mark; an apostrophe has to end one too."""
    return any(field.startswith(mark) for field in row) and (mark == '"' or any(field.endswith(mark) for field in row))


def _names_too_few(dialect: Dialect) -> tuple[str | Setting, ...]:
    if not dialect.headed:
        return (", or name all columns",)
    return (", or, if every row has that many, name all columns with ", Setting("data.column_names"))


def _line(file: Path, dialect: Dialect, number: int) -> str:
    with open_text(file, dialect.encoding) as stream:
        return next((line for place, line in enumerate(stream, 1) if place == number), "")


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"
