"""The results folder of an erasure analysis, with its only writer and reader."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.erasure.setup import Setup
from eraserhead.erasure.sharded import ResultsLayout, ShardedResults
from eraserhead.erasure.summary import Summary
from eraserhead.method.names import FEWEST_COMPONENTS
from eraserhead.parquet import parquet_batches

ROWS_AT_A_TIME = 1 << 17

RESULTS = ResultsLayout()


def is_analysed(components: Any) -> Any:
    """Tell whether a document of so many components is analysed; aggregates, figures and comparisons use these."""
    return components >= FEWEST_COMPONENTS


class ResultTables(Protocol):
    """The tables of results; a document may have several decisions in them."""

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one of the tables, or some of its columns."""
        ...

    def analysed(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of the documents that are analysed; `columns` must have ``n`` among them."""
        ...

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read some columns of one of the tables, a bounded number of rows at a time."""
        ...


@dataclass(frozen=True)
class ResultsFolder(ShardedResults[Setup, Summary]):
    """A folder of erasure results, finished or unfinished."""

    CONTENT: ClassVar[str] = "erasure results"
    COMMAND: ClassVar[str] = "erase"
    MARK: ClassVar[str] = RESULTS.setup
    LAYOUT: ClassVar[ResultsLayout] = RESULTS
    TABLES: ClassVar = SCHEMAS
    SUMMARY: ClassVar[type] = Summary

    def analysed(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of the documents that are analysed; `columns` must have ``n`` among them."""
        return self.table(name, columns).filter(is_analysed(pc.field("n")))

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read some columns of one of the tables, a bounded number of rows at a time.

        Raises:
            UserError: It is damaged.
        """
        yield from parquet_batches(self.path / RESULTS.table(name), self.again, columns, ROWS_AT_A_TIME)
