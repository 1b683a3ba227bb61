"""Whether what the head sees at a flip is still ordinary: percentiles among the documents (METHOD section 14)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.covariance import ledoit_wolf_shrinkage

from eraserhead.erasure.results import RESULTS, is_analysed
from eraserhead.erasure.schemas import DOCUMENT_ROWS, PARTS, PERCENTILE, PLACE, SEEN
from eraserhead.erasure.summary import FEWEST_ORDINARY
from eraserhead.method.distances import Reference
from eraserhead.parquet import read_parquet


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of what the head sees, among the analysed documents of the sample with nothing erased.

    Attributes:
        numbers: Number of each of these documents in the reference, by id.
        reference: Their vectors; None where they are fewer than `FEWEST_ORDINARY`, or all the same.
    """

    numbers: Mapping[str, int]
    reference: Reference | None

    @classmethod
    def of(cls, folders: Sequence[Path], mend: str) -> "Percentiles":
        """Read the documents of shards or parts; neither their order nor their number makes a difference.

        Raises:
            UserError: A table is damaged; `mend` says what to do.
        """
        columns = ["id", "n", PLACE.name, SEEN.name]
        none = PARTS[DOCUMENT_ROWS].empty_table().select(columns)
        tables = (read_parquet(folder / RESULTS.table(DOCUMENT_ROWS), mend, columns) for folder in folders)
        chosen = pc.field(SEEN.name).is_valid() & is_analysed(pc.field("n"))
        table = pa.concat_tables([none, *(table.filter(chosen) for table in tables)]).sort_by(PLACE.name)
        # Decisions of one document have the same vector; the first counts.
        _, firsts = np.unique(table.column(PLACE.name).to_numpy(), return_index=True)
        table = table.take(pa.array(firsts))
        numbers = {name: number for number, name in enumerate(table.column("id").to_pylist())}
        vectors = _vectors(table)
        usable = len(vectors) >= FEWEST_ORDINARY and (vectors != vectors[:1]).any()
        return cls(numbers, Reference.of(vectors, float(ledoit_wolf_shrinkage(vectors))) if usable else None)

    def added(self, rows: pa.Table) -> pa.Table:
        """Fill in the percentiles of a table's rows; null where nothing was seen, or there is no reference."""
        if self.reference is None or SEEN.name not in rows.column_names:
            return rows
        exists = rows.column(SEEN.name).is_valid().to_numpy()
        chosen = rows.filter(pa.array(exists))
        own = np.array([self.numbers.get(name, -1) for name in chosen.column("id").to_pylist()], dtype=np.int64)
        values = np.zeros(len(rows))
        values[exists] = self.reference.percentiles(own, _vectors(chosen))
        place = rows.column_names.index(PERCENTILE[0])
        return rows.set_column(place, rows.schema.field(place), pa.array(values, mask=~exists))


def _vectors(table: pa.Table) -> np.ndarray:
    values = table.column(SEEN.name).combine_chunks().flatten().to_numpy().astype(np.float64)
    return values.reshape(len(table), -1) if len(table) else values.reshape(0, 0)
