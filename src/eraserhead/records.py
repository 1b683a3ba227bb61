"""Records: frozen dataclasses stored as JSON, with a format number for each kind and a digest of the content.

The class of a record holds the number as `FORMAT`. Raise it whenever a field is renamed, removed or changes its
meaning.
"""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from eraserhead.digests import CHANGED, digest
from eraserhead.errors import UserError
from eraserhead.files import damaged, read_mapping, write_json

FORMAT = "format"  # key of the format number
DIGEST = "digest"  # key of the digest of everything else in the file


class Numbered(Protocol):
    """A dataclass that is stored in a file of its own."""

    FORMAT: ClassVar[int]


Kind = TypeVar("Kind")
NumberedKind = TypeVar("NumberedKind", bound=Numbered)


def write_record(path: Path, record: Numbered) -> None:
    """Write a record with its format number and its digest, atomically."""
    content = to_json(record)
    write_json(path, {**content, DIGEST: _digest(content)})


def read_record(kind: type[NumberedKind], path: Path, mend: str) -> NumberedKind:
    """Read a record.

    Raises:
        UserError: The file is damaged, or in the format of another version; `mend` says what to do.
    """
    content = read_mapping(path, mend)
    known = content.pop(DIGEST, None)
    record = from_json(kind, content, path, mend)
    if known is None:
        raise UserError(
            f"{path}: has no digest of its content; an older eraserhead wrote it, or it was changed; {mend}"
        )
    if known != _digest(content):
        raise UserError(damaged(path, CHANGED, mend))
    return record


def to_json(record: Numbered) -> dict[str, Any]:
    """Return a record as a JSON object, with its format number."""
    return {FORMAT: record.FORMAT, **plain(record)}


def from_json(kind: type[NumberedKind], content: Mapping[str, Any], path: Path, mend: str) -> NumberedKind:
    """Return the record that a JSON object read from `path` holds.

    Raises:
        UserError: The content is damaged, or in another format; the message names the file and the field.
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
    """Return a dataclass as a JSON object."""
    return _adapter(type(record)).dump_python(record, mode="json")


def checked(kind: type[Kind], content: Any, path: Path, mend: str) -> Kind:
    """Return the dataclass that JSON read from `path` holds; no value is converted, no key ignored.

    Raises:
        UserError: A field is missing, unknown or of another type.
    """
    endless = next(_not_finite(content), None)
    if endless is not None:
        raise UserError(f"{path}: damaged ({endless}: no finite number); {mend}")
    try:
        record = _adapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "all of it"
        raise UserError(f"{path}: damaged ({field}: {first['msg']}); {mend}") from error
    unknown = _unknown(content, plain(record))
    if unknown:
        raise UserError(f"{path}: damaged (unknown keys: {', '.join(unknown)}); {mend}")
    return record


def _digest(content: Mapping[str, Any]) -> str:
    """Return the digest of a JSON object, whatever the order of its keys and the white space between them."""
    return digest(json.dumps(content, sort_keys=True).encode())


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _not_finite(content: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of numbers that are NaN or infinite, which no record holds."""
    if isinstance(content, float) and not math.isfinite(content):
        yield prefix
    pairs = enumerate(content) if isinstance(content, list) else content.items() if isinstance(content, dict) else ()
    for name, value in pairs:
        yield from _not_finite(value, f"{prefix}.{name}" if prefix else str(name))


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
