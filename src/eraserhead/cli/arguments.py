"""What is checked of options before they are parsed: unknown ones, all at once, with the nearest name."""

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from eraserhead.cli.config_files import config_files, leaves, shown
from eraserhead.errors import UserError, closest, did_you_mean

BUILT_IN = ("config", "help", "print_config", "print_shtab")
CONSTANTS = ("true", "false", "null")  # in any case


def option_types(config: type, prefix: str = "") -> dict[str, Any]:
    """Return the dotted names of all options of a config dataclass, and their types; groups included."""
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
    A switch's value may be written as Python does (``--resume True``).
    """
    kinds = option_types(config)
    lists = {f"--{name}" for name, kind in kinds.items() if _is_list(kind)}
    switches = {f"--{name}" for name, kind in kinds.items() if kind in (bool, bool | None)}
    normal: list[str] = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
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
        UserError: Naming all of them, each with the nearest known name.
    """
    options = option_types(config)
    known = [name for name in options if name not in positional] + list(BUILT_IN)
    problems = [
        UserError(f"{command}: unknown option --{name}{_hint(name, known, '--')}")
        for name in _named(arguments)
        if name not in known
    ]
    for file in config_files(arguments):
        problems += [UserError(f"{shown(file)}: {problem}") for problem in _file_problems(file, options)]
    if problems:
        raise UserError.joined(problems)


def _named(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == "--":
            return
        if argument.startswith("--"):
            yield argument[2:].partition("=")[0]


def _file_problems(file: str, options: Mapping[str, Any]) -> list[str]:
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        return [f"cannot be read ({error.strerror})"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return [f"is not YAML ({' '.join(str(error).split())})"]
    if content is None:
        return []
    if not isinstance(content, dict):
        return ["is not a mapping of options"]
    problems: list[str] = []
    for key, value in leaves(content, options):
        if key not in options:
            problems.append(f"unknown key '{key}'{_hint(key, options)}")
        elif is_dataclass(options[key]) and not isinstance(value, str):  # a string names a file of the group
            problems.append(f"{key}: must be a group of options")
    return problems


def _hint(name: str, known: Iterable[str], dashes: str = "") -> str:
    """Suggest a name of the same group by its last part, or any name as a whole; it can be pasted back."""
    group, _, last = name.rpartition(".")
    siblings = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == group}
    sibling = closest(last, siblings)
    found = closest(name, known) if sibling is None else siblings[sibling]
    return did_you_mean(None if found is None else f"{dashes}{found}")


def _is_list(kind: Any) -> bool:
    if isinstance(kind, types.UnionType):
        return any(map(_is_list, get_args(kind)))
    return get_origin(kind) is list


def _as_list(value: str) -> str:
    if value.startswith("[") or value == "null":
        return value
    return yaml.safe_dump(value.split(","), width=10**6, default_flow_style=True).strip()
