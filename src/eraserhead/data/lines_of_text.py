"""Files whose names say no more than that they are text: one text a line, or rows of columns."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

from eraserhead.data.dialects import EXCEL, DialectSettings
from eraserhead.data.separators import SEPARATORS, parsed_rows, separated_by, typed
from eraserhead.data.text_files import open_bytes, open_text
from eraserhead.errors import Setting, UserError

LABEL = "__label__"  # with which fastText begins each label of a line, in front of the text
LINES_AT_ONCE = 10_000
FEWEST_ROWS = 2  # that say something about how a file is written


def separator_in(lines: Sequence[str], asked: DialectSettings) -> str | None:
    """Return what separates the columns of a text file's lines; null where each line is one text.

    The lines are rows if the first one names a column that is asked for, or has as many fields as there are column
    names, or if all have the same number of tabs.
    """
    rows = [line for line in lines if line.strip()]
    if not rows or len(asked.column_names or ()) == 1:
        return None
    if told := EXCEL.match(rows[0]):
        return told[1]
    for separator in SEPARATORS:
        quoting = "none" if separator == "\t" else "double"
        first = next(parsed_rows(rows[:1], separator, quoting), [])
        if asked.column_names is None:
            found = bool({name.strip(' "') for name in first} & set(asked.columns))
        else:
            found = len(first) == len(asked.column_names)
        if found and len(first) > 1:
            return separator
    return "\t" if separated_by("\t", rows) else None


def remarks_on_lines(lines: Sequence[str], asked: DialectSettings) -> Iterator[UserError]:
    """Yield what is odd about lines that are read as one text each: they look like rows, or the first like a header."""
    rows = [line for line in lines if line.strip()]
    if len(rows) < FEWEST_ROWS or asked.column_names is not None:
        return
    if (first := rows[0].strip()) in asked.columns:
        yield UserError(
            f"the first line is '{first}', and is read as a text; if it is a header line, give ",
            Setting("data.separator", "tab"),
        )
    for separator, shown in SEPARATORS.items():
        if separator != "," and separated_by(separator, rows):
            give = Setting("data.separator", typed(separator))
            yield UserError(
                f"each line is read as one text, and each has as many columns: separated by {shown}? give ", give
            )


def text_column(asked: DialectSettings) -> str:
    """Return the name of the column of texts.

    Raises:
        UserError: Several are asked for.
    """
    name, *more = asked.column_names or ("text",)
    if more:
        raise UserError(
            "each line is one text, and there are several ", Setting("data.column_names"), ": give ",
            Setting("data.separator"),
        )  # fmt: skip
    return name


def begins_with_label(file: Path) -> bool:
    """Tell whether a file begins as those of fastText do, with a label."""
    with open_bytes(file) as stream:
        head: bytes = stream.read(len(LABEL) + 3)
    return head.removeprefix(b"\xef\xbb\xbf").startswith(LABEL.encode())


def labelled_table(file: Path, encoding: str) -> pa.Table:
    """Return the texts of a file of fastText with their labels: lists of them where a line has several.

    A line without a label has none.
    """
    texts, labels = [], []
    with open_text(file, encoding) as stream:
        for line in stream:
            rest, own = line.removeprefix("\ufeff").strip(), []
            while rest.startswith(LABEL):
                label, rest = (*rest.split(maxsplit=1), "")[:2]
                own.append(label.removeprefix(LABEL))
            if rest or own:
                texts.append(rest)
                labels.append(own or None)
    if any(own is not None and len(own) > 1 for own in labels):
        return pa.table({"text": texts, "label": pa.array(labels, pa.list_(pa.string()))})
    return pa.table({"text": texts, "label": pa.array([own and own[0] for own in labels], pa.string())})


def text_tables(file: Path, encoding: str, name: str) -> Iterator[pa.Table]:
    """Yield the lines of a file, as tables of one column of this name; blank lines are none."""
    with open_text(file, encoding) as stream:
        texts = (text for line in stream if (text := line.strip("\r\n").removeprefix("\ufeff")).strip())
        while block := list(islice(texts, LINES_AT_ONCE)):
            yield pa.table({name: pa.array(block, pa.string())})
