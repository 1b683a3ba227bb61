"""Rows of a JSON file, in the shapes that people write: lines, a list, columns, or rows inside an object."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from eraserhead.data.dialects import DialectSettings, shortened
from eraserhead.data.text_files import encoding_of, named_format, open_text
from eraserhead.errors import Setting, UserError, listed, nearest

LINES = (".jsonl", ".ndjson")
ROWS_AT_ONCE = 10_000
SHOWN_KEYS = 8

Rows = list[dict[str, Any]]


def json_table(file: Path, asked: DialectSettings) -> pa.Table:
    """Return the rows of a JSON file.

    Values of several types in one column, such as 1 and "2", become texts; so do half surrogates U+FFFD.

    Raises:
        UserError: Its shape is another, it is nested too deep, or `asked` names no field of it.
        ValueError: It is no JSON.
    """
    encoding = encoding_of(file, asked.encoding)
    with open_text(file, encoding) as stream:
        try:
            if asked.field is None and _has_lines(stream, named_format(file) in LINES):
                stream.seek(0)
                return _joined([_table(rows) for rows in _blocks(_from_lines(stream), asked)])
            stream.seek(0)
            value = _parsed(stream.read().removeprefix("\ufeff"))
        except RecursionError as error:
            raise UserError("it is nested too deep: a row is an object with a text and a label") from error
    return _table(_rows(_inside(value, asked.field), asked))


def _has_lines(stream: TextIO, named: bool) -> bool:
    """Tell whether every line is a value of its own: the only one of a file of lines if it has single values."""
    first, second = [*islice((line for line in stream if line.strip("\ufeff \t\r\n")), 2), "", ""][:2]
    if not second and not named:
        return False
    try:
        value = json.loads(first.removeprefix("\ufeff"))
        if not second:
            return isinstance(value, dict) and not _nested(value.values())
        return isinstance(value, (dict, list))
    except ValueError:
        return first.lstrip("\ufeff \t").startswith("{") and second.lstrip().startswith("{")


def _from_lines(stream: TextIO) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        if text := line.strip("\ufeff \t\r\n"):
            try:
                yield json.loads(text)
            except json.JSONDecodeError as error:
                raise _no_json(text, error, number) from error


def _blocks(values: Iterator[Any], asked: DialectSettings) -> Iterator[Rows]:
    while block := list(islice(values, ROWS_AT_ONCE)):
        yield _listed(block, asked)


def _parsed(text: str) -> Any:
    if not text.strip():
        raise ValueError("there are no rows")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _no_json(text, error, error.lineno) from error


def _no_json(text: str, error: json.JSONDecodeError, line: int) -> UserError:
    """Say what stands in a line in place of JSON, and how to mend it."""
    before, behind = text[: error.pos].rstrip(), text[error.pos :].strip()
    own_line = "write each object in one line of its own, or all of them as a list: [{...}, {...}]"
    if before.startswith(("{", "[")) and before.endswith(",") and behind[:1] in ("]", "}"):
        why = f"a comma stands in front of the last '{behind[0]}'; remove it"
    elif error.msg.startswith("Illegal trailing comma"):
        why = "a comma stands in front of a closing bracket; remove it"
    elif before[-1:] in ("}", "]") and behind == ",":
        why = f"a comma stands behind the object; {own_line}"
    elif before[-1:] == "}" and behind.startswith(("{", ",")):
        why = f"one object follows another; {own_line}"
    elif before[-1:] in ("{", "[", ",", ":") and behind.startswith("'"):
        why = "it has single quotes, as Python writes them; write the rows with json.dumps"
    elif not before:
        why = f"it begins with {shortened(behind.splitlines()[0])}; name it .csv or .txt if it is that"
    else:
        why = str(error)
    return UserError(f"line {line} is no JSON: {why}")


def _inside(value: Any, field: str | None) -> Any:
    """Return what a dotted path leads to; a key may hold dots itself."""
    rest = field
    while rest:
        known = list(map(str, value if isinstance(value, Mapping) else range(len(value)) if _is_list(value) else ()))
        key = next((key for key in sorted(known, key=len, reverse=True) if f"{rest}.".startswith(f"{key}.")), None)
        if key is None:
            there = f"; there are the {_keys(known)}" if known else "; there is a single value, and no key"
            raise UserError(Setting("data.field", field), f": no such key{nearest(rest, known)}{there}")
        value, rest = value[int(key)] if _is_list(value) else value[key], rest[len(key) + 1 :]
    return value


def _rows(value: Any, asked: DialectSettings) -> Rows:
    if _is_list(value):
        return _listed(value, asked)
    if not isinstance(value, dict):
        raise UserError(f"it holds a single {_kind(value)}, and no rows")
    if {"columns", "data"} <= set(value) <= {"columns", "data", "index"} and all(map(_is_list, value["data"])):
        return _named(value["data"], tuple(map(str, value["columns"])))  # as pandas writes it with orient="split"
    inner = list(value.values())
    objects = len(inner) > 0 and all(isinstance(each, dict) and each for each in inner)
    if inner and all(_is_list(each) and _flat(each) for each in inner) and len(set(map(len, inner))) == 1:
        return [dict(zip(value, row, strict=True)) for row in zip(*inner, strict=True)]
    if objects and (all(_flat(list(each.values())) for each in inner) or _are_rows(inner)):
        keys = [list(each) for each in inner]
        if all(each == keys[0] for each in keys) and all(key.isdigit() for key in keys[0]):
            return [{name: column[key] for name, column in value.items()} for key in keys[0]]  # columns of pandas
        return [dict(each) for each in inner]
    rows_inside = any(_is_list(each) and not _flat(each) for each in inner)
    if inner and (rows_inside or _nested(inner)):
        holding = [key for key, each in value.items() if isinstance(each, (list, dict))]
        shorter = "" if asked.field is None else f"{asked.field}."
        raise UserError(
            f"an object with the {_keys(list(value))}: say which one holds the rows; give ",
            Setting("data.field", f"{shorter}{holding[0]}"),
            f" or another{' of these' if len(holding) > 1 else ''}" if len(value) > 1 else "",
        )
    return [value]


def _are_rows(objects: Rows) -> bool:
    """Tell whether several objects are rows, whatever else they hold: each has a single value, and they share keys."""
    shared = set(objects[0]).intersection(*objects[1:])
    return len(objects) > 1 and bool(shared) and all(not _nested(each.values()) for each in objects)


def _listed(values: list[Any], asked: DialectSettings) -> Rows:
    """Return the rows of a list of objects, of lists, or of texts."""
    if not values:
        raise ValueError("there are no rows")
    kind = type(values[0])
    other = next((place for place, value in enumerate(values) if type(value) is not kind), None)
    if other is not None:
        raise UserError(f"row {other} is a {_kind(values[other])}, and row 0 a {_kind(values[0])}")
    if kind is dict and asked.column_names is None:
        return values
    if kind is dict:
        raise UserError(Setting("data.column_names"), ": the rows bring names of their own; leave it out")
    if kind is list:
        if asked.column_names is None:
            raise UserError(
                f"rows are lists of {len(values[0])} values ({_shown(values[0])}): name their columns; give ",
                Setting("data.column_names"),
            )
        return _named(values, asked.column_names)
    return _named([[value] for value in values], asked.column_names or ("text",))


def _named(rows: list[list[Any]], names: tuple[str, ...]) -> Rows:
    wrong = next((place for place, row in enumerate(rows) if len(row) != len(names)), None)
    if wrong is not None:
        raise UserError(
            f"row {wrong} ({_shown(rows[wrong])}) has {len(rows[wrong])} values for the columns {listed(names)}"
        )
    return [dict(zip(names, row, strict=True)) for row in rows]


def _table(rows: Rows) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise UserError("the rows are empty objects")
    return pa.table({_text(name): _array([row.get(name) for row in rows]) for name in names})


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Return tables as one; a column that has other types in another table becomes text."""
    if not tables:
        raise ValueError("there are no rows")
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        names = dict.fromkeys(name for table in tables for name in table.column_names)
        values = {name: [value for table in tables for value in _column(table, name)] for name in names}
        return pa.table({name: _array(column) for name, column in values.items()})


def _column(table: pa.Table, name: str) -> list[Any]:
    return table[name].to_pylist() if name in table.column_names else [None] * len(table)


def _array(values: list[Any]) -> pa.Array:
    try:
        made = pa.array(values)
    except (pa.ArrowException, UnicodeError, OverflowError, TypeError):
        made = pa.array([_as_text(value) for value in values], pa.string())
    return made.cast(pa.string()) if pa.types.is_null(made.type) else made


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _text(
        value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else json.dumps(value)
    )


def _text(value: str) -> str:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _flat(values: list[Any]) -> bool:
    return not any(isinstance(value, (list, dict)) for value in values)


def _nested(values: Iterable[Any]) -> bool:
    """Tell whether all values are lists or objects."""
    return all(isinstance(value, (list, dict)) for value in values)


def _keys(keys: list[str]) -> str:
    more = ", ..." if len(keys) > SHOWN_KEYS else ""
    return f"key{'s' if len(keys) > 1 else ''} {', '.join(keys[:SHOWN_KEYS])}{more}"


def _kind(value: Any) -> str:
    kinds = {dict: "object", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return kinds.get(type(value), "number")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}..."
