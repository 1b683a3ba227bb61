"""Completion of commands, options and their values in the shell, by argcomplete.

``eraserhead completion bash`` prints what a shell's start file evaluates. At each Tab the shell then calls
``eraserhead``, which answers from a parser of its own: it knows names and choices, and checks nothing.
"""

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.shell_integration import shellcode

from eraserhead.cli.arguments import option_types
from eraserhead.cli.commands import COMMANDS, Command
from eraserhead.cli.config_files import PACKAGED
from eraserhead.data.named_sets import NAMED

SHELLS = ("bash", "zsh", "fish")
WORDS = {
    "site": ("pooling", "words", "layer:-1", "layer:-1:all", "all", "encoder:-1", "decoder:-1", "cross:-1"),
    "data.name": tuple(NAMED),
}


def answer() -> None:
    """Tell the shell how the line goes on, and end the process."""
    argcomplete.autocomplete(completing_parser(), always_complete_options=False)


def script(shell: str) -> str:
    """Return what a shell has to evaluate to complete ``eraserhead``."""
    return shellcode(["eraserhead"], shell=shell).strip() + "\n"


def completing_parser() -> ArgumentParser:
    """Return a parser of all commands and options, for completion alone."""
    parser = ArgumentParser(prog="eraserhead", add_help=False)
    _flags(parser, "--help", "--version")
    commands = parser.add_subparsers()
    for name, command in COMMANDS.items():
        _add(commands.add_parser(name, add_help=False, help=command.help), command)
    commands.add_parser("help", add_help=False).add_argument("command", choices=tuple(COMMANDS))
    commands.add_parser("completion", add_help=False).add_argument("shell", choices=SHELLS)
    return parser


def _add(parser: ArgumentParser, command: Command) -> None:
    types = option_types(command.config)
    for name in command.positional:
        parser.add_argument(name, nargs="*" if types[name] == list[str] else "?")
    _flags(parser, "--help", "--help_all", "--quiet", "--print_config")
    _completed(parser, "--config", _configs)
    for name, kind in types.items():
        if name not in command.positional:
            if kind is bool:
                parser.add_argument(f"--{name}", nargs="?", choices=("true", "false"), default=SUPPRESS)
            elif choices := (WORDS.get(name) or tuple(_choices(kind))):
                _completed(parser, f"--{name}", partial(_among, choices))
            else:
                _completed(parser, f"--{name}", FilesCompleter(("yaml", "yml") if is_dataclass(kind) else ()))


def _flags(parser: ArgumentParser, *names: str) -> None:
    for name in names:
        parser.add_argument(name, action="store_true")


def _completed(parser: ArgumentParser, name: str, completer: Any) -> None:
    action: Any = parser.add_argument(name)
    action.completer = completer


def _choices(kind: Any) -> Iterator[str]:
    """Yield the values of an option that can be written out."""
    if get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    elif get_origin(kind) in (Union, UnionType):
        for each in get_args(kind):
            if each is not NoneType:
                yield from _choices(each)
    elif kind is bool:
        yield from ("true", "false")


def _among(choices: Sequence[str], **_: Any) -> Sequence[str]:
    return choices


def _configs(prefix: str, **_: Any) -> list[str]:
    """Return the packaged files of options, by the names that ``--config`` takes, and the files here."""
    packaged = (str(file.relative_to(PACKAGED).with_suffix("")) for file in PACKAGED.rglob("*.yaml"))
    return [*sorted(packaged), *FilesCompleter(("yaml", "yml"))(prefix)]
