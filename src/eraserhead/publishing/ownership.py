"""Which files in a repository are ours: a push neither replaces nor removes the owner's."""

import re
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub.hf_api import RepoFile, RepoFolder

from eraserhead.errors import Setting, UserError
from eraserhead.publishing.amended_card import body_of
from eraserhead.publishing.changes import is_same
from eraserhead.publishing.layout import CARD, result_files
from eraserhead.publishing.own_section import earlier_files
from eraserhead.publishing.target import Target

SHOWN = 3  # files that a message names
OF_THE_HUB = ".gitattributes"  # which is in every repository from the beginning


def owned_files(
    folder: Path, tree: Iterable[RepoFile | RepoFolder], card: str, owned: re.Pattern[str], target: Target
) -> re.Pattern[str]:
    """Return which files a push may replace or remove: those that it always may, and those of an earlier push.

    Args:
        folder: The folder to push.
        tree: The files and folders of the commit that it is pushed to.
        card: The card of that commit; it names the files of results that an earlier push wrote.
        owned: The files that a push always may replace or remove.
        target: Where it is pushed.

    Raises:
        UserError: The push would replace a file of the same name that no push wrote, or the card of a data set.
    """
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    earlier = earlier_files(card)
    if target.kind == "dataset" and earlier is None:
        _check_empty(there.keys() - {OF_THE_HUB}, card, target)
    ours = earlier or frozenset()
    foreign = [
        name
        for name in result_files(folder)
        if name in there and name not in ours and not is_same(folder / name, there[name])
    ]
    if foreign:
        raise UserError(
            f"{target.name}: {', '.join(foreign)}: already there, and by its card not from an earlier push, so this "
            "push would replace what somebody else wrote; rename or delete it there",
            *([] if target.kind == "dataset" else [", or push the results alone, with ", Setting("dataset", True)]),
        )
    return re.compile("|".join([owned.pattern, *map(re.escape, sorted(ours))]))


def _check_empty(names: Iterable[str], card: str, target: Target) -> None:
    """Refuse a data set that holds something; a card of metadata alone is what the hub writes for a new one."""
    held = sorted(name for name in names if name != CARD or body_of(card).strip())
    if held:
        raise UserError(
            f"{target.name}: holds a data set that is no earlier push of results ({', '.join(held[:SHOWN])}), and this "
            "push would replace its card; give the name of another repository"
        )
