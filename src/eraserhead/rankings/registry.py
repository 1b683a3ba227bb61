"""The registry of rankings, which tables, results, figures, the model card and the tests follow.

Three kinds of ranking have a name here. *Registered* ones are used by every analysis that asks for none: those of
Serrano & Smith 2019, and those that this process has registered. *Built-in* ones, and those that *installed packages*
bring, are used where they are asked for: installing a package changes no result.
"""

from collections.abc import Iterable

from eraserhead.errors import UserError
from eraserhead.method.names import RANDOM, SHUFFLES, YARDSTICKS
from eraserhead.rankings.attention_maps import ATTENTION_MAPS
from eraserhead.rankings.basic import BASIC, FURTHER
from eraserhead.rankings.gradients import GRADIENTS
from eraserhead.rankings.packages import packaged
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.sampling import SAMPLING

RESERVED = (RANDOM, *SHUFFLES, *YARDSTICKS)
DEFAULTS = tuple(ranking.name for ranking in BASIC)
BUILT_IN = {ranking.name: ranking for ranking in (*BASIC, *FURTHER, *GRADIENTS, *ATTENTION_MAPS, *SAMPLING)}

_registered: dict[str, Ranking] = {ranking.name: ranking for ranking in BASIC}


def register(ranking: Ranking) -> Ranking:
    """Register a ranking: every later analysis that asks for no others uses it, and every view of results shows it.

    Raises:
        UserError: The name is taken.
    """
    if ranking.name in {*RESERVED, *BUILT_IN, *_registered}:
        raise UserError(f"ranking '{ranking.name}': the name is taken; choose another")
    _registered[ranking.name] = ranking
    return ranking


def unregister(name: str) -> None:
    """Remove a ranking from the registry."""
    del _registered[name]


def registered() -> tuple[Ranking, ...]:
    """Return the rankings of an analysis that asks for none, in the order in which results show them."""
    return tuple(_registered.values())


def available() -> dict[str, Ranking]:
    """Return every ranking that can be asked for by its name: registered, built in, or of an installed package.

    Raises:
        UserError: A package's ranking cannot be loaded, or its name is taken.
    """
    return {**_registered, **BUILT_IN, **packaged({*RESERVED, *BUILT_IN, *_registered})}


def signals_of(rankings: Iterable[Ranking]) -> frozenset[str]:
    """Return the signals that some rankings need from a site."""
    return frozenset().union(*(ranking.needs for ranking in rankings))
