"""From arguments and YAML files to config dataclasses."""

import re
from ast import literal_eval
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from eraserhead.cli.arguments import check, normalise, option_types
from eraserhead.cli.config_files import with_found_configs
from eraserhead.errors import Setting, UserError
from eraserhead.settings import value_problem

# How jsonargparse names the option and the value that it refuses.
REFUSED = re.compile(r'Parser key "([\w.]+)":.*(?:Got|Given) value: ([^\n]*)$', re.DOTALL)
# How it names the options that it misses, each with its command in front.
MISSING = re.compile(r"the following arguments are required: ([\w., ]+)$")


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    Attributes:
        config: Dataclass of its options; fields without a default are positional.
        module: Where its function `run` is.
        help: One line.
        positional: Options that are given by position.
        optional: Those of them that may be left out.
        defaults: Defaults that follow from what was parsed at first, such as the data of a run.
        alone: Whether the first of several processes does it alone, and the others have nothing to do.
    """

    config: type
    module: str
    help: str
    positional: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    defaults: Callable[[Any], dict[str, Any]] | None = None
    alone: bool = False


def command_parser(command: Command) -> ArgumentParser:
    """Return the parser of one command."""
    parser = ArgumentParser(description=command.help, exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file; several are merged, and the later one wins")
    for name in command.positional:
        if name in command.optional:
            parser.add_argument(name, type=str, nargs="?")
        else:
            parser.add_argument(name, type=str)
    parser.add_class_arguments(command.config, skip=set(command.positional))
    return parser


def config_of(command: str, config: type, arguments: Sequence[str]) -> Any:
    """Return the config dataclass that a command without positional options would have with these arguments.

    Raises:
        UserError: The arguments, or the YAML files that they name, are not the command's.
    """
    arguments = with_found_configs(normalise(arguments, config))
    check(arguments, command, config, ())
    described = Command(config, "", command)
    return as_config(described, parse(command_parser(described), arguments, config))


def parse(parser: ArgumentParser, arguments: list[str], config: type | None = None) -> Namespace:
    """Parse arguments; `config` is the dataclass of their command.

    Raises:
        UserError: They are not the parser's.
    """
    try:
        return parser.parse_args(arguments)
    except SystemExit:
        raise
    except Exception as error:  # jsonargparse raises several kinds for what the user typed
        raise _in_our_words(str(error), config) from error


def _in_our_words(message: str, config: type | None) -> UserError:
    """Return a refusal as Python would have it, where the parser says which options it is about."""
    missing = MISSING.search(message)
    if config is not None and missing is not None:
        options = option_types(config)
        names = [name if name in options else name.partition(".")[2] for name in missing[1].split(", ")]
        return UserError("give ", UserError.joined(map(Setting, names), ", "))
    found = REFUSED.match(message)
    if config is None or found is None or found[1] not in option_types(config):
        return UserError(" ".join(message.split()))
    value: Any = None if found[2] == "None" else found[2]
    if found[2].startswith("["):
        with suppress(ValueError, SyntaxError):
            value = literal_eval(found[2])
    refused = value_problem(config, found[1], value)
    return UserError(" ".join(message.split())) if refused is None else refused


def as_config(command: Command, parsed: Namespace) -> Any:
    """Return a command's config dataclass from what was parsed."""
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
