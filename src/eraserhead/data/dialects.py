"""The dialect of a text file of rows: what the user says, and what the first lines of the file tell."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eraserhead.data.separators import (
    QUOTES,
    SAMPLED_ROWS,
    SEPARATORS,
    Quoting,
    any_length,
    fields_of,
    likely_separator,
    parsed_rows,
    spelled_separator,
    typed,
)
from eraserhead.data.text_files import encoding_of, open_text
from eraserhead.errors import Setting, UserError

TABLE = ("encoding", "separator", "quoting", "column_names", "header")  # settings of text with separated columns
DIALECT = (*TABLE, "field")  # of all text files
SAMPLE = 1 << 20  # characters that are looked at before a file is read
RATINGS = {"1", "2", "3", "4", "5"}  # with which a row of a named set begins, and a header does not
BEGINS_JSON = re.compile(r'\s*(\[\s*)?\{\s*"[^"]*"\s*:\s*["\d\[{tfn-]')
EXCEL = re.compile(r'"?sep=(.)"?\s*$')  # the first line of some exports


@dataclass(frozen=True)
class DialectSettings:
    """What the user says about a file of rows; null for what the file is asked.

    Attributes:
        encoding: How characters are encoded.
        separator: What stands between columns.
        quoting: How a field that holds the separator, or a line break, is written.
        column_names: Names of the columns, in a file without a header line.
        header: Whether the first line is a header.
        field: Where the rows are inside a JSON object, keys joined with a dot.
        usual_names: Columns of a named set's files, of which some lack the header line.
        columns: Columns that are to be read, by which a header line is known.
    """

    encoding: str | None = None
    separator: str | None = None
    quoting: Quoting | None = None
    column_names: tuple[str, ...] | None = None
    header: bool | None = None
    field: str | None = None
    usual_names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("text",)

    @property
    def given(self) -> list[str]:
        """Names of the settings that are given."""
        return [name for name in DIALECT if getattr(self, name) is not None]


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file with separated columns are read.

    Attributes:
        encoding: How characters are encoded.
        separator: What stands between columns; of several characters only where nothing is quoted.
        quoting: How a field that holds the separator, or a line break, is written.
        names: Names of the columns.
        skipped: Lines in front of the first row: the header, and what stands above it.
        headed: Whether the names come from the file.
        chosen: Whether the user chose the quoting.
        spaced: Whether a space follows each separator, so that a field in quotation marks begins with one.
    """

    encoding: str
    separator: str
    quoting: Quoting
    names: tuple[str, ...]
    skipped: int
    headed: bool
    chosen: bool = False
    spaced: bool = False


@dataclass(frozen=True)
class Known:
    """What the first lines of a file say about the rest.

    Attributes:
        dialect: How its rows are read.
        notes: What the user should know, one line each.
    """

    dialect: Dialect
    notes: tuple[UserError, ...] = ()


def sampled_lines(file: Path, encoding: str, size: int = SAMPLE) -> list[str]:
    """Return the first lines of a file, whole ones, with their line ends; all of them for a negative size."""
    with open_text(file, encoding) as stream:
        text = stream.read(size)
        cut = bool(stream.read(1))
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return lines[:-1] if cut and len(lines) > 1 else lines


def known_dialect(file: Path, asked: DialectSettings, usual: str, quoted: bool) -> Known:
    """Say how the rows of a file are read.

    Args:
        file: The file.
        asked: What the user says.
        usual: Separator of files of this name.
        quoted: Whether files of this name quote fields.

    Raises:
        UserError: The first line tells that it is otherwise; the message says what to set.
    """
    encoding = encoding_of(file, asked.encoding)
    with any_length():
        try:
            return _known(sampled_lines(file, encoding), encoding, asked, usual, quoted)
        except UserError as error:
            if "end of data" not in str(error.__cause__):
                raise
            # A first field may go on behind the sample.
            lines = sampled_lines(file, encoding, -1)
            return _known(lines, encoding, asked, usual, quoted)


def _known(lines: list[str], encoding: str, asked: DialectSettings, usual: str, quoted: bool) -> Known:
    told = EXCEL.match(lines[0]) if lines else None
    separator = spelled_separator(asked.separator) or (told[1] if told else usual)
    refuse_json(lines)
    start = _preface(lines, bool(told), separator)
    if start == len(lines):
        raise ValueError("there are no rows")
    quoting = asked.quoting or _usual_quoting(lines[start], separator, quoted)
    if len(separator) > 1 and quoting != "none":
        if asked.quoting is not None:
            raise UserError(Setting("data.quoting", quoting), ": a separator of several characters reads no quotes")
        quoting = "none"
    try:
        spaced = _is_spaced(lines[start:], separator, quoting)
        reader = fields_of(lines[start:], separator, quoting, spaced)
        first = next(reader)
        header_lines = getattr(reader, "line_num", 1)
    except csv.Error as error:
        raise broken_quotes(str(error), start + 1, lines[start], quoting) from error
    _check_width(first, lines[start:], separator, asked)
    names, headed = _names(first, asked)
    dialect = Dialect(
        encoding, separator, quoting, names, start + header_lines * headed, headed and not asked.column_names,
        asked.quoting is not None, spaced,
    )  # fmt: skip
    return Known(dialect, tuple(_notes(dialect, asked, lines, start)))


def refuse_json(lines: list[str]) -> None:
    """Raise `UserError` where the lines of a file are JSON, and its name says otherwise."""
    if lines and BEGINS_JSON.match("".join(lines[:2])):
        raise UserError(f"it is JSON ({shortened(lines[0])}); name it .json, or .jsonl where each line is an object")


def broken_quotes(reason: str, line: int, text: str, quoting: Quoting) -> UserError:
    """Say where quotes do not fit together, and with which setting they may."""
    what = "a quotation mark is never closed" if "end of data" in reason else "text follows a closing quotation mark"
    escaped: Quoting = "backslash" if '\\"' in text and quoting == "double" else "none"
    why = 'they are escaped (\\")' if escaped == "backslash" else "they belong to the texts"
    return UserError(
        f"line {line}: {what} ({shortened(text)}); if {why}, give ",
        Setting("data.quoting", escaped),
    )


def _is_spaced(lines: list[str], separator: str, quoting: Quoting) -> bool:
    """Tell whether lines are rows of one length only if the spaces behind separators are no part of the fields."""
    some = lines[:SAMPLED_ROWS]
    if quoting == "none" or not any(f'{separator} "' in line for line in some):
        return False
    tight, spaced = ({len(row) for row in parsed_rows(some, separator, quoting, skip)} for skip in (False, True))
    return len(tight) != 1 and len(spaced) == 1


def _preface(lines: list[str], told: bool, separator: str) -> int:
    """Return how many lines stand above the first row or header: ``sep=;``, blank ones, comments."""
    start = int(told)
    while start < len(lines):
        line = lines[start]
        rest = next((each for each in lines[start + 1 :] if each.strip() and not each.startswith("#")), "")
        comment = line.startswith("#") and separator not in line and separator in rest
        if line.strip("\r\n") and not comment:
            break
        start += 1
    return start


def _usual_quoting(line: str, separator: str, quoted: bool) -> Quoting:
    """Return how files of this name quote; one that quotes every field of its first line says so itself."""
    fields = line.rstrip("\r\n").split(separator)
    for quoting in ("double", "single"):
        if all(len(field) > 1 and field[0] == field[-1] == QUOTES[quoting] for field in fields):
            return quoting
    return "double" if quoted else "none"


def _check_width(first: list[str], lines: list[str], separator: str, asked: DialectSettings) -> None:
    """Refuse one column that is several, by its first line."""
    if asked.separator is not None or len(first) > 1 or len(asked.column_names or ()) == 1:
        return
    likely = likely_separator(lines, separator) or next((each for each in SEPARATORS if each in first[0]), None)
    if likely is not None:
        raise UserError(
            f"one column '{shortened(first[0])}': separated by {SEPARATORS[likely]}? give ",
            Setting("data.separator", typed(likely)),
        )


def _names(first: list[str], asked: DialectSettings) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns, and whether the first line is a header."""
    header = [name.strip() for name in first]
    if asked.column_names is not None:
        headed = bool(set(header) & set(asked.column_names)) if asked.header is None else asked.header
        return asked.column_names, headed
    if asked.usual_names and (header[0] in RATINGS if asked.header is None else not asked.header):
        return asked.usual_names, False
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise UserError(
            f"the header names the column '{twice[0]}' twice; give other names for all columns with ",
            Setting("data.column_names"),
            ", and ",
            Setting("data.header", True),
        )
    return tuple(name or f"Unnamed: {place}" for place, name in enumerate(header)), True


def _notes(dialect: Dialect, asked: DialectSettings, lines: list[str], start: int) -> Iterator[UserError]:
    if asked.column_names and dialect.skipped > start:
        yield UserError(f"the header line ({shortened(lines[start])}) is replaced by ", Setting("data.column_names"))
    comments = [line for line in lines[:start] if line.startswith("#")]
    if comments:
        yield UserError(
            f"{len(comments)} comment lines above the rows are left out, the first is {shortened(comments[0])}"
        )
    if not dialect.chosen:
        yield from _notes_on_marks(dialect, lines[dialect.skipped :])


def _notes_on_marks(dialect: Dialect, rows: list[str]) -> Iterator[UserError]:
    """Yield what is said of fields in quotation marks that are not read as quoting."""
    fields = [field for row in rows for field in row.rstrip("\r\n").split(dialect.separator)]
    others: dict[str, tuple[Quoting, ...]] = {"none": ("double", "single"), "double": ("single",)}
    for quoting in others.get(dialect.quoting, ()):
        mark, kind = QUOTES[quoting], "single " if quoting == "single" else ""
        quoted = sum(len(field) > 2 and field[0] == field[-1] == mark for field in fields)
        if quoted:
            yield UserError(
                f"{quoted} fields of the first rows stand in {kind}quotation marks, which are read as part of the "
                "texts; ",
                Setting("data.quoting", quoting),
                " reads them as quoting, ",
                Setting("data.quoting", dialect.quoting),
                " says that they belong there",
            )


def shortened(text: str) -> str:
    """Return text on one line, its beginning where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:60]}..."
