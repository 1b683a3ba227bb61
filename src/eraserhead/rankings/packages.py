"""Rankings that installed packages bring, by the entry points of the group ``eraserhead.rankings``."""

from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points

from eraserhead.errors import UserError
from eraserhead.rankings.ranking import Ranking

GROUP = "eraserhead.rankings"


def packaged(taken: Collection[str]) -> dict[str, Ranking]:
    """Return the rankings of installed packages by name, which is that of the entry point.

    Args:
        taken: Names that no package may use.

    Raises:
        UserError: One cannot be loaded, is no ranking, or its name is taken.
    """
    found: dict[str, Ranking] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in taken or point.name in found:
            raise UserError(f"ranking '{point.name}' of {_package(point)}: the name is taken; remove the package")
        found[point.name] = _loaded(point)
    return found


def _loaded(point: EntryPoint) -> Ranking:
    """Return the ranking of an entry point, or that of the function that it names."""
    try:
        loaded = point.load()
    except Exception as error:  # whatever the package's code raises
        what = f"ranking '{point.name}' of {_package(point)}: cannot be loaded ({type(error).__name__}: "
        raise UserError(what, str(error), ")") from error
    ranking = Ranking.of(loaded, point.name)
    if ranking is None:
        is_no = f"is a {type(loaded).__name__}, and neither a Ranking nor a function"
        raise UserError(f"ranking '{point.name}' of {_package(point)}: {is_no}")
    return ranking


def _package(point: EntryPoint) -> str:
    return f"package '{point.dist.name}'" if point.dist else point.value
