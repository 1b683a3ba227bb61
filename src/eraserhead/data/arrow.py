"""Columns as Arrow holds them, without a Python object for each value."""

from typing import cast

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray


def arrow_table(rows: Dataset, columns: list[str]) -> pa.Table:
    """Return some columns of the rows in one table."""
    return cast(pa.Table, rows.select_columns(columns).with_format("arrow")[:])


def number_lists(column: pa.ChunkedArray) -> list[NDArray[np.int64]]:
    """Return the lists of a column of lists of numbers, as arrays."""
    return [
        of_row
        for lists in column.chunks
        if len(lists)
        for of_row in np.split(lists.flatten().to_numpy(), np.diff(lists.offsets).cumsum()[:-1])
    ]
