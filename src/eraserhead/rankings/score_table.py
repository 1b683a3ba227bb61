"""Scores that somebody has computed elsewhere, laid on the components of documents (METHOD section 9)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from eraserhead.errors import DocumentError, UserError
from eraserhead.method.reading import Reading
from eraserhead.rankings.ranking import Ranking


@dataclass(frozen=True)
class Located:
    """The documents that a reading's rows are about, and where their components lie.

    Attributes:
        ids: Id of each row's document.
        lengths: Number of its components.
        starts: Offsets in the texts where the components of all rows begin; None where they are unknown.
        ends: Offsets behind their last characters; None likewise.
    """

    ids: Sequence[str]
    lengths: Int[np.ndarray, " rows"]
    starts: Int[np.ndarray, " components"] | None = None
    ends: Int[np.ndarray, " components"] | None = None


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of components, or of spans of characters, document after document.

    A component's score is the sum over all spans that share a character with it, and 0 where there is none.

    Attributes:
        name: Name of the ranking.
        digest: Digest of all that is in the table.
        numbers: Number of each document by its id.
        firsts: Where each document's rows begin, with their number behind.
        scores: The scores; of components, in their order.
        starts: Offsets where the spans begin; None where there is a score for each component.
        ends: Offsets behind their last characters; None likewise.
    """

    name: str
    digest: str
    numbers: dict[str, int]
    firsts: Int[np.ndarray, " documents_and_one"]
    scores: Float[np.ndarray, " rows"]
    starts: Int[np.ndarray, " rows"] | None = None
    ends: Int[np.ndarray, " rows"] | None = None

    @property
    def by_span(self) -> bool:
        """Whether scores belong to spans of characters."""
        return self.starts is not None

    def check(self, documents: Sequence[str], texts: Sequence[str] | None) -> int:
        """Return how many documents of the table are not among those analysed.

        Args:
            documents: Ids of the documents analysed.
            texts: Their texts, where they are known: one without a text may have no scores.

        Raises:
            UserError: Others of those analysed have no scores.
        """
        known = {document for document in documents if document in self.numbers}
        missing = [number for number, document in enumerate(documents) if document not in known]
        missing = [number for number in missing if texts is None or texts[number].strip()]
        if missing:
            said = (
                f"no scores for {len(missing):,} of {len(documents):,} documents, the first '{documents[missing[0]]}'"
            )
            other = next((name for name in self.numbers if name not in known), None)
            hint = "" if other is None else f"; it has '{other}', which is none of them: ids are as results list them"
            raise UserError(f"ranking '{self.name}': {said}; add their rows{hint}")
        return len(self.numbers) - len(known)

    def ranking(self, located: Located) -> Ranking:
        """Return the ranking of a batch by these scores.

        Raises:
            DocumentError: A document has more or fewer components than scores, or no offsets for its spans.
        """
        laid = self._laid(located)

        def score(reading: Reading) -> Float[Tensor, "batch components"]:
            scores = torch.zeros(reading.mask.shape, dtype=torch.float64)
            scores[reading.mask.cpu()] = torch.from_numpy(laid)
            return scores.to(reading.mask.device)

        return Ranking(self.name, score)

    def unlaid(self, document: str, starts: Sequence[int] | None, ends: Sequence[int] | None) -> int:
        """Return how many spans of a document share no character with any of its components."""
        if starts is None or ends is None or not self.by_span:
            return 0
        first, last = (np.array(each, dtype=np.int64) for each in (starts, ends))
        return int((~self._overlaps(self._rows(document), first, last).any(1)).sum())

    def _laid(self, located: Located) -> Float[np.ndarray, " components"]:
        """Return the scores of the components of all rows."""
        if self.by_span and (located.starts is None or located.ends is None):
            why = "the tokenizer does not tell where tokens lie in the text; give one score for each component instead"
            raise DocumentError(f"ranking '{self.name}': {why}")
        lasts = located.lengths.cumsum()
        pieces = [slice(last - count, last) for last, count in zip(lasts, located.lengths, strict=True)]
        laid = [self._of(document, located, piece) for document, piece in zip(located.ids, pieces, strict=True)]
        return np.concatenate([*laid, np.empty(0)])

    def _of(self, document: str, located: Located, piece: slice) -> Float[np.ndarray, " components"]:
        """Return the scores of one row's components."""
        rows, count = self._rows(document), piece.stop - piece.start
        if located.starts is not None and located.ends is not None and self.by_span:
            return self.scores[rows] @ self._overlaps(rows, located.starts[piece], located.ends[piece])
        if rows.stop - rows.start != count:
            has = f"document '{document}' has {count} components and {rows.stop - rows.start} scores"
            raise DocumentError(f"ranking '{self.name}': {has}; give each component one, as results list them")
        return self.scores[rows]

    def _rows(self, document: str) -> slice:
        number = self.numbers.get(document)
        return slice(0, 0) if number is None else slice(int(self.firsts[number]), int(self.firsts[number + 1]))

    def _overlaps(
        self, rows: slice, starts: Int[np.ndarray, " components"], ends: Int[np.ndarray, " components"]
    ) -> Bool[np.ndarray, "spans components"]:
        assert self.starts is not None
        assert self.ends is not None
        return (self.starts[rows, None] < ends) & (self.ends[rows, None] > starts)
