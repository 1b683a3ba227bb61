"""Pages of help: examples first, then options, from the docstrings of the config dataclasses."""

import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docstring_parser import parse_from_object

from eraserhead.cli.commands import COMMANDS, DESCRIPTION, Command

INDENT, COLUMN = 2, 28  # where an option begins, and where its description does
NARROWEST, WIDEST = 60, 100  # characters of a line
MARKED = re.compile(r"``([^`]*)``|`([^`]*)`")  # as docstrings mark literals and names
SAYS_DEFAULT = re.compile(r"\bdefaults?\b")
ABOUT = {
    "help [COMMAND]": "this page, or that of a command",
    "completion SHELL": "print what completes commands and options in bash, zsh or fish",
}
EVERYWHERE = (
    ("-q, --quiet", "No progress and no information on the way; results and errors remain."),
    ("-h, --help", "This page; --help_all lists all options."),
)
WITH_FILES = (
    ("--config FILE", "YAML file of options; several are merged, and later ones win."),
    ("--print_config", "Print all options as YAML, with the values that they would have, and end."),
)


@dataclass(frozen=True)
class OptionHelp:
    """An option as the help shows it.

    Attributes:
        name: Its dotted name.
        value: What stands for its value; empty for a switch.
        text: What it does, with its default.
    """

    name: str
    value: str
    text: str

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.name} {self.value}".rstrip()


def main_page(width: int | None = None) -> str:
    """Return the help of the whole command line, for a terminal of this many columns; default: this one."""
    width = _width(width)
    examples = [COMMANDS[name].examples[0] for name in ("train", "erase", "explain")]
    named = {name: command.help for name, command in COMMANDS.items()} | ABOUT
    parts = [
        textwrap.fill(DESCRIPTION, width),
        _examples(examples, width),
        "Commands:\n" + "\n".join(_entry(name, text, width, 20) for name, text in named.items()),
        "Options:\n"
        + "\n".join(_entry(*each, width, 20) for each in (("--version", "Print the version."), EVERYWHERE[0])),
        "`eraserhead COMMAND --help` says more about a command.",
    ]
    return "\n\n".join(parts) + "\n"


def command_page(name: str, everything: bool = False, width: int | None = None) -> str:
    """Return the help of one command.

    Args:
        name: Name of the command.
        everything: Whether all options are listed, not the common ones alone.
        width: Columns of the terminal; default: those of this one.
    """
    command, width = COMMANDS[name], _width(width)
    listed = [each for each in described(command) if each.name not in command.positional]
    common = [each for name in command.common for each in listed if each.name == name]
    short = bool(common) and not everything
    parts = [textwrap.fill(f"eraserhead {name}: {command.help}", width), _examples(command.examples, width)]
    parts.append("\n".join(_usage(name, command, width)))
    if short:
        parts.append(_options("Options, the most used ones", common, width))
    else:
        parts += [_options(title, options, width) for title, options in _grouped(command, listed).items()]
    also = (*(WITH_FILES if listed else ()), *EVERYWHERE)
    parts.append("\n".join(["And:", *(_entry(*each, width) for each in also)]))
    if short:
        parts.append(f"All {len(listed)} options: eraserhead {name} --help_all")
    return "\n\n".join(parts) + "\n"


def described(command: Command) -> list[OptionHelp]:
    """Return all options of a command, positional ones too, in the order of their dataclasses."""
    return list(_described(command.config, ""))


def _described(config: type, prefix: str) -> Iterator[OptionHelp]:
    texts, hints = attribute_texts(config), get_type_hints(config)
    own = [each for each in fields(config) if not is_dataclass(hints[each.name])]
    for each in own:
        default = each.default if each.default_factory is MISSING else each.default_factory()
        text = texts[each.name] + _default(default, texts[each.name])
        yield OptionHelp(f"{prefix}{each.name}", _value(each.name, hints[each.name]), text)
    for each in fields(config):
        if is_dataclass(kind := hints[each.name]) and isinstance(kind, type):
            yield from _described(kind, f"{prefix}{each.name}.")


def attribute_texts(config: type) -> dict[str, str]:
    """Return what docstrings say of each field of a dataclass, those of its bases too, in plain text."""
    texts: dict[str, str] = {}
    for each in reversed(config.__mro__):
        if is_dataclass(each) and each.__doc__:
            for entry in parse_from_object(each).params:
                texts[entry.arg_name] = plain(entry.description or "")
    return texts


def plain(text: str) -> str:
    """Return a text of a docstring on one line, without the marks of literals and of names."""
    return MARKED.sub(lambda found: found[1] or found[2], " ".join(text.split()))


def _grouped(command: Command, options: Sequence[OptionHelp]) -> Mapping[str, list[OptionHelp]]:
    """Return the options by the groups in which they stand."""
    texts, groups = attribute_texts(command.config), {}
    for each in options:
        group = each.name.rpartition(".")[0]
        title = "Options" if not group else f"{texts[group].rstrip('.').partition(';')[0]}, or --{group} FILE"
        groups.setdefault(title, []).append(each)
    return groups


def _usage(name: str, command: Command, width: int) -> Iterator[str]:
    """Yield how the command is called, and what its arguments are."""
    several = {each for each, kind in get_type_hints(command.config).items() if kind == list[str]}
    places = []
    for each in command.positional:
        place = f"{each.upper()} ..." if each in several else each.upper()
        places.append(f"[{place}]" if each in command.optional else place)
    yield " ".join(["Usage: eraserhead", name, *places, "[options]"])
    texts = attribute_texts(command.config)
    if places:
        yield ""
    for place, each in zip(places, command.positional, strict=True):
        yield _entry(place, texts[each], width)


def _examples(examples: Sequence[str], width: int) -> str:
    """Return examples as they can be pasted into a shell; a long one is continued on the next line."""
    return "\n".join(["Examples:", *(line for each in examples for line in _pasted(f"eraserhead {each}", width))])


def _pasted(command: str, width: int) -> Iterator[str]:
    start = " " * INDENT
    while len(start) + len(command) > width and (cut := command.rfind(" --", 0, width - len(start) - 1)) > 0:
        yield f"{start}{command[:cut]} \\"
        start, command = " " * 2 * INDENT, command[cut + 1 :]
    yield start + command


def _options(title: str, options: Sequence[OptionHelp], width: int) -> str:
    return "\n".join([f"{title}:", *(_entry(each.flag, each.text, width) for each in options)])


def _entry(name: str, text: str, width: int, column: int = COLUMN) -> str:
    """Return a name with its description beside it; a long name has a line of its own."""
    written = textwrap.fill(
        text, width, initial_indent=" " * column, subsequent_indent=" " * column, break_on_hyphens=False
    )
    start = " " * INDENT + name
    return f"{start:<{column}}{written.lstrip()}" if len(start) < column - 1 else f"{start}\n{written}"


def _value(name: str, kind: Any) -> str:
    """Return what stands for the value of an option: its choices, or a word for what it is."""
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if NoneType in kinds and bool in kinds:
        return "true|false"
    return "|".join(filter(None, (_kind(name, each) for each in kinds if each is not NoneType)))


def _kind(name: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if get_origin(kind) is list:
        one = _kind(name.removesuffix("s"), *get_args(kind))
        return f"{one},..."
    return {bool: "", int: "N", float: "X"}.get(kind, name.rpartition("_")[2].upper())


def _default(value: Any, text: str) -> str:
    """Return what to say of a default, where the description does not say it."""
    if value is MISSING or value is None or value is False or SAYS_DEFAULT.search(text.lower()):
        return ""
    if isinstance(value, list):
        return f" Default: {','.join(map(str, value))}."
    return f" Default: {'true' if value is True else value}."


def _width(width: int | None) -> int:
    return min(max(shutil.get_terminal_size().columns if width is None else width, NARROWEST), WIDEST)
