"""A ranking gives every component of a document a score (METHOD section 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.errors import DocumentError, FunctionError, UserError
from eraserhead.method.orders import order_by
from eraserhead.method.reading import Reading
from eraserhead.sites.site import Site

Score = Callable[[Reading], Float[Tensor, "batch components"]]


NO_FAULT_OF_A_FUNCTION = (UserError, MemoryError, torch.OutOfMemoryError)


@dataclass(frozen=True)
class Ranked:
    """The components of a batch in the order of their scores.

    Attributes:
        order: Components of each document, best first, padding last.
        shown: What results store for each component.
    """

    order: Int[Tensor, "batch components"]
    shown: Float[Tensor, "batch components"]


@dataclass(frozen=True)
class Ranking:
    """Orders the components of a document: they are erased by descending score, ties in reading order.

    Attributes:
        name: Its name in results, tables and figures.
        score: The signed scores by which a batch's components are ordered; padding does not matter.
        needs: Signals that the score reads; the site is asked for them.
        shown: Values that results store for each component; default: the scores. Give it where scores are only fit for
            ordering, such as scores rescaled so that they do not vanish for confident decisions.
        package: Python package that it needs, of the extra ``attributions``; null where it needs none.

    Example:
        Register a ranking of your own before you erase, and every table, figure and card has it:

        >>> from eraserhead.rankings.registry import register
        >>> def magnitude(reading):
        ...     return reading.signals["margin_gradient"].abs()
        >>> register(Ranking("magnitude", magnitude, needs=frozenset({"margin_gradient"}))).name
        'magnitude'
    """

    name: str
    score: Score
    needs: frozenset[str] = frozenset()
    shown: Score | None = None
    package: str | None = None

    @staticmethod
    def of(found: Any, name: str) -> "Ranking | None":
        """Return a ranking, under a name, of one or of a score function; None for anything else."""
        if isinstance(found, Ranking):
            return replace(found, name=name)
        score: Any = found if callable(found) else None
        return None if score is None else Ranking(name, score)

    def defined_at(self, site: Site) -> bool:
        """Tell whether a site gives all signals that the ranking needs."""
        return self.needs <= site.gives

    def ranked(self, reading: Reading, ids: Sequence[str] = ()) -> Ranked:
        """Score and order the components of each document; messages name the documents by `ids`, where they are given.

        Raises:
            UserError: The site does not give the signals that the ranking needs, or a component has no score.
            FunctionError: The score function raises something.
        """
        scores = self._scored(reading, self.score)
        shown = scores if self.shown is None else self._scored(reading, self.shown)
        absent = (scores.isnan() & reading.mask).any(-1)
        if absent.any():
            of = f" in {int(absent.sum())} rows, the first of '{ids[int(absent.int().argmax())]}'" if ids else ""
            raise DocumentError(f"ranking '{self.name}': a component's score is not a number (NaN){of}")
        return Ranked(order_by(scores, reading.mask), shown)

    def order(self, reading: Reading) -> Int[Tensor, "batch components"]:
        """Return the components of each document, best first, padding last; see `ranked`."""
        return self.ranked(reading).order

    def values(self, reading: Reading) -> Float[Tensor, "batch components"]:
        """Return the values that results store for each component; see `ranked`."""
        return self._scored(reading, self.shown or self.score)

    def _scored(self, reading: Reading, score: Score) -> Float[Tensor, "batch components"]:
        missing = self.needs.difference(reading.signals)
        if missing:
            wanted, given = (", ".join(sorted(names)) for names in (missing, reading.signals))
            raise UserError(
                f"ranking '{self.name}': this site does not give the signals {wanted}; it gives {given or 'none'}"
            )
        try:
            scores = score(reading)
        except NO_FAULT_OF_A_FUNCTION:
            raise
        except Exception as error:  # whatever somebody's function raises
            raised = f"ranking '{self.name}': its function raised {type(error).__name__}"
            kept = "; finished work is kept: mend it and run the same again"
            raise FunctionError(raised, *((": ", str(error)) if str(error) else ()), kept) from error
        needed = tuple(reading.mask.shape)
        if not isinstance(scores, Tensor):
            kind = type(scores).__name__
            raise UserError(f"ranking '{self.name}': its scores are a {kind}; it must give a tensor of shape {needed}")
        if scores.shape != reading.mask.shape:
            raise UserError(
                f"ranking '{self.name}': its scores have shape {tuple(scores.shape)}; it must give one for each "
                f"component, {needed}"
            )
        return scores.detach().to(reading.mask.device, torch.float64)
