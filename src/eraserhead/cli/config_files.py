"""Find the YAML files that ``--config`` names, in the working folder or in the package."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

from eraserhead.errors import UserError, closest, did_you_mean, nearest
from eraserhead.yaml_text import read_yaml

INSTALLED, CHECKOUT = Path(__file__).parents[1] / "configs", Path(__file__).parents[3] / "configs"
PACKAGED = INSTALLED if INSTALLED.is_dir() else CHECKOUT  # a wheel holds them; an editable install reads the checkout's
OPTION = "--config"


@dataclass(frozen=True)
class Given:
    """An option that a YAML file gives.

    Attributes:
        name: Its dotted name.
        value: Its value.
        file: The file.
        key: What it is called there: in a file of one group of options, without the group.
    """

    name: str
    value: Any
    file: str
    key: str


def find_config(name: str) -> Path:
    """Return the file of this name if it exists, else the packaged file of the same relative name.

    For a packaged file, ``configs/`` at the start and ``.yaml`` at the end may be left out.

    Raises:
        UserError: Neither exists.
    """
    if Path(name).is_file():
        return Path(name)
    inner = name.removeprefix("./").removeprefix("configs/").removesuffix(".yaml")
    known = {str(file.relative_to(PACKAGED).with_suffix("")): file for file in PACKAGED.rglob("*.yaml")}
    if inner not in known:
        by_last_part = {Path(each).name: each for each in sorted(known)}
        match = closest(Path(inner).name, by_last_part)
        hint = nearest(inner, known) if match is None else did_you_mean(by_last_part[match])
        there = hint or f"; the packaged ones are {', '.join(sorted(known))}"
        raise UserError(f"{name}: no such file here, and none in the package{there}")
    return known[inner]


def with_found_configs(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the value of each ``--config`` replaced by the path of its file.

    Raises:
        UserError: Some files do not exist; the message names them all.
    """
    found, problems = list(arguments), []
    for place, name in _named(arguments):
        try:
            file = str(find_config(name))
            found[place] = f"{OPTION}={file}" if arguments[place].startswith(f"{OPTION}=") else file
        except UserError as error:
            problems.append(error)
    if problems:
        raise UserError.joined(problems)
    return found


def config_files(arguments: Sequence[str]) -> list[str]:
    """Return the files that ``--config`` names, in order."""
    return [name for _, name in _named(arguments)]


def disagreements(files: Sequence[str], options: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each option to which several files give different values; the last file wins."""
    given: dict[str, list[tuple[str, Any]]] = {}
    for file in files:
        for each in given_in(file, options):
            given.setdefault(each.name, []).append((each.file, each.value))
    for key, said in given.items():
        if any(value != said[-1][1] for _, value in said):
            each = ", ".join(f"{value} in {shown(file)}" for file, value in said)
            yield f"{key}: {each}; the last one is used"


def given_in(file: str, options: Mapping[str, Any], group: str = "") -> Iterator[Given]:
    """Go through the options that a file gives, and the files of groups (``data: limits.yaml``) that it names.

    Args:
        file: The file; the names in it are relative to its folder.
        options: All options and groups, with their types.
        group: The group, with its dot, whose file this is.

    Raises:
        UserError: The file, or one that it names, cannot be read as a mapping of options.
    """
    for name, value in leaves(_content(file), options, group):
        key = name.removeprefix(group)
        if is_dataclass(options.get(name)) and isinstance(value, str):
            inner = Path(file).parent / value
            if not inner.is_file():
                raise UserError(f"{shown(file)}: {key} {value}: no such file{near_file(inner)}")
            yield from given_in(str(inner), options, f"{name}.")
        else:
            yield Given(name, value, file, key)


def given_inline(value: str, options: Mapping[str, Any], group: str) -> list[Given] | None:
    """Return the options in the value of a group (``--data '{max_length: 9}'``); null where it is no mapping.

    Raises:
        ValueError: It begins as a mapping does and is no YAML; the message says why.
    """
    try:
        content = read_yaml(value)
    except ValueError:
        if value.lstrip().startswith("{"):
            raise
        return None  # the name of a file
    if not isinstance(content, dict):
        return None
    return [Given(name, each, "", name) for name, each in leaves(content, options, group)]


def near_file(file: Path) -> str:
    """Return a hint at the YAML file beside `file` that has nearly its name, or nothing."""
    return nearest(file.name, sorted(each.name for each in file.parent.glob("*.yaml")))


def _content(file: str) -> dict[str, Any]:
    try:
        content = read_yaml(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{shown(file)}: cannot be read ({error.strerror})") from error
    except ValueError as fault:
        raise UserError(f"{shown(file)}: is not YAML ({fault})") from fault
    if content is not None and not isinstance(content, dict):
        raise UserError(f"{shown(file)}: is not a mapping of options")
    return content or {}


def shown(file: str) -> str:
    """Return a file's path as a user would write it: a packaged file without its installation folder."""
    return str(Path(file).relative_to(PACKAGED)) if Path(file).is_relative_to(PACKAGED) else file


def leaves(content: Mapping[str, Any], options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each dotted key of a YAML mapping with its value; `options` tells groups from values."""
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and is_dataclass(options.get(name)):
            yield from leaves(value, options, f"{name}.")
        else:
            yield name, value


def _named(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the index and the value of each ``--config`` among the arguments."""
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{OPTION}="):
            yield place, argument.removeprefix(f"{OPTION}=")
        elif argument == OPTION and place + 1 < len(arguments):
            yield place + 1, arguments[place + 1]
