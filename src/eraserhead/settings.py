"""Bounds, choices and types of settings, declared on the fields of the config dataclasses.

Standard library only, so that mistakes are reported without waiting for torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from math import inf
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from eraserhead.errors import Setting, UserError, nearest

Value = TypeVar("Value")

LARGEST_SEED = 2**32 - 1  # numpy takes no larger one

# Keys of a field's metadata. `models/architecture.py` may not import them, and writes the same strings.
LOW, HIGH, BELONGS_TO = "low", "high", "belongs_to"

NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}


def option(
    default: Value,
    low: float = -inf,
    high: float = inf,
    belongs_to: Mapping[str, tuple[Any, ...]] | None = None,
) -> Value:
    """Return a dataclass field.

    Args:
        default: Default of the field.
        low: Smallest number allowed, in a list for each element.
        high: Largest number allowed, likewise.
        belongs_to: Other fields of the same dataclass, or of one inside it (``training.freeze_encoder``), each with
            the values with which this option has an effect; one match is enough. Default: the option always has an
            effect.
    """
    metadata = {LOW: low, HIGH: high} | ({BELONGS_TO: belongs_to} if belongs_to else {})
    made: Any = field(default=default, metadata=metadata)
    return made


def as_list(value: Any) -> Any:
    """Return a sequence as a list; return anything else unchanged, for `check_settings` to refuse."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else value


def check_settings(config: Any) -> None:
    """Refuse settings of the wrong type, out of bounds or not among their choices, all of them at once.

    Raises:
        UserError: A setting is wrong; the message gives each one's name, value and allowed values.
    """
    problems = list(setting_problems(config))
    if problems:
        raise UserError.joined(problems)


def setting_problems(config: Any, prefix: str = "") -> Iterator[UserError]:
    """Yield an error for each wrong setting of a config dataclass, nested ones included; names start with `prefix`."""
    hints = get_type_hints(type(config))
    for each in fields(config):
        value, name = getattr(config, each.name), f"{prefix}{each.name}"
        if is_dataclass(hints[each.name]):
            if isinstance(value, hints[each.name]):
                yield from setting_problems(value, f"{name}.")
            else:
                yield UserError(Setting(name, value), f": must be a {hints[each.name].__name__}")
        elif (wanted := _wanted(hints[each.name], value, each.metadata)) is not None:
            yield UserError(Setting(name, value), f": must be {wanted}")


def value_problem(config: type, name: str, value: Any) -> UserError | None:
    """Return the error for one value of a config dataclass, given its field's dotted name; None if it is allowed."""
    group, _, last = name.partition(".")
    hint = get_type_hints(config)[group]
    if last:
        inner = value_problem(hint, last, value)
        return inner and UserError(Setting(name, value), *inner.args[1:])
    wanted = _wanted(hint, value, config.__dataclass_fields__[group].metadata)
    return None if wanted is None else UserError(Setting(name, value), f": must be {wanted}")


def unused(config: Any) -> set[str]:
    """Return the names of the fields of a config dataclass that have no effect with the values of the others."""
    return {
        each.name
        for each in fields(config)
        if BELONGS_TO in each.metadata
        and not any(attrgetter(owner)(config) in of for owner, of in each.metadata[BELONGS_TO].items())
    }


@dataclass(frozen=True)
class Idle:
    """A setting that was changed, and has no effect.

    Attributes:
        setting: Its dotted name and its value.
        owners: Names of the settings of which one would give it an effect.
        problem: What to say of it.
    """

    setting: Setting
    owners: tuple[str, ...]
    problem: UserError


def idle_settings(config: Any, prefix: str = "") -> Iterator[Idle]:
    """Go through the settings that are not as by default and have no effect; `prefix` begins their names."""
    without = unused(config)
    for each in fields(config):
        value, name = getattr(config, each.name), f"{prefix}{each.name}"
        if is_dataclass(value):
            yield from idle_settings(value, f"{name}.")
        elif each.name in without and value != _default(each):
            owners = {f"{prefix}{owner}": of for owner, of in each.metadata[BELONGS_TO].items()}
            wanted = UserError.joined((Setting(owner, one) for owner, of in owners.items() for one in of), " or ")
            setting = Setting(name, value)
            problem = UserError(setting, ": has no effect without ", wanted, "; leave it out, or add that")
            yield Idle(setting, tuple(owners), problem)


def check_effects(config: Any) -> None:
    """Refuse settings that were changed and have no effect, all of them at once.

    Raises:
        UserError: Naming each, and what would give it an effect.
    """
    problems = [idle.problem for idle in idle_settings(config)]
    if problems:
        raise UserError.joined(problems)


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _wanted(hint: Any, value: Any, bounds: Mapping[str, Any]) -> str | None:
    """Return what a value must be; None where it is allowed."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if not any(_is_a(value, kind) for kind in kinds):
        known = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
        said = [_described(kind) for kind in kinds if kind is not NoneType]
        return " or ".join(said) + (nearest(value, known) if isinstance(value, str) else "")
    numbers = [each for each in (value if isinstance(value, list) else [value]) if _is_a(each, float)]
    low, high = bounds.get(LOW, -inf), bounds.get(HIGH, inf)
    if all(low <= number <= high for number in numbers):
        return None
    return f"at least {low:g}" if high == inf else f"from {low:g} to {high:g}"


def _is_a(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_is_a(each, *get_args(kind)) for each in value)
    if isinstance(value, bool):  # in Python a bool is an int
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is list:
        return f"a list of {NAMES[get_args(kind)[0]].removeprefix('a ')}s"
    return NAMES[kind]
