"""Results that are held in memory, read like those in a folder."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from eraserhead.erasure.results import is_analysed


@dataclass(frozen=True)
class TablesInMemory:
    """The tables of results.

    Attributes:
        tables: The tables by name.
    """

    tables: Mapping[str, pa.Table]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return one of the tables, or some of its columns."""
        return self.tables[name] if columns is None else self.tables[name].select(list(columns))

    def analysed(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows of the documents that are analysed; `columns` must have ``n`` among them."""
        return self.table(name, columns).filter(is_analysed(pc.field("n")))

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Return some columns of one of the tables, all rows at once."""
        yield self.table(name, columns)
