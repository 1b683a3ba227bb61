"""Results that are compared, as columns over the same documents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from eraserhead.erasure.flip_values import COLUMNS, FlipValues, averager, flips_by_ranking, own_decisions
from eraserhead.erasure.results import is_analysed
from eraserhead.erasure.summary import Summary
from eraserhead.errors import UserError
from eraserhead.method.names import Outcome

SHOWN = 3  # ids in a message
CURVES = ("aopc", "naopc")  # what is compared of curves, differences of probabilities and their place between limits
Case = tuple[str, str | None]  # a document and the label that a row is about
Scores = Mapping[Case, np.ndarray]


@dataclass(frozen=True)
class Source:
    """Finished results.

    Attributes:
        name: A letter that stands for them.
        results: Their folder; of results in memory, their number.
        summary: Their summary.
        table: Reads some columns of one of their tables.
    """

    name: str
    results: str
    summary: Summary
    table: Callable[[str, Sequence[str]], pa.Table]

    @cached_property
    def texts(self) -> pd.Series:
        """The text of each document by its id."""
        rows = self.table("documents", ["id", "text"]).to_pandas().drop_duplicates("id")
        return rows.set_index("id").text

    @cached_property
    def analysed(self) -> set[str]:
        """Ids of the documents of two components or more."""
        rows = self.table("documents", ["id", "n"]).to_pandas()
        return set(rows.id[is_analysed(rows.n)])

    @cached_property
    def flips(self) -> dict[str, FlipValues]:
        """First flips by ranking; a document that never flips counts as one that flips when everything is erased."""
        return own_decisions(flips_by_ranking([self.table("flips", COLUMNS)], "all"))

    def measures(self, ranking: str) -> dict[str, pd.Series]:
        """Return what is compared of a ranking, one value for each document by its id, NaN where there is none."""
        flips = self.flips[ranking]
        average, ids = averager(flips.ids), pd.unique(flips.ids)
        columns = {"fraction": flips.fraction.mean(1)}
        columns |= {outcome.label: (flips.outcome == outcome).mean(1) for outcome in Outcome}
        found = {name: pd.Series(average(values), ids) for name, values in columns.items()}
        return found | self._curves.get(ranking, {})

    @cached_property
    def scores(self) -> dict[str, Scores]:
        """The scores of each ranking, by document and label."""
        rows = self.table("signals", ["id", "ranking", "target", "scores"]).to_pandas()
        return {
            str(ranking): dict(zip(zip(own.id, own.target, strict=True), own.scores, strict=True))
            for ranking, own in rows.groupby("ranking", sort=False)
        }

    @cached_property
    def components(self) -> Mapping[Case, tuple[str, ...]]:
        """The components of each document, by document and label."""
        rows = self.table("documents", ["id", "target", "components"]).to_pandas()
        return {
            key: tuple(own) for key, own in zip(zip(rows.id, rows.target, strict=True), rows.components, strict=True)
        }

    @cached_property
    def _curves(self) -> dict[str, dict[str, pd.Series]]:
        rows = self.table("curves", ["id", "ranking", *CURVES]).to_pandas()
        return {
            str(ranking): {name: own.groupby("id", sort=False)[name].mean() for name in CURVES}
            for ranking, own in rows.groupby("ranking", sort=False)
        }


def check_same_documents(first: Source, other: Source) -> None:
    """Refuse results on other documents.

    Raises:
        UserError: Ids or texts differ; the message says how many are shared.
    """
    ids = first.texts.index.intersection(other.texts.index)
    same = first.texts.loc[ids] == other.texts.loc[ids]
    shared, sizes = int(same.sum()), (len(first.texts), len(other.texts))
    if sizes == (shared, shared):
        return
    alone = list(first.texts.index.symmetric_difference(other.texts.index))[:SHOWN]
    altered = list(ids[~same.to_numpy()][:SHOWN])
    example = f"in one alone: {', '.join(alone)}" if alone else f"with another text: {', '.join(altered)}"
    raise UserError(
        f"{first.results} and {other.results}: not the same documents: {sizes[0]:,} and {sizes[1]:,}, of which "
        f"{shared:,} have the same id and text ({example}); erase the same documents with both"
    )
