"""Results of models that differ only in the seed of training, taken together: each adds a decision to a document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.results import ResultsFolder, is_analysed
from eraserhead.erasure.summary import Summary
from eraserhead.errors import UserError


@dataclass(frozen=True)
class PooledResults:
    """The tables of several folders of results on the same documents, one folder after the other.

    Attributes:
        folders: One for each model.
    """

    folders: Sequence[ResultsFolder]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read one of the tables, or some of its columns."""
        return pa.concat_tables([folder.table(name, columns) for folder in self.folders])

    def analysed(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of the documents that are analysed; `columns` must have ``n`` among them."""
        return self.table(name, columns).filter(is_analysed(pc.field("n")))

    def batches(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read some columns of one of the tables, a bounded number of rows at a time."""
        for folder in self.folders:
            yield from folder.batches(name, columns)

    def summary(self) -> Summary:
        """Return the summary of all together: a document's values are averaged over the models first.

        A quantile is one of all models' values, those of a document weighing together as one. Setup and run are those
        of the first model.

        Raises:
            UserError: The folders are of different documents.
        """
        first, *others = (folder.table("documents", ["id", "n"]) for folder in self.folders)
        for folder, documents in zip(self.folders[1:], others, strict=True):
            if not documents.equals(first):
                raise UserError(
                    f"{folder.path}: its documents are not those of {self.folders[0].path}, so the two cannot be "
                    "averaged; delete one of them, and run the same command again"
                )
        setup = self.folders[0].summary()
        aggregates = aggregate(self, setup.setup.count_never_as)
        return Summary(**vars(aggregates), setup=setup.setup, run=setup.run, half_precision=None)
