"""Orders the components of batches along the rankings of an analysis, and keeps the time that each takes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import pyarrow as pa

from eraserhead.erasure.results import ResultsFolder
from eraserhead.loading.components import component_texts
from eraserhead.loading.opened import OpenedModel
from eraserhead.method.reading import Reading
from eraserhead.method.signals import Signals
from eraserhead.rankings.asked import Scorer
from eraserhead.rankings.ranking import Ranked, Ranking
from eraserhead.rankings.registry import signals_of
from eraserhead.rankings.score_table import Located, ScoreTable


@dataclass(frozen=True)
class Scoring:
    """Orders batches along some rankings.

    Attributes:
        opened: The model at its site.
        rankings: The rankings.
        seconds: Seconds that each has taken so far, without what the reading of a batch took.
        missed: Of those whose scores of a document's tokens should sum to a change of its margin: by how much a sum has
            missed it so far, at most.
    """

    opened: OpenedModel
    rankings: tuple[Scorer, ...]
    seconds: dict[str, float] = field(default_factory=dict)
    missed: dict[str, float] = field(default_factory=dict)

    @property
    def signals(self) -> frozenset[str]:
        """Signals that the site has to give."""
        return signals_of(each for each in self.rankings if isinstance(each, Ranking))

    def ranked(self, reading: Reading, documents: pa.Table, rows: Sequence[int]) -> dict[str, Ranked]:
        """Return each ranking's order of a batch.

        Args:
            reading: What was read of the batch.
            documents: Tokenised documents.
            rows: Number of the document among them that each row of the reading is about.
        """
        located, found = self._located(reading, documents, rows), {}
        reading.singles()  # test 1 needs them anyway, so that they are no ranking's cost
        for each in self.rankings:
            started = perf_counter()
            ranking = each.ranking(located) if isinstance(each, ScoreTable) else each
            found[each.name] = ranking.ranked(reading, located.ids)
            self.seconds[each.name] = self.seconds.get(each.name, 0.0) + perf_counter() - started
        for name, missed in reading.signals.missed.items() if isinstance(reading.signals, Signals) else ():
            most = missed.abs().masked_fill(reading.lengths.to(missed.device) == 0, 0.0).amax().item()
            self.missed[name] = max(self.missed.get(name, 0.0), most)
        return found

    def _located(self, reading: Reading, documents: pa.Table, rows: Sequence[int]) -> Located:
        """Return which documents the rows are about, and, for tables of spans, where their components lie."""
        numbers, lengths = np.array(rows, dtype=np.int64), reading.lengths.numpy(force=True)
        ids = documents.column("id").take(pa.array(numbers)).to_pylist()
        if not any(isinstance(each, ScoreTable) and each.by_span for each in self.rankings):
            return Located(ids, lengths)
        positions = reading.positions.numpy(force=True)[reading.mask.numpy(force=True)]
        opened = self.opened
        of_what, tokenizer = opened.setup.components, opened.checkpoint.tokenizer
        texts = component_texts(documents, numbers, lengths, positions, tokenizer, of_what)
        return Located(ids, lengths, texts.starts, texts.ends)


def unlaid_spans(tables: Iterable[ScoreTable], results: ResultsFolder) -> dict[str, int]:
    """Return how many spans of each table of spans lie on no component of their documents, as joined tables say."""
    counts = dict.fromkeys((table for table in tables if table.by_span), 0)
    last = None
    for rows in results.batches("documents", ("id", "starts", "ends")) if counts else ():
        for document, starts, ends in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            for table in counts if document != last else ():  # rows of one document's labels stand together
                counts[table] += table.unlaid(document, starts, ends)
            last = document
    return {table.name: count for table, count in counts.items()}
