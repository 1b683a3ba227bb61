"""The data's classes as a model's: which of their names mean the same."""

from collections.abc import Sequence

from eraserhead.data.labels import LabelTable, plain
from eraserhead.errors import Setting, UserError, listed, nearest


def matched_labels(
    labels: LabelTable, classes: tuple[str, ...], pairs: Sequence[str] | None = None
) -> LabelTable | None:
    """Return the table that reads the data's labels as a model's classes; None where some have no counterpart.

    Args:
        labels: The data's own table.
        classes: The model's class names.
        pairs: Which mean the same, ``data=model``; those that are not named are matched by name, whatever their case
            and the spaces around them.

    Raises:
        UserError: A pair does not name a class of the data and one of the model.
    """
    exact = {name: place for place, name in enumerate(classes)}
    index = {plain(name): place for place, name in enumerate(classes)}
    given = _pairs(pairs or (), labels.names, classes)
    targets = [given.get(name, exact.get(name, index.get(plain(name)))) for name in labels.names]
    found = {raw: target for raw, place in labels.mapping.items() if (target := targets[place]) is not None}
    return LabelTable(classes, found, by_name=not pairs) if len(found) == len(labels.mapping) else None


def unmatched(labels: LabelTable, classes: tuple[str, ...]) -> UserError:
    """Say that no accuracy is reported, and what to do about it."""
    return UserError(
        f"no accuracy is reported: the data's classes ({listed(labels.names)}) are not the model's "
        f"({listed(classes)}); match them with ",
        Setting("label_map"),
    )


def _pairs(pairs: Sequence[str], names: tuple[str, ...], classes: tuple[str, ...]) -> dict[str, int]:
    found, problems = {}, []
    for pair in pairs:
        ours, equals, theirs = _divided(pair, names, classes)
        if not equals:
            problems.append(f"'{pair}' is not a pair data=model")
        elif ours in found:
            problems.append(f"'{ours}' is named twice")
        elif ours not in names:
            problems.append(f"'{ours}' is no class of the data{nearest(ours, names)}; it has {listed(names)}")
        elif theirs not in classes:
            problems.append(f"'{theirs}' is no class of the model{nearest(theirs, classes)}; it has {listed(classes)}")
        else:
            found[ours] = classes.index(theirs)
    if problems:
        raise UserError(Setting("label_map"), f": {'; '.join(problems)}")
    return found


def _divided(pair: str, names: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, str, str]:
    """Divide a pair at the equals sign that has a class of the data before it, and of the model behind it."""
    places = [place for place, sign in enumerate(pair) if sign == "="]
    divided = [(pair[:place], "=", pair[place + 1 :]) for place in places]
    ours = [each for each in divided if each[0] in names]
    both = [each for each in ours if each[2] in classes]
    return next(iter([*both, *ours]), pair.rpartition("="))
