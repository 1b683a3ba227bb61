"""The registry of rankings, which tables, results, figures, the model card and the tests follow."""

from collections.abc import Iterable

from eraserhead.errors import UserError
from eraserhead.method.names import RANDOM, SHUFFLES, YARDSTICKS
from eraserhead.rankings.basic import BASIC
from eraserhead.rankings.ranking import Ranking

RESERVED = (RANDOM, *SHUFFLES, *YARDSTICKS)

_registered: dict[str, Ranking] = {ranking.name: ranking for ranking in BASIC}


def register(ranking: Ranking) -> Ranking:
    """Register a ranking: every later analysis uses it, and every view of results shows it.

    Raises:
        UserError: The name is taken.
    """
    if ranking.name in _registered or ranking.name in RESERVED:
        raise UserError(f"ranking '{ranking.name}': the name is taken; choose another")
    _registered[ranking.name] = ranking
    return ranking


def unregister(name: str) -> None:
    """Remove a ranking from the registry."""
    del _registered[name]


def registered() -> tuple[Ranking, ...]:
    """Return all rankings, in the order in which results show them."""
    return tuple(_registered.values())


def signals_of(rankings: Iterable[Ranking]) -> frozenset[str]:
    """Return the signals that some rankings need from a site."""
    return frozenset().union(*(ranking.needs for ranking in rankings))
