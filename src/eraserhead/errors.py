"""Errors that the user can mend."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something that the user can mend; the command line prints it on one line and exits with 2."""


class DocumentError(UserError):
    """One document cannot be used; of several processes, the one that has it alone finds out."""


class MissingSplitError(UserError):
    """A data set has no split of the name asked for."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint ``; did you mean 'x'?`` for the closest known name, or nothing."""
    matches = get_close_matches(name, list(known), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""
