"""Records: frozen dataclasses that are stored as JSON, each kind in a format with a number.

The class of a record holds the number as `FORMAT`. It is raised whenever fields are renamed, removed or change their
meaning.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from eraserhead.errors import UserError
from eraserhead.files import read_mapping, write_json

FORMAT = "format"  # the key of the number


class Numbered(Protocol):
    """A dataclass that is stored by itself."""

    FORMAT: ClassVar[int]


Kind = TypeVar("Kind")
NumberedKind = TypeVar("NumberedKind", bound=Numbered)


def write_record(path: Path, record: Numbered) -> None:
    """Write a record with the number of its format; the file has its name only when all of it is written."""
    write_json(path, to_json(record))


def read_record(kind: type[NumberedKind], path: Path, mend: str) -> NumberedKind:
    """Read a record.

    Raises:
        UserError: It is damaged, or in the format of another version; `mend` says what to do then.
    """
    return from_json(kind, read_mapping(path, mend), path, mend)


def to_json(record: Numbered) -> dict[str, Any]:
    """Return a record as JSON content, with the number of its format."""
    return {FORMAT: record.FORMAT, **plain(record)}


def from_json(kind: type[NumberedKind], content: Mapping[str, Any], path: Path, mend: str) -> NumberedKind:
    """Return the record in JSON content that was read from `path`.

    Raises:
        UserError: In one line that names the file, and the field where there is one.
    """
    number = content.get(FORMAT)
    if not isinstance(number, int):
        raise UserError(f"{path}: has no format number; an older eraserhead wrote it, or it is damaged; {mend}")
    if number > kind.FORMAT:
        raise UserError(
            f"{path}: was written in format {number}, newer than the {kind.FORMAT} that this version reads: upgrade "
            "eraserhead"
        )
    if number < kind.FORMAT:
        raise UserError(
            f"{path}: was written in format {number}, older than the {kind.FORMAT} that this version reads; {mend}"
        )
    return checked(kind, {name: value for name, value in content.items() if name != FORMAT}, path, mend)


def plain(record: Any) -> dict[str, Any]:
    """Return a dataclass as JSON content."""
    return _adapter(type(record)).dump_python(record, mode="json")


def checked(kind: type[Kind], content: Any, path: Path, mend: str) -> Kind:
    """Return the dataclass in JSON content that was read from `path`; nothing is converted, and nothing ignored.

    Raises:
        UserError: A field is missing, unknown or of another type.
    """
    try:
        record = _adapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "all of it"
        raise UserError(f"{path}: damaged ({field}: {first['msg']}); {mend}") from error
    unknown = _unknown(content, plain(record))
    if unknown:
        raise UserError(f"{path}: damaged (unknown: {', '.join(unknown)}); {mend}")
    return record


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _unknown(content: Any, known: Any, prefix: str = "") -> list[str]:
    """Return the dotted names of keys that a record does not have."""
    if isinstance(content, list) and isinstance(known, list):
        pairs = [(str(place), value, known[place]) for place, value in enumerate(content)]
    elif isinstance(content, dict) and isinstance(known, dict):
        strange = [f"{prefix}{name}" for name in content if name not in known]
        if strange:
            return strange
        pairs = [(name, value, known[name]) for name, value in content.items()]
    else:
        return []
    return [name for place, value, same in pairs for name in _unknown(value, same, f"{prefix}{place}.")]
