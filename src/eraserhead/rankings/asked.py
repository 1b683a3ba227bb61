"""Which rankings an analysis is asked for: by name, as somebody's own function, or as a table of scores."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pandas import DataFrame
from pyarrow import Table

from eraserhead.errors import Setting, UserError, listed, nearest
from eraserhead.method.names import ATTENTION
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import BUILT_IN, RESERVED, available, registered
from eraserhead.rankings.score_table import ScoreTable
from eraserhead.rankings.tables import READERS, given_table, read_table
from eraserhead.sites.given_signals import given_at
from eraserhead.sites.site import Site

ALL = "all"
# What Python code gives for one ranking, or for several by their names.
Given = str | Callable[..., Any] | Ranking | Mapping[str, Any]
Scorer = Ranking | ScoreTable


@dataclass(frozen=True)
class Asked:
    """The rankings that an analysis is asked for, before it is known at which site.

    Attributes:
        rankings: Those that are named, attention among them.
        everything: Whether all that are defined at the site are asked for, too.
    """

    rankings: tuple[Scorer, ...]
    everything: bool = False

    @property
    def tables(self) -> tuple[ScoreTable, ...]:
        """Those that are tables of scores."""
        return tuple(each for each in self.rankings if isinstance(each, ScoreTable))

    def at(self, site: Site, name: str) -> tuple[Scorer, ...]:
        """Return the rankings of an analysis at a site, which is called `name`.

        Raises:
            UserError: One is not defined there, or needs a package that is not installed.
        """
        more = [each for each in available().values() if each.defined_at(site)] if self.everything else []
        chosen = tuple({each.name: each for each in (*more, *self.rankings)}.values())
        problems = [problem for each in chosen for problem in _problems(each, site, name)]
        if problems:
            raise UserError.joined(problems)
        return chosen


def asked_rankings(given: Sequence[Any] | None) -> Asked:
    """Find the rankings that an option names, or that Python code gives; default: the registered ones.

    Attention is always among them: it is what the others are compared with.

    Raises:
        UserError: One is unknown, cannot be loaded, or has a name that is taken; all that is wrong is named.
    """
    if given is None:
        return Asked(registered())
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise UserError(Setting("rankings"), ": must be a list of one or more; leave it out for the usual ones")
    named = [each for each in given if isinstance(each, str)]
    found: dict[str, Scorer] = {}
    problems: list[UserError] = []
    for each in given if ATTENTION in named else (ATTENTION, *given):
        try:
            for ranking in () if isinstance(each, str) and each == ALL else _found(each):
                if ranking.name in found:
                    raise UserError(f"ranking '{ranking.name}': asked for twice")
                found[ranking.name] = ranking
        except UserError as error:
            problems.append(error)
    if problems:
        raise UserError.joined(problems)
    return Asked(tuple(found.values()), ALL in named)


def source_of(ranking: Scorer) -> str | None:
    """Return where scores come from, as results record it: a function or the digest of a table; None if built in."""
    if isinstance(ranking, ScoreTable):
        return f"table {ranking.digest}"
    if BUILT_IN.get(ranking.name) == ranking:
        return None
    function = ranking.score if hasattr(ranking.score, "__qualname__") else type(ranking.score)
    return f"{function.__module__}:{function.__qualname__}"


def _found(given: Any) -> list[Scorer]:
    """Return the ranking, or the several of a mapping, that one element asks for."""
    if isinstance(given, str):
        return [_named(given)]
    if isinstance(given, Mapping):
        return [_given(scores, str(name)) for name, scores in given.items()]
    name = given.name if isinstance(given, Ranking) else getattr(given, "__name__", "")
    return [_given(given, name)]


def _given(scores: Any, name: str) -> Scorer:
    """Return the ranking of a function or a table that Python code gives under a name."""
    if not name and isinstance(scores, DataFrame | Table):
        raise UserError(Setting("rankings"), ": scores without a name; give {'its name': scores}")
    found = given_table(scores, name) or Ranking.of(scores, name)
    if found is None:
        kinds = "a name, a function, a Ranking, or a mapping of a name to a function or to scores"
        raise UserError(Setting("rankings"), f": has a {type(scores).__name__}; give {kinds}")
    if not name.isprintable() or not name or name.startswith("<"):
        raise UserError(Setting("rankings"), ": a function without a name; give {'its name': function}")
    return _with_free_name(found)


def _named(spec: str) -> Scorer:
    """Return the ranking that a text asks for: a name, or ``module:function`` or a file, with a name before or not."""
    before, equals, rest = spec.partition("=")
    name, source = (before, rest) if equals else (None, spec)
    if name == "":
        raise UserError(Setting("rankings", spec), ": no name in front of the =; give one, or leave out the =")
    path = Path(source)
    if path.suffix in READERS:
        return _with_free_name(read_table(path, name or path.stem))
    if ":" in source:
        return _with_free_name(_imported(source, name))
    if name is not None:
        wanted = f"module:function, nor a file in {', '.join(READERS)}"
        raise UserError(Setting("rankings", spec), f": '{source}' is no {wanted}")
    known = available()
    if source not in known:
        there = f"there are {listed(known)}, and {ALL}"
        others = f"or give module:function, or a file that ends in {', '.join(READERS)}"
        raise UserError(
            Setting("rankings", spec), f": no such ranking{nearest(source, [*known, ALL])}; {there}; {others}"
        )
    return known[source]


def _imported(source: str, name: str | None) -> Ranking:
    """Import ``package.module:function``; modules in the working folder are found, too."""
    module, _, attribute = source.partition(":")
    try:
        with _working_folder_first():
            found = import_module(module)
    except Exception as error:  # whatever somebody's module raises
        reason = " ".join(str(error).split())
        raise UserError(f"ranking '{source}': cannot be imported ({type(error).__name__}: {reason})") from error
    if not hasattr(found, attribute):
        raise UserError(f"ranking '{source}': module '{module}' has no '{attribute}'{nearest(attribute, vars(found))}")
    value = getattr(found, attribute)
    ranking = Ranking.of(value, name or (value.name if isinstance(value, Ranking) else attribute))
    if ranking is None:
        raise UserError(f"ranking '{source}': is a {type(value).__name__}, and neither a function nor a Ranking")
    return ranking


@contextmanager
def _working_folder_first() -> Iterator[None]:
    """Let modules in the working folder be imported, as ``python -m`` does."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _with_free_name(ranking: Scorer) -> Scorer:
    """Refuse a name that another ranking has: results could not tell the two apart."""
    known = available()
    if ranking.name in {*RESERVED, *known} and known.get(ranking.name) != ranking:
        raise UserError(f"ranking '{ranking.name}': the name is taken; give it another")
    return ranking


def _problems(ranking: Scorer, site: Site, name: str) -> Iterator[UserError]:
    """Yield why a ranking cannot be used at a site."""
    if isinstance(ranking, ScoreTable):
        return
    missing = ranking.needs - site.gives
    if missing:
        at = given_at(ranking.needs)
        where = f"it is at {', '.join(at)}" if at else f"no site gives {', '.join(sorted(missing))}"
        yield UserError(f"ranking '{ranking.name}': not defined at {name} of this model; {where}")
    if ranking.package is not None and find_spec(ranking.package) is None:
        install = "`pip install 'eraserhead[attributions]'`"
        yield UserError(f"ranking '{ranking.name}': needs {ranking.package}, which is not installed; {install}")
