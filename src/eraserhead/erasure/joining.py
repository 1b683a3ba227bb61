"""Rows of the same tables in several folders, in the order of their documents, a few documents at a time."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from eraserhead.data.own_columns import OTHERS
from eraserhead.erasure.schemas import PLACE
from eraserhead.errors import UserError
from eraserhead.files import damaged
from eraserhead.parquet import open_parquet, read_parquet

Kind = TypeVar("Kind")

DOCUMENTS_AT_ONCE = 200  # whose rows are put in order together; also those of a row group
compute = pyarrow.compute


def in_order(folders: Sequence[Path], file: str, documents: str, mend: str) -> Iterator[pa.Table]:
    """Yield the rows of a table of several folders in the order of their documents.

    In each folder, documents are in their order and each document's rows stand together. Files are open only as long
    as their turn lasts, so that memory depends on how far the folders interleave, not on how many there are.

    Args:
        folders: The folders, which have no document in common.
        file: Name of the table's file.
        documents: Name of the file that has the documents' places.
        mend: What to do about a damaged file.

    Raises:
        UserError: A file lacks documents.
    """
    places = [places_of(folder / documents, mend) for folder in folders]
    owners = np.repeat(np.arange(len(folders)), [len(each) for each in places])
    owners = owners[np.concatenate([*places, np.empty(0, np.int64)]).argsort(kind="stable")]
    left = [len(each) for each in places]
    readers: dict[int, _Reader] = {}
    for start in range(0, len(owners), DOCUMENTS_AT_ONCE):
        block = owners[start : start + DOCUMENTS_AT_ONCE]
        tables, ranks = [], []
        for owner in np.unique(block).tolist():
            own = np.flatnonzero(block == owner)
            if owner not in readers:
                readers[owner] = _Reader(folders[owner] / file, mend)
            table, rows = readers[owner].take(len(own))
            tables.append(table)
            ranks.append(np.repeat(own, rows))
            left[owner] -= len(own)
            if not left[owner]:
                readers.pop(owner).close()
        order = np.concatenate(ranks).argsort(kind="stable")
        yield pa.concat_tables(tables).take(pa.array(order)) if len(tables) > 1 else tables[0]


def places_of(file: Path, mend: str) -> NDArray[np.int64]:
    """Return which of all documents those in a file are, ascending; a document may have several rows."""
    return np.unique(read_parquet(file, mend, [PLACE.name]).column(PLACE.name).to_numpy())


def with_places(rows: pa.Table, documents: pa.Table) -> pa.Table:
    """Add to the rows of some documents their places, which the documents know."""
    place_of = dict(zip(*(documents.column(name).to_pylist() for name in ("id", PLACE.name)), strict=True))
    found = [place_of[each] for each in rows.column("id").to_pylist()]
    return rows.append_column(PLACE, pa.array(found, PLACE.type))


def with_others(schema: pa.Schema, file: Path) -> pa.Schema:
    """Return the schema of a table with the struct of further columns that a shard's file has, if it has one."""
    try:
        with open_parquet(file) as shard:
            found = shard.schema_arrow
    except (OSError, ValueError, pa.ArrowException):
        return schema  # whoever reads its rows says so
    place = found.get_field_index(OTHERS)
    return schema if place < 0 else schema.append(found.field(place))


class _Reader:
    """Reads the rows of one table, document by document."""

    def __init__(self, path: Path, mend: str) -> None:
        self._path, self._mend = path, mend
        self._file = self._read(lambda: open_parquet(path))
        self._groups = iter(range(self._file.num_row_groups))
        self._rows = self._file.schema_arrow.empty_table()
        self._starts = np.empty(0, np.int64)

    def take(self, documents: int) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return the rows of the next documents, and how many rows each has.

        Raises:
            UserError: There are fewer.
        """
        while len(self._starts) <= documents and (group := next(self._groups, None)) is not None:
            self._rows = pa.concat_tables([self._rows, self._group(group)]).combine_chunks()
            self._starts = _starts(self._rows.column("id"))
        if documents > len(self._starts):
            raise UserError(damaged(self._path, "it lacks documents", self._mend))
        ends = np.append(self._starts[1:], len(self._rows))
        taken, lengths = self._rows.slice(0, ends[documents - 1]), (ends - self._starts)[:documents]
        self._rows = self._rows.slice(ends[documents - 1])
        self._starts = self._starts[documents:] - ends[documents - 1]
        return taken, lengths

    def _group(self, number: int) -> pa.Table:
        return self._read(lambda: self._file.read_row_group(number))

    def _read(self, read: Callable[[], Kind]) -> Kind:
        try:
            return read()
        except (OSError, ValueError, pa.ArrowException) as error:
            raise UserError(damaged(self._path, error, self._mend)) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _starts(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the first row of each document."""
    changes = compute.not_equal(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0)))  # pyright: ignore
    return np.concatenate([[0], 1 + np.flatnonzero(changes.to_numpy())]) if len(ids) else np.empty(0, np.int64)
