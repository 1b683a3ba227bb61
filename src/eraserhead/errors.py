"""Errors that the user can mend."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

LISTED = 12  # names that a message writes out


@dataclass(frozen=True)
class Setting:
    """A setting named in a message; `str` writes it as in Python (``site='foo'``).

    Attributes:
        name: Dotted name of the field in the configuration, such as ``data.max_length``.
        value: Its value; left out where the message gives the name alone.
    """

    name: str
    value: Any = ...

    def __str__(self) -> str:
        return self.name if self.value is ... else f"{self.name}={self.value!r}"


@dataclass(frozen=True)
class Job:
    """A job that a message asks for; as text it is written as in Python (`` `train(model={'encoder': 'foo'})` ``).

    Attributes:
        name: Name of the function in `eraserhead`, which is that of the command too.
        settings: What to give it, beside whatever else it needs.
    """

    name: str
    settings: tuple[Setting, ...] = ()

    def __str__(self) -> str:
        return f"`{self.name}({', '.join(map(_argument, self.settings))})`"


def _argument(setting: Setting) -> str:
    """Write a setting as a keyword; those of a group are a mapping."""
    group, _, name = setting.name.rpartition(".")
    return f"{group}={ {name: setting.value} }" if group else str(setting)


Spell = Callable[[Setting | Job], str]


class UserError(Exception):
    """Something that the user can mend; the command line prints it on one line and exits with status 2.

    Its text writes settings and jobs as in Python; `spelled` writes them as another interface does.

    Args:
        parts: Parts of the message: text, settings, jobs, or other errors, whose parts are inserted.
    """

    args: "tuple[str | Setting | Job, ...]"

    def __init__(self, *parts: "str | Setting | Job | UserError") -> None:
        flat = [part.args if isinstance(part, UserError) else (part,) for part in parts]
        super().__init__(*(part for each in flat for part in each))

    def __str__(self) -> str:
        return self.spelled(str)

    def spelled(self, spell: Spell) -> str:
        """Return the message with each setting and job as `spell` writes it."""
        return "".join(part if isinstance(part, str) else spell(part) for part in self.args)

    @classmethod
    def joined(cls, parts: "Iterable[str | Setting | Job | UserError]", between: str = "; ") -> Self:
        """Return several problems, or settings, as one message."""
        spaced = [each for part in parts for each in (between, part)]
        return cls(*spaced[1:])


class DocumentError(UserError):
    """A document cannot be used; of several processes, only the one that reads it raises this."""


class FunctionError(DocumentError):
    """A function that somebody gave has raised something; the command line shows where, by its traceback."""


class DivergedError(UserError):
    """Training has diverged; other options may do better."""


class MissingSplitError(UserError):
    """A data set has no split of the name asked for."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def listed(names: Iterable[str]) -> str:
    """Return names with commas between them; of many the first ones, and how many there are."""
    names = list(names)
    few = ", ".join(names[:LISTED])
    return few if len(names) <= LISTED else f"{few}, ... ({len(names)} in all)"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint ``; did you mean 'x'?`` for the closest known name, or nothing."""
    return did_you_mean(closest(name, known))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the closest known name; None where none is close."""
    return next(iter(get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str | None) -> str:
    """Return the hint ``; did you mean 'x'?``, or nothing for None."""
    return "" if name is None else f"; did you mean '{name}'?"
