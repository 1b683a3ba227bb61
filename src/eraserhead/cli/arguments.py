"""Checks before options are parsed: all unknown options are reported at once, each with the nearest known name."""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from math import inf
from os.path import isfile  # which takes a mapping that is longer than a name may be
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from eraserhead.cli.config_files import (
    OPTION,
    Given,
    config_files,
    find_config,
    given_in,
    given_inline,
    near_file,
    shown,
)
from eraserhead.errors import Setting, UserError, closest, did_you_mean
from eraserhead.settings import idle_settings

PRINT_CONFIG, PRINTED = "print_config", ("skip_default", "skip_unset")  # an option, and what may follow its "="
BUILT_IN = ("config", PRINT_CONFIG)
ELSEWHERE = ("help", "help_all", "quiet")  # which are read before
CONSTANTS = ("true", "false", "null")  # in any case


def option_types(config: type, prefix: str = "") -> dict[str, Any]:
    """Return the dotted names of all options of a config dataclass, including groups, with their types."""
    found: dict[str, Any] = {}
    hints = get_type_hints(config)
    for field in fields(config):
        found[prefix + field.name] = hints[field.name]
        if is_dataclass(hints[field.name]):
            found |= option_types(hints[field.name], f"{prefix}{field.name}.")
    return found


def normalise(arguments: Sequence[str], config: type) -> list[str]:
    """Return the arguments as the parser wants them.

    Comma-separated values of list options become YAML lists, and a switch without a value (``--resume``) is true.
    A switch also takes Python's spelling (``--resume True``).
    """
    kinds = option_types(config)
    lists = {f"--{name}" for name, kind in kinds.items() if _is_list(kind)}
    switches = {f"--{name}" for name, kind in kinds.items() if kind in (bool, bool | None)}
    normal: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        option, equals, value = argument.partition("=")
        if option in lists and equals:
            normal.append(f"{option}={_as_list(value)}")
        elif argument in switches and following.lower() not in CONSTANTS:
            normal.append(f"{argument}=true")
        elif normal and normal[-1] in switches:
            normal.append(argument.lower())
        else:
            normal.append(_as_list(argument) if normal and normal[-1] in lists else argument)
    return normal


def check(arguments: Sequence[str], command: str, config: type, positional: Sequence[str]) -> None:
    """Refuse unknown options and unknown keys of config files.

    Raises:
        UserError: The message names all of them, each with the nearest known name.
    """
    options = option_types(config)
    known = [name for name in options if name not in positional] + list(BUILT_IN)
    problems = [
        UserError(f"--{PRINT_CONFIG}={value}: takes no value, or {' or '.join(PRINTED)}")
        for value in (each.partition("=")[2] for each in arguments if each.startswith(f"--{PRINT_CONFIG}="))
        if value not in PRINTED
    ]
    problems += [
        UserError(f"{command}: unknown option --{name}{_hint(name, [*known, *ELSEWHERE], '--')}")
        for name, _ in named(arguments)
        if name not in known
    ]
    for name, value in named(arguments):
        if is_dataclass(options.get(name)) and value is not None:
            problems += _group_problems(name, value, options)
    for file in config_files(arguments):
        problems += _file_problems(file, options)
    if problems:
        raise UserError.joined(problems)


def in_files(arguments: Sequence[str], config: type) -> dict[str, Given]:
    """Return the options that a YAML file gives, and no flag behind it; files that cannot be read are left out."""
    return {name: given for name, (_, given) in _given(arguments, config).items() if given is not None}


def check_given_effects(config: Any, arguments: Sequence[str]) -> list[Setting]:
    """Refuse options that were given and have no effect, but for those that a later file or a flag overruled.

    A recipe may say more than the model behind it needs.

    Returns:
        Those that were overruled.

    Raises:
        UserError: Naming all others, and what would give them an effect.
    """
    given = _given(arguments, type(config))
    overruled: list[Setting] = []
    problems: list[UserError] = []
    for idle in idle_settings(config):
        if (found := given.get(idle.setting.name)) is None:
            continue  # it follows from the folder of a run
        place = found[0] if found[1] is not None else inf  # flags stand in no order
        if any(given[owner][0] > place for owner in idle.owners if owner in given):
            overruled.append(idle.setting)
        else:
            problems.append(idle.problem)
    if problems:
        raise UserError.joined(problems)
    return overruled


def _given(arguments: Sequence[str], config: type) -> dict[str, tuple[int, Given | None]]:
    """Return the options that are given: at which place among the arguments, and in which file; null for a flag."""
    options = option_types(config)
    found: dict[str, tuple[int, Given | None]] = {}
    for place, (name, value) in enumerate(named(arguments)):
        found[name] = (place, None)
        group = f"{name}." if is_dataclass(options.get(name)) else ""
        if value is not None and (group or name == OPTION.removeprefix("--")):
            with suppress(UserError, ValueError):
                inline = given_inline(value, options, group) if group and not isfile(value) else None
                if inline is not None:
                    found |= {given.name: (place, None) for given in inline}
                    continue
                file = value if group else str(find_config(value))
                found |= {given.name: (place, given) for given in given_in(file, options, group)}
    return found


def named(arguments: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Go through the options among the arguments, each with what follows it."""
    for argument, following in zip(arguments, [*arguments[1:], None], strict=False):
        if argument == "--":
            return
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            yield name, value if equals else following


def _group_problems(name: str, value: str, options: Mapping[str, Any]) -> list[UserError]:
    """Return what is wrong with the value of a whole group: a YAML file of its options, or a mapping of them."""
    if isfile(value):
        return _file_problems(value, options, f"{name}.")
    try:
        inline = given_inline(value, options, f"{name}.")
    except ValueError as fault:
        return [UserError(f"--{name} {value}: is not YAML ({fault})")]
    if inline is not None:
        return [UserError(f"--{name} {value}: {problem}") for problem in _problems(inline, options)]
    hint = near_file(Path(value)) or f"; it names a YAML file of options, and one alone is given as --{name}.NAME VALUE"
    return [UserError(f"--{name} {value}: no such file{hint}")]


def _file_problems(file: str, options: Mapping[str, Any], group: str = "") -> list[UserError]:
    given: list[Given] = []
    problems: list[UserError] = []
    try:
        given.extend(given_in(file, options, group))
    except UserError as error:
        problems.append(error)
    for each in given:
        problems += [UserError(f"{shown(each.file)}: {problem}") for problem in _problems([each], options)]
    return problems


def _problems(given: Iterable[Given], options: Mapping[str, Any]) -> Iterator[str]:
    for each in given:
        if each.name not in options:
            group = each.name.removesuffix(each.key)
            yield f"unknown key '{each.key}'{_hint(each.name, options, group=group)}"
        elif is_dataclass(options[each.name]):
            yield f"{each.key}: must be a group of options, or the name of a YAML file of them"


def _hint(name: str, known: Iterable[str], dashes: str = "", group: str = "") -> str:
    """Suggest the name in the same group with the nearest last part, else the nearest full name.

    A name that only lacks its group is suggested with it (``epochs``: ``training.epochs``). In a file of one group
    (``data.``), names of that group alone, as they are written there.
    """
    known = [each for each in known if each.startswith(group)]
    if whole := [each for each in known if each.rpartition(".")[2] == name.rpartition(".")[2]]:
        return did_you_mean("' or '".join(f"{dashes}{each.removeprefix(group)}" for each in whole))
    around, _, last = name.rpartition(".")
    siblings = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == around}
    sibling = closest(last, siblings)
    found = closest(name, known) if sibling is None else siblings[sibling]
    return did_you_mean(None if found is None else f"{dashes}{found.removeprefix(group)}")


def _is_list(kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(map(_is_list, get_args(kind)))
    return get_origin(kind) is list


def _as_list(value: str) -> str:
    if value.startswith("[") or value == "null":
        return value
    return yaml.safe_dump(value.split(","), width=10**6, default_flow_style=True).strip()
