"""Class names in a model's config.json: made regular, or refused."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from eraserhead.errors import UserError, listed

logger = logging.getLogger("eraserhead")

MOST_CLASSES = 1_000_000
NO_NAME = re.compile(r"(LABEL_)?\d+")  # of a class: what transformers writes where nobody has named it, or a number
PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")


def regular_classes(content: dict[str, Any], file: str) -> None:
    """Make class names strings, for 0 to n - 1.

    Raises:
        UserError: They are for other numbers, or repeat, or contradict each other.
    """
    count = content.get("num_labels")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_CLASSES):
        raise UserError(f"{file}: num_labels is {count!r}, and must be a whole number from 1 to {MOST_CLASSES}")
    problem = content.get("problem_type")
    if problem is not None and problem not in PROBLEMS:
        raise UserError(f"{file}: problem_type is {problem!r}, and must be one of {', '.join(PROBLEMS)}, or null")
    given = content.get("id2label")
    if given is None:
        return
    given = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(given, dict):
        raise UserError(f"{file}: id2label is {short(given)}, and must map 0 to n - 1 to class names")
    rows = list(given)
    if sorted(map(str, rows), key=lambda row: (len(row), row)) != list(map(str, range(len(rows)))):
        found, expected = listed(map(str, rows)), listed(map(str, range(len(rows))))
        raise UserError(
            f"{file}: id2label has class names for {found}; the head has rows {expected}: number them from 0"
        )
    names = {int(row): _class_name(int(row), value, file) for row, value in given.items()}
    names = dict(sorted(names.items()))
    numbers: dict[str, int] = {}
    for row, each in names.items():
        if numbers.setdefault(each, row) != row:
            raise UserError(f"{file}: id2label calls both {numbers[each]} and {row} '{each}': rename one of them")
    if count is not None and count != len(names):
        raise UserError(f"{file}: num_labels is {count}, and id2label names {len(names)} classes: correct one of them")
    _check_inverse(content.get("label2id"), numbers, file)
    content.update(id2label=names, label2id=numbers)
    content.pop("num_labels", None)


def _class_name(row: int, value: Any, file: str) -> str:
    if isinstance(value, (dict, list)):
        raise UserError(f"{file}: id2label: the name of class {row} is {short(value)}, and must be a text")
    return f"LABEL_{row}" if value is None else str(value)


def _check_inverse(given: Any, numbers: Mapping[str, int], file: str) -> None:
    """Refuse a table of names that numbers them otherwise; one with other names, of an earlier task, is said.

    transformers goes by id2label alone. Defaults and numbers in place of names say nothing.
    """
    if given is None:
        return
    if not isinstance(given, dict):
        raise UserError(f"{file}: label2id is {short(given)}, and must map class names to 0 to n - 1")
    if all(map(NO_NAME.fullmatch, given)) or all(map(NO_NAME.fullmatch, numbers)):
        return
    other = [each for each in given if each not in numbers]
    if other:
        logger.info(f"{file}: label2id names {listed(other)}; the classes are those of id2label: {listed(numbers)}")
    for each, number in given.items():
        if each in numbers and str(number) != str(numbers[each]):
            raise UserError(
                f"{file}: '{each}' is class {numbers[each]} in id2label and class {number} in label2id: correct one of "
                "them"
            )


def short(value: Any) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
