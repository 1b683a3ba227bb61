"""Splits as a source has them, whether files, folders or the hub."""

from dataclasses import dataclass

from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetsError

from eraserhead.errors import Job, MissingSplitError, Setting, UserError, nearest

LONGEST_REASON = 240
TOO_DEEP = "it is nested too deep"


@dataclass(frozen=True)
class Source:
    """What a source holds before anything is chosen or cleaned.

    Attributes:
        splits: Rows of every split, columns as in the source.
        single: Whether the source is one table without splits of its own, which then serves every role.
        revision: Commit of a hub data set, where the cache knows it.
        in_place: Whether the rows are read from the user's own Arrow files rather than from the cache of `datasets`.
        hint: What may be wrong where a column is missing.
    """

    splits: dict[str, Dataset]
    single: bool = False
    revision: str | None = None
    in_place: bool = False
    hint: tuple[str | Setting | Job, ...] = ()


def pick_split(source: Source, wanted: str, setting: str) -> str:
    """Return the split to read for a role: `wanted`, or the only one of a source without splits.

    Raises:
        MissingSplitError: If there is no such split.
        UserError: If it is empty.
    """
    split = next(iter(source.splits)) if source.single else wanted
    if split not in source.splits:
        known = ", ".join(source.splits)
        hint = nearest(wanted, source.splits)
        raise MissingSplitError(Setting(setting, wanted), f": no such split{hint}; there are: {known}")
    if not len(source.splits[split]):
        raise UserError(Setting(setting), f": split '{split}' has no rows")
    return split


def splits_of(loaded: DatasetDict) -> dict[str, Dataset]:
    """Return the splits by name.

    Raises:
        ValueError: There are none.
    """
    if not loaded:
        raise ValueError("there are no rows")
    return {str(split): rows for split, rows in loaded.items()}


def reason_of(error: BaseException) -> str:
    """Return the innermost message on one line."""
    innermost = error
    while isinstance(innermost, DatasetsError) and innermost.__cause__ is not None:
        innermost = innermost.__cause__
    if isinstance(innermost, RecursionError):
        return TOO_DEEP
    line = " ".join(str(innermost).split()) or type(innermost).__name__
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
