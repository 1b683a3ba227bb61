"""The rankings that there are: the one list, which tables, results, figures, card and tests follow."""

from collections.abc import Iterable

from eraserhead.errors import UserError
from eraserhead.method.names import RANDOM, YARDSTICKS
from eraserhead.rankings.basic import BASIC
from eraserhead.rankings.ranking import Ranking

RESERVED = (RANDOM, *YARDSTICKS)

_registered: dict[str, Ranking] = {ranking.name: ranking for ranking in BASIC}


def register(ranking: Ranking) -> Ranking:
    """Add a ranking: every analysis from now on has it, and so has whatever shows results.

    Raises:
        UserError: Results have something of this name already.
    """
    if ranking.name in _registered or ranking.name in RESERVED:
        raise UserError(f"ranking '{ranking.name}': there is one of this name already; give yours another")
    _registered[ranking.name] = ranking
    return ranking


def unregister(name: str) -> None:
    """Take a ranking away again."""
    del _registered[name]


def registered() -> tuple[Ranking, ...]:
    """Return all rankings, in the order in which results show them."""
    return tuple(_registered.values())


def signals_of(rankings: Iterable[Ranking]) -> frozenset[str]:
    """Return the signals that rankings need of a site."""
    return frozenset().union(*(ranking.needs for ranking in rankings))
