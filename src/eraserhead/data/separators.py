"""What stands between the columns of a line, and the fields that it leaves."""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

Quoting = Literal["double", "single", "backslash", "none"]

SAMPLED_ROWS = 50
SEPARATORS = {"\t": "a tab", ";": "';'", "|": "'|'", ",": "','"}
QUOTES: dict[str, str] = {"double": '"', "single": "'", "backslash": '"'}  # the mark that each way of quoting takes
SPELLED = {"\\t": "\t", "tab": "\t"}
OPTIONS: dict[str, dict[str, Any]] = {
    "double": {"quoting": csv.QUOTE_MINIMAL, "doublequote": True},
    "single": {"quoting": csv.QUOTE_MINIMAL, "doublequote": True, "quotechar": "'"},
    "backslash": {"quoting": csv.QUOTE_MINIMAL, "doublequote": True, "escapechar": "\\"},
    "none": {"quoting": csv.QUOTE_NONE},
}


def fields_of(lines: Iterable[str], separator: str, quoting: Quoting, spaced: bool = False) -> Any:
    """Return the rows of lines, as lists of fields; of the standard library's reader where it can read them."""
    if len(separator) > 1:
        return (line.rstrip("\r\n").split(separator) for line in lines)
    return csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=spaced, **OPTIONS[quoting])


def parsed_rows(lines: list[str], separator: str, quoting: Quoting, spaced: bool = False) -> Iterator[list[str]]:
    """Yield the rows of lines; none at all where the quotes do not fit together."""
    try:
        yield from [row for row in fields_of(lines, separator, quoting, spaced) if row]
    except csv.Error:
        return


@contextmanager
def any_length() -> Iterator[None]:
    """Let the standard library's reader take fields of any length."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def spelled_separator(separator: str | None) -> str | None:
    r"""Return a separator with ``tab`` and ``\t`` as the tab that they mean."""
    return None if separator is None else SPELLED.get(separator.lower(), separator)


def typed(separator: str) -> str:
    """Return a separator as people can type it."""
    return "tab" if separator == "\t" else separator


def separated_by(separator: str, lines: Sequence[str]) -> bool:
    """Tell whether lines are rows of two columns or more, as many in each."""
    counts = {line.count(separator) for line in lines if line.strip()}
    return len(counts) == 1 and counts != {0}


def likely_separator(lines: Sequence[str], used: str) -> str | None:
    """Return another separator than `used` that gives every line as many columns, two or more; null for none."""
    some = [line for line in lines[:SAMPLED_ROWS] if line.strip()]
    for separator in SEPARATORS:
        if separator != used:
            with_quotes = list(parsed_rows(some, separator, "double")) or list(parsed_rows(some, separator, "none"))
            widths = Counter(map(len, with_quotes))
            if len(widths) == 1 and next(iter(widths)) > 1:
                return separator
    return None
