"""A ranking gives every component of a document a score (METHOD section 4)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from eraserhead.errors import UserError
from eraserhead.method.orders import order_by
from eraserhead.method.reading import Reading
from eraserhead.sites.site import Site

Score = Callable[[Reading], Float[Tensor, "batch components"]]


@dataclass(frozen=True)
class Ranking:
    """Orders the components of a document: they are erased by descending score, ties in reading order.

    Attributes:
        name: Its name in results, tables and figures.
        score: The signed scores by which a batch's components are ordered; padding does not matter.
        needs: Signals that the score reads; the site is asked for them.
        shown: Values that results store for each component; default: the scores. Give it where scores are only fit for
            ordering, such as scores rescaled so that they do not vanish for confident decisions.

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

    def order(self, reading: Reading) -> Int[Tensor, "batch components"]:
        """Return the components of each document, best first, padding last.

        Raises:
            UserError: The site does not give the signals that the ranking needs, or a component has no score.
        """
        missing = self.needs.difference(reading.signals)
        if missing:
            wanted, given = (", ".join(sorted(names)) for names in (missing, reading.signals))
            raise UserError(
                f"ranking '{self.name}': this site does not give the signals {wanted}; it gives {given or 'none'}"
            )
        scores = self.score(reading)
        if scores.shape != reading.mask.shape:
            found, needed = tuple(scores.shape), tuple(reading.mask.shape)
            raise UserError(
                f"ranking '{self.name}': its scores have shape {found}; it must give one for each component, {needed}"
            )
        if scores[reading.mask].isnan().any():
            raise UserError(f"ranking '{self.name}': a component's score is not a number (NaN)")
        return order_by(scores, reading.mask)

    def values(self, reading: Reading) -> Float[Tensor, "batch components"]:
        """Return the values that results store for each component."""
        return (self.shown or self.score)(reading)
