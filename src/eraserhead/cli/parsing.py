"""From arguments and YAML files to config dataclasses."""

import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from eraserhead.cli.arguments import check, check_given_effects, in_files, named, normalise, option_types
from eraserhead.cli.commands import Command
from eraserhead.cli.config_files import with_found_configs
from eraserhead.cli.spelling import Spelling
from eraserhead.errors import Setting, UserError, closest, did_you_mean
from eraserhead.settings import value_problem
from eraserhead.yaml_text import read_yaml

# How jsonargparse names the option and the value that it refuses.
REFUSED = re.compile(r'.*Parser key "([\w.]+)":.*(?:Got|Given) value: ([^\n]*)$', re.DOTALL)
# How jsonargparse names missing options, each with its command in front.
MISSING = re.compile(r"the following arguments are required: ([\w., ]+)$")
# How argparse names an option without a value, and what stands where nothing is expected.
WITHOUT_VALUE = re.compile(r"argument (--[\w.]+)[^:]*: expected (?:one|at least one) argument$")
UNEXPECTED = re.compile(r"unrecognized arguments: (.*)$", re.DOTALL)


def command_parser(command: Command) -> ArgumentParser:
    """Return the parser of one command."""
    parser = ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file; several are merged, and later ones win")
    for name in command.positional:
        if name in command.optional:
            parser.add_argument(name, type=str, nargs="?")
        elif option_types(command.config)[name] == list[str]:
            parser.add_argument(name, type=str, nargs="+")
        else:
            parser.add_argument(name, type=str)
    parser.add_class_arguments(command.config, skip=set(command.positional))
    return parser


def config_of(command: str, config: type, arguments: Sequence[str]) -> Any:
    """Return the config dataclass of a command without positional options, from these arguments.

    Raises:
        UserError: The command does not accept the arguments, or the YAML files that they name.
    """
    arguments = with_found_configs(normalise(arguments, config))
    check(arguments, command, config, ())
    described = Command(config, "", command)
    try:
        made = as_config(described, parse(command_parser(described), arguments, described))
        check_given_effects(made, arguments)
        return made
    except UserError as error:  # only files are given to it
        raise UserError(error.spelled(Spelling(config, (), in_files(arguments, config)))) from error


def parse(parser: ArgumentParser, arguments: list[str], command: Command) -> Namespace:
    """Parse the arguments of a command.

    Raises:
        UserError: The parser does not accept them.
    """
    try:
        return parser.parse_args(arguments)
    except SystemExit:
        raise
    except Exception as error:  # jsonargparse raises several kinds for what the user typed
        raise _in_our_words(str(error), arguments, command) from error


def _in_our_words(message: str, arguments: Sequence[str], command: Command) -> UserError:
    """Return the parser's message in our words, where it says which option it refuses."""
    if (found := WITHOUT_VALUE.search(message)) is not None:
        return UserError(f"{found[1]}: give it a value")
    options = option_types(command.config)
    unknown = _unreadable(arguments, options)
    if (found := MISSING.search(message)) is not None:
        names = [name if name in options else name.partition(".")[2] for name in found[1].split(", ")]
        return UserError("give ", UserError.joined(map(Setting, names), ", "))
    if (found := UNEXPECTED.search(message)) is not None:
        return _unexpected(found[1], arguments, command)
    if (found := REFUSED.match(message)) is None or found[1] not in options:
        return unknown
    value: Any = None if found[2] == "None" else found[2]
    given = in_files(arguments, command.config).get(found[1])
    if given is not None and str(given.value) == found[2]:
        value = given.value  # a number where a text is wanted is no text
    elif found[2].startswith(("[", "{")):
        with suppress(ValueError, SyntaxError):
            value = literal_eval(found[2])
    refused = None if is_dataclass(options[found[1]]) else value_problem(command.config, found[1], value)
    return unknown if refused is None else refused


def _unreadable(arguments: Sequence[str], options: Mapping[str, Any]) -> UserError:
    """Return what to say where the parser does not say which option it refuses: the first that is no YAML, or all."""
    given = [each for each in named(arguments) if each[0] in options]
    for name, value in given:
        try:
            read_yaml(value or "")
        except ValueError as fault:
            return UserError(f"--{name} {value}: cannot be read ({fault})")
    written = " ".join(f"--{name} {value}" for name, value in given) or " ".join(arguments)
    return UserError(
        f"{written}: cannot be read; see the values that {'they take' if given else 'there are'} in --help"
    )


def _unexpected(extra: str, arguments: Sequence[str], command: Command) -> UserError:
    """Return what to say of arguments that stand where none is expected."""
    first = next((each for each in arguments if each == extra or extra.startswith(f"{each} ")), extra)
    before, equals, _ = arguments[arguments.index(first) - 1].partition("=") if first in arguments else ("", "", "")
    options = option_types(command.config)
    if equals and options.get(before.removeprefix("--")) in (bool, bool | None):  # as `normalise` writes a switch
        return value_problem(command.config, before.removeprefix("--"), first) or UserError(first)
    by_name = [name for name in options if name not in command.positional]
    near = closest(first.lstrip("-").partition("=")[0], by_name)
    if first.startswith("-"):
        return UserError(f"unknown option {first}", did_you_mean(f"--{near}") if near else "")
    alone = " and ".join(name.upper() for name in command.positional)
    rest = (
        f"{alone} alone {'stands' if len(command.positional) == 1 else 'stand'} without a name"
        if alone
        else ("options are given by their names (--NAME VALUE)")
    )
    return UserError(f"unexpected argument '{first}'", did_you_mean(f"--{near}") if near else f"; {rest}")


def as_config(command: Command, parsed: Namespace) -> Any:
    """Return a command's config dataclass from the parsed options."""
    values = parsed.as_dict()
    values.pop("config", None)
    return build(command.config, values)


def build(config: type, values: dict[str, Any]) -> Any:
    """Build a config dataclass, nested ones included, from a dictionary."""
    return config(
        **{
            field.name: build(field.type, values[field.name])
            if is_dataclass(field.type) and isinstance(field.type, type)
            else values[field.name]
            for field in fields(config)
            if field.name in values
        }
    )
