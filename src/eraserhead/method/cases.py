"""Models that decide label by label: a document and a label is a case, which is on or off (METHOD section 12).

A case has two classes. Inside they stand as off and on, so that a tie, which the lower class wins, is off: a label is
on where its logit is *above* the cut. Results write them in METHOD's order, on and off (`in_written_order`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

OFF, ON = 0, 1  # the classes of a case
STATES = ("off", "on")  # their names, in this order


Replay = Callable[
    [Int[Tensor, " rows"], Bool[Tensor, "rows erasures components"]], Float[Tensor, "rows erasures outputs"]
]


@dataclass(frozen=True)
class Targets:
    """Which labels are decided on.

    Attributes:
        cut: The logit above which a label is on.
        labels: Numbers of the labels, ascending; None for each document's own: those that are on, or, where none is,
            the one with the largest logit.
        largest_alone: Whether a document's own is the one with the largest logit alone.
    """

    cut: float
    labels: tuple[int, ...] | None = None
    largest_alone: bool = False

    def cases(self, above: Float[Tensor, "batch labels"]) -> "Cases":
        """Return the cases of documents; `above` says how far each logit is above the cut, up to a positive factor."""
        on = above > 0
        if self.labels is None:
            largest = torch.arange(on.shape[1], device=on.device) == above.argmax(-1, keepdim=True)
            several = on.any(-1, keepdim=True) & (not self.largest_alone)
            chosen = torch.where(several, on, largest)
        else:
            chosen = torch.zeros_like(on)
            chosen[:, list(self.labels)] = True
        documents, labels = chosen.nonzero(as_tuple=True)
        return Cases(documents, labels, self.cut, on)


@dataclass(frozen=True)
class OneEach:
    """Documents with one decision each, among all classes: what `Cases` are to models that decide label by label.

    Attributes:
        documents: Number of each decision's document in the batch.
    """

    documents: Int[Tensor, " batch"]

    @property
    def cases(self) -> None:
        """There are none."""

    def among(self, rows: Int[Tensor, " rows"]) -> "OneEach":
        """Return the decisions of some documents."""
        return OneEach(torch.arange(len(rows), device=rows.device))

    def decisive(self, logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        """Return the logits that decide."""
        return logits

    def decisive_of(
        self, rows: Int[Tensor, " rows"], logits: Float[Tensor, "rows classes"]
    ) -> Float[Tensor, "rows classes"]:
        """Return the logits that decide some decisions, of the logits of their documents."""
        return logits

    def replay(self, replay: Replay) -> Replay:
        """Return how decisions are taken again."""
        return replay

    def in_turns(self, values: Float[Tensor, " batch"]) -> Float[Tensor, "1 batch"]:
        """Return the values of each document's first decision, its second, and so on: there is one."""
        return values.unsqueeze(0)

    def from_turns(self, values: Float[Tensor, "1 batch *rest"]) -> Float[Tensor, "batch *rest"]:
        """Return what `in_turns` has put in turns."""
        return values[0]


@dataclass(frozen=True)
class Cases:
    """Documents and labels, one decision each.

    Attributes:
        documents: Number of each case's document in the batch, ascending.
        labels: Number of its label, ascending within a document.
        cut: The logit above which a label is on.
        on: Which labels of each document are on, those without a case too.
    """

    documents: Int[Tensor, " cases"]
    labels: Int[Tensor, " cases"]
    cut: float
    on: Bool[Tensor, "batch labels"]

    @property
    def cases(self) -> "Cases":
        """These."""
        return self

    def among(self, rows: Int[Tensor, " rows"]) -> "Cases":
        """Return the cases of some documents, given as a range."""
        first = int(rows[0])
        chosen = (self.documents >= first) & (self.documents < first + len(rows))
        return Cases(self.documents[chosen] - first, self.labels[chosen], self.cut, self.on[rows])

    def own(self, logits: Float[Tensor, "batch *rows labels"]) -> Float[Tensor, "cases *rows"]:
        """Return each case's own logit, of logits for each document."""
        return logits[self.documents, ..., self.labels]

    def decisive(self, logits: Float[Tensor, "batch labels"]) -> Float[Tensor, "cases 2"]:
        """Return the two logits that decide each case."""
        return two_classes(self.own(logits) - self.cut)

    def decisive_of(self, rows: Int[Tensor, " rows"], logits: Float[Tensor, "rows labels"]) -> Float[Tensor, "rows 2"]:
        """Return the two logits that decide some cases, of the logits of their documents."""
        return two_classes(logits.gather(1, self.labels[rows].unsqueeze(1)).squeeze(1) - self.cut)

    def replay(self, replay: Replay) -> Replay:
        """Return how cases are decided again, given how their documents are."""
        return CasesReplay(replay, self)

    def in_turns(self, values: Float[Tensor, " cases"]) -> Float[Tensor, "turns batch"]:
        """Return the values of each document's first case, of its second, and so on; 0 where it has fewer."""
        turns = self._turns
        spread = values.new_zeros(int(turns.max()) + 1, len(self.on))
        return spread.index_put((turns, self.documents), values)

    def from_turns(self, values: Float[Tensor, "turns batch *rest"]) -> Float[Tensor, "cases *rest"]:
        """Return what `in_turns` has put in turns."""
        return values[self._turns, self.documents]

    @property
    def _turns(self) -> Int[Tensor, " cases"]:
        """Number of each case among those of its document."""
        numbers = torch.arange(len(self.documents), device=self.documents.device)
        return numbers - torch.searchsorted(self.documents, self.documents)


def decisions(logits: Float[Tensor, "batch outputs"], targets: Targets | None) -> OneEach | Cases:
    """Return what is decided of documents with these logits."""
    if targets is None:
        return OneEach(torch.arange(len(logits), device=logits.device))
    return targets.cases(logits - targets.cut)


def two_classes(on: Float[Tensor, "*cases"]) -> Float[Tensor, "*cases 2"]:
    """Return the logits of off and on, of which off's is 0."""
    return torch.stack([torch.zeros_like(on), on], dim=-1)


def in_written_order(decision: Int[Tensor, "*cases"]) -> Int[Tensor, "*cases"]:
    """Return classes of cases as results number them: 0 for on, 1 for off."""
    return ON - decision


@dataclass(frozen=True)
class CasesReplay:
    """Decides cases again by the replay of their documents, whose logits serve all labels.

    Cases of one document with the same components erased are replayed once: single erasures, and the rankings that are
    the same for all labels.

    Attributes:
        replay: Runs what follows the site, for documents: rows and keep masks -> logits ``[rows, erasures, labels]``.
        cases: The cases.
    """

    replay: Replay
    cases: Cases

    def __call__(
        self, rows: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
    ) -> Float[Tensor, "rows erasures 2"]:
        """Return the two logits of some cases, which may repeat, with everything outside each keep mask erased."""
        documents, labels = self.cases.documents[rows], self.cases.labels[rows]
        first, same = distinct(documents, keep)
        logits = self.replay(documents[first], keep[first])[same]
        places = labels.view(-1, 1, 1).expand(-1, logits.shape[1], 1)
        return two_classes(logits.gather(2, places).squeeze(2).double() - self.cases.cut)


def distinct(
    documents: Int[Tensor, " rows"], keep: Bool[Tensor, "rows erasures components"]
) -> tuple[Int[Tensor, " distinct"], Int[Tensor, " rows"]]:
    """Return the first of each kind of row, and for every row which kind it is."""
    rows = torch.arange(len(documents), device=documents.device)
    if len(documents.unique()) == len(documents):
        return rows, rows
    described = torch.cat([documents.unsqueeze(1).int(), keep.flatten(1).int()], dim=1)
    kinds, same = described.unique(dim=0, return_inverse=True)
    first = torch.full((len(kinds),), len(rows), device=rows.device).scatter_reduce(0, same, rows, "amin")
    return first, same
