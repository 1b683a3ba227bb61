"""Parquet files with a checksum in every page, which is verified when they are read."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from eraserhead.errors import UserError
from eraserhead.files import damaged


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer of a table, part by part."""
    single, others = _columns(schema)
    return pq.ParquetWriter(
        path,
        schema,
        write_page_checksum=True,
        use_dictionary=others,  # pyright: ignore[reportArgumentType]
        use_byte_stream_split=single,  # pyright: ignore[reportArgumentType]
    )


def write_parquet(path: Path, table: pa.Table, rows_at_once: int | None = None) -> None:
    """Write a table; `rows_at_once` is the size of its row groups."""
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table, rows_at_once)


def _columns(schema: pa.Schema) -> tuple[list[str], list[str]]:
    """Return the columns of single precision, which take half as much with their bytes apart, and the others."""
    single: list[str] = []
    others: list[str] = []
    for field in schema:
        inner = field.type.value_type if isinstance(field.type, pa.ListType) else field.type
        path = field.name if inner is field.type else f"{field.name}.list.element"
        (single if pa.types.is_float32(inner) else others).append(path)
    return single, others


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open a table, to read it part by part."""
    return pq.ParquetFile(path, page_checksum_verification=True)


def parquet_batches(path: Path, mend: str, columns: Sequence[str] | None, rows: int) -> Iterator[pa.Table]:
    """Read a table, or some of its columns, so many rows at a time.

    Raises:
        UserError: The file is damaged; `mend` says what to do.
    """
    try:
        with open_parquet(path) as file:
            for batch in file.iter_batches(rows, columns=list(columns) if columns else None):
                yield pa.Table.from_batches([batch])
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(damaged(path, error, mend)) from error


def read_parquet(path: Path, mend: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a table, or some of its columns.

    Raises:
        UserError: The file is damaged; `mend` says what to do.
    """
    try:
        return pq.read_table(path, columns=list(columns) if columns else None, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(damaged(path, error, mend)) from error
