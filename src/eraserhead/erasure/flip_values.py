"""First flips along a ranking as arrays, in which a document that never flips has a value too (METHOD section 4).

In the tables such a document has null, which `tabulate` writes. Here null becomes infinity or, where the summary counts
``all``, what erasing everything has. `aggregates` averages a document's draws for quantiles with their infinities, and
for means without them. A quantile that is infinite is null in the summary, which views print as "> all".
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eraserhead.erasure.config import CountNeverAs
from eraserhead.erasure.results import ResultsFolder

COLUMNS = ("id", "target", "ranking", "n", "removed", "fraction", "mass", "outcome", "evidence_auc")


@dataclass(frozen=True)
class FlipValues:
    """First flips along one ranking, ``[decisions, draws]``; rankings other than random have one draw.

    A decision is a document, or of a model that decides label by label a document and a label.

    Attributes:
        ids: The document of each decision.
        outcome: Labels of `Outcome`.
        never: Where nothing flips.
        removed: Components erased; where nothing flips, infinity or the number of all components, as counted.
        fraction: Their share; where nothing flips, infinity or 1.
        mass: Their attention; where nothing flips, infinity or 1.
        evidence_auc: How early components lie that are known to decide; NaN where none are known.
    """

    ids: np.ndarray
    outcome: np.ndarray
    never: np.ndarray
    removed: np.ndarray
    fraction: np.ndarray
    mass: np.ndarray
    evidence_auc: np.ndarray

    def values(self, quantity: str) -> np.ndarray:
        """Return ``removed``, ``fraction`` or ``mass``; infinity is larger than everything."""
        return getattr(self, quantity)

    def numbers(self, quantity: str) -> np.ndarray:
        """Return the same with NaN for infinity."""
        values = self.values(quantity)
        return np.where(np.isinf(values), np.nan, values)

    @property
    def shares(self) -> np.ndarray:
        """What each decision and draw counts, so that every document counts 1, ``[decisions, draws]``."""
        _, documents, decisions = np.unique(self.ids, return_inverse=True, return_counts=True)
        return np.broadcast_to(1 / (decisions[documents] * self.never.shape[1])[:, None], self.never.shape)


def read_flips(results: ResultsFolder, count_never_as: CountNeverAs) -> dict[str, FlipValues]:
    """Return the first flips of the documents that are analysed, by ranking in the order of the table."""
    return flips_by_ranking(results.analysed("flips", COLUMNS).to_pandas(), count_never_as)


def flips_by_ranking(rows: pd.DataFrame, count_never_as: CountNeverAs) -> dict[str, FlipValues]:
    """Return the rows of a table of flips by ranking; every decision has as many draws as the others."""
    decisions = max(int((~rows[["id", "target"]].duplicated()).sum()), 1)
    return {
        str(name): _values(found, max(len(found) // decisions, 1), count_never_as)
        for name, found in rows.groupby("ranking", sort=False)
    }


def by_document(ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Average values ``[decisions, ...]`` over each document's decisions, those that are numbers; NaN where none is.

    Infinity is a number here: it makes the average infinite. Documents come in the order in which they appear.
    """
    _, first, documents = np.unique(ids, return_index=True, return_inverse=True)
    if len(first) == len(ids):
        return values
    documents = first.argsort().argsort()[documents]
    sums, counts = (np.zeros((len(first), *values.shape[1:])) for _ in range(2))
    exists = ~np.isnan(values)
    np.add.at(sums, documents, np.where(exists, values, 0.0))
    np.add.at(counts, documents, exists)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _values(rows: pd.DataFrame, draws: int, count_never_as: CountNeverAs) -> FlipValues:
    shape = (len(rows) // draws, draws)
    never = rows.fraction.isna().to_numpy()
    everything = {"removed": rows.n.to_numpy(dtype=float), "fraction": 1.0, "mass": 1.0}
    counted = {
        name: np.where(never, np.inf if count_never_as == "beyond_all" else all_of_it, rows[name].to_numpy(dtype=float))
        for name, all_of_it in everything.items()
    }
    return FlipValues(
        ids=rows.id.to_numpy().reshape(shape)[:, 0],
        outcome=rows.outcome.to_numpy().reshape(shape),
        never=never.reshape(shape),
        evidence_auc=rows.evidence_auc.to_numpy(dtype=float).reshape(shape),
        **{name: values.reshape(shape) for name, values in counted.items()},
    )
