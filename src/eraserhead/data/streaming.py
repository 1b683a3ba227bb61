"""Data sets of the hub that are read where they are: any row of a parquet file by itself, without a copy on disk.

The numbers of rows come from the ends of the files, labels from their own columns. So samples, ids and shards are those
of a data set that was downloaded, and nothing has to be passed over to come to a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, Features, load_dataset_builder
from datasets.packaged_modules.parquet.parquet import ParquetConfig
from datasets.table import InMemoryTable, table_cast
from huggingface_hub import HfFileSystem
from numpy.typing import NDArray

from eraserhead.data.sources import Source, reason_of
from eraserhead.errors import Setting, UserError
from eraserhead.remote.downloads import DATASET_FILE
from eraserhead.remote.failures import failure, http_error, with_retries

STREAMING = Setting("data.streaming")
AS_PARQUET = "refs/convert/parquet"  # branch in which the hub keeps data sets of other formats
FILES_OPEN = 4


@dataclass(frozen=True)
class RowGroup:
    """Rows of a file that are read together.

    Attributes:
        file: Address of the file.
        number: Number of the group in it.
        first: Number of its first row in the split.
    """

    file: str
    number: int
    first: int


@dataclass(frozen=True)
class StreamedRows:
    """One split of a data set on the hub.

    It stands in for a `Dataset` where columns and labels are looked at.

    Attributes:
        name: Hub id of the data set.
        files: Addresses of its files, in order.
        described: Features as the data set's card describes them; null where it does not.
    """

    name: str
    files: tuple[str, ...]
    described: Features | None

    def __len__(self) -> int:
        return self._groups[1]

    @cached_property
    def features(self) -> Features:
        """The columns and their types."""
        if self.described is not None:
            return self.described
        return Features.from_arrow_schema(self._asked(lambda: _open(self.files[0]).schema_arrow))

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
        return list(self.features)

    @cached_property
    def _groups(self) -> tuple[list[RowGroup], int]:
        """All groups of rows, and how many rows there are."""
        found, rows = [], 0
        for file in self.files:
            about = self._asked(lambda file=file: _open(file).metadata)
            for number in range(about.num_row_groups):
                found.append(RowGroup(file, number, rows))
                rows += about.row_group(number).num_rows
        return found, rows

    def flatten(self) -> "StreamedRows":
        """Refuse columns inside objects.

        Raises:
            UserError: Always.
        """
        raise UserError(STREAMING, ": columns inside objects are not read from the hub; leave it out")

    def select_columns(self, columns: Sequence[str]) -> Dataset:
        """Return whole columns; meant for labels."""
        return self.read(np.arange(len(self)), columns)

    def read(self, rows: NDArray[np.int64], columns: Sequence[str]) -> Dataset:
        """Return some rows, whose numbers ascend, in memory; no other group of rows is read.

        Raises:
            UserError: The hub cannot be reached, or a file is damaged.
        """
        features = Features({name: self.features[name] for name in columns})
        groups, _ = self._groups
        starts = np.array([group.first for group in groups], dtype=np.int64)
        inside = np.searchsorted(starts, rows, side="right") - 1
        tables = [features.arrow_schema.empty_table()]
        for place in np.unique(inside).tolist():
            found = self._read_group(groups[place], list(columns)).select(list(columns))
            tables.append(table_cast(found.take(rows[inside == place] - groups[place].first), features.arrow_schema))
        return Dataset(InMemoryTable(pa.concat_tables(tables).combine_chunks()))

    def _read_group(self, group: RowGroup, columns: list[str]) -> pa.Table:
        return self._asked(lambda: _open(group.file).read_row_group(group.number, columns=columns))

    def _asked(self, read: Any) -> Any:
        """Ask the hub, again where it fails for a while."""
        try:
            return with_retries(read)
        except Exception as error:  # whatever the client and the reader of parquet raise
            raise UserError(_failed(error, self.name, None), *_leave_out(error)) from error


def stream_hub(name: str, subset: str | None, revision: str | None) -> Source:
    """Open a data set of the hub without downloading it.

    Raises:
        UserError: It cannot be found, its files are not parquet, or the hub cannot be reached.
    """
    try:
        builder = with_retries(lambda: load_dataset_builder(name, subset, revision=revision))
    except Exception as error:  # as `read_hub`
        raise UserError(_failed(error, name, revision), *_leave_out(error)) from error
    files = {str(split): tuple(map(str, found)) for split, found in (builder.config.data_files or {}).items()}
    commits = _commits(file for found in files.values() for file in found)
    if not files or commits is None:
        raise UserError(STREAMING, f": the files of {name} cannot be read from the hub; leave it out")
    if not isinstance(builder.config, ParquetConfig):
        raise UserError(
            STREAMING,
            f": the files of {name} are no parquet, and others cannot be read from the middle; give ",
            Setting("data.revision", AS_PARQUET),
            ", where the hub keeps most data sets as parquet, or leave it out",
        )
    splits = {split: StreamedRows(name, found, builder.info.features) for split, found in files.items()}
    return Source(cast(dict[str, Dataset], splits), revision=commits)


def _commits(files: Iterable[str]) -> str | None:
    """Return the commit that all files are of; null where one is not on the hub."""
    found = [DATASET_FILE.fullmatch(file) for file in files]
    commits = {match and match[2] for match in found}
    return commits.pop() if len(commits) == 1 else None


def _failed(error: BaseException, name: str, revision: str | None) -> str:
    if http_error(error) is not None:
        return failure(error, name, revision=revision)
    return f"{name}: cannot be read from the hub ({reason_of(error)})"


def _leave_out(error: BaseException) -> tuple[str | Setting, ...]:
    """Return what to do where the hub says nothing of it."""
    if http_error(error) is not None:
        return ()
    return "; check ", Setting("data.name"), ", ", Setting("data.subset"), " and the network, or leave out ", STREAMING


@lru_cache(maxsize=FILES_OPEN)
def _open(file: str) -> pq.ParquetFile:
    # Without a cache: each column of a group is one request, and columns that are not wanted are not read.
    return pq.ParquetFile(HfFileSystem().open(file, "rb", cache_type="none"))
