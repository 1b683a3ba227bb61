"""What a file has beside texts and labels: ids of its own, and further columns that results keep."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from datasets import ClassLabel, Dataset, Features, LargeList, List, Value
from datasets.features.features import FeatureType
from numpy.typing import NDArray

from eraserhead.errors import Setting, UserError

OTHERS = "data"  # column of documents: the source's further columns, as fields of a struct
compute: Any = pyarrow.compute  # whose functions are made at run time


def read_ids(rows: Any, column: str, split: str) -> NDArray[np.object_]:
    """Return the ids of all rows of a split.

    Args:
        rows: The split, a `Dataset` or a stand-in for one.
        column: The column of the ids.
        split: Its name.

    Raises:
        UserError: An id is missing, or two rows have the same; the message names the row, counted from 0.
    """
    asked = Setting("data.id_column", column)
    values = rows.select_columns([column]).with_format("arrow")[:].column(column).combine_chunks()
    if not (
        pa.types.is_string(values.type) or pa.types.is_large_string(values.type) or pa.types.is_integer(values.type)
    ):
        raise UserError(asked, f": holds {values.type} and no ids; name a column of texts or of whole numbers")
    texts = values.cast(pa.string())
    missing = compute.or_kleene(compute.is_null(texts), compute.equal(compute.utf8_trim_whitespace(texts), ""))
    if (places := np.flatnonzero(missing.to_numpy(zero_copy_only=False))).size:
        raise UserError(asked, f": row {places[0]} of split '{split}' has no id; give every row one")
    ids = np.array(texts.to_pylist(), dtype=object)
    first_of: dict[str, int] = {}
    for row, name in enumerate(ids):
        if (first := first_of.setdefault(name, row)) != row:
            raise UserError(asked, f": rows {first} and {row} of split '{split}' have the same id '{name}'")
    return ids


def other_columns(rows: Dataset, used: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that are not used otherwise, but for those of pictures and sounds."""
    taken, features = set(used), rows.features  # a copy of all of them, each time that it is asked for
    return tuple(name for name in rows.column_names if name not in taken and _is_plain(features[name]))


def others_feature(rows: Dataset, columns: Iterable[str]) -> Features:
    """Return the feature of the further columns."""
    features = rows.features
    return Features({OTHERS: {name: features[name] for name in columns}})


def as_struct(batch: pa.Table, columns: Iterable[str]) -> pa.StructArray:
    """Return columns of a table as one."""
    names = list(columns)
    arrays = [batch.column(name).combine_chunks() for name in names]
    flat = [each.chunk(0) if isinstance(each, pa.ChunkedArray) else each for each in arrays]
    return pa.StructArray.from_arrays(flat, names)


def _is_plain(feature: FeatureType) -> bool:
    if isinstance(feature, dict):
        return bool(feature) and all(map(_is_plain, feature.values()))  # Parquet has no object without keys
    if isinstance(feature, List | LargeList):
        return _is_plain(feature.feature)
    return isinstance(feature, Value | ClassLabel)
