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
    targets = _targets(labels, classes, pairs or ())
    found = {raw: target for raw, place in labels.mapping.items() if (target := targets[place]) is not None}
    return LabelTable(classes, found, by_name=not pairs) if len(found) == len(labels.mapping) else None


def unmatched(labels: LabelTable, classes: tuple[str, ...], pairs: Sequence[str] | None = None) -> UserError:
    """Say that no accuracy is reported, and what to do about it."""
    targets = _targets(labels, classes, pairs or ())
    alone = [name for name, target in zip(labels.names, targets, strict=True) if target is None]
    said = f"the data's classes ({listed(labels.names)}) are not the model's ({listed(classes)}); match them with "
    if len(alone) < len(labels.names):
        are, them = ("is", "it") if len(alone) == 1 else ("are", "them")
        of_model = f"{are} none of the model's ({listed(classes)})"
        said = f"of the data's classes, {listed(alone)} {of_model}; match {them} too with "
    return UserError(f"no accuracy is reported: {said}", Setting("label_map"))


def _targets(labels: LabelTable, classes: tuple[str, ...], pairs: Sequence[str]) -> list[int | None]:
    exact = {name: place for place, name in enumerate(classes)}
    index = {plain(name): place for place, name in enumerate(classes)}
    given = _pairs(pairs, labels.names, classes)
    return [given.get(name, exact.get(name, index.get(plain(name)))) for name in labels.names]


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
