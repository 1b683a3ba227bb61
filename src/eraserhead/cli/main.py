"""The command line: it parses arguments, runs a command, and prints the result and the path of what it wrote.

Heavy libraries are imported only when a command runs, so that ``eraserhead --help`` and errors appear at once.
"""

import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from itertools import takewhile
from types import TracebackType
from typing import Any

from eraserhead.cli.arguments import check, check_given_effects, in_files, normalise, option_types
from eraserhead.cli.commands import COMMANDS
from eraserhead.cli.config_files import config_files, disagreements, with_found_configs
from eraserhead.cli.parsing import as_config, command_parser, parse
from eraserhead.cli.places import check_places
from eraserhead.cli.spelling import Spelling
from eraserhead.cli.termination import EXIT_CODE, Terminated, termination_raises
from eraserhead.disk import disk_failure
from eraserhead.errors import DocumentError, FunctionError, Job, Setting, Spell, UserError, nearest
from eraserhead.loading import launcher
from eraserhead.loading.waiting import waiting
from eraserhead.settings import check_settings
from eraserhead.showing.escapes import visible

logger = logging.getLogger("eraserhead")

HELP, COMPLETION = "help", "completion"
KNOWN = (*COMMANDS, HELP, COMPLETION)
COMPLETES = "_ARGCOMPLETE"  # a variable that a shell sets when it wants to know how the line goes on
QUIET = ("-q", "--quiet")
CONTINUES = "finished work is kept, and the same command continues (train: with --resume)"


class VisibleRecord(logging.LogRecord):
    """A log record of any library, on one line, with control characters escaped and tokens hidden.

    Settings and errors in our own records are spelled as flags. A formatter would cover our own handler only;
    transformers and datasets have handlers of their own.
    """

    def __init__(self, spell: Spell, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if isinstance(self.args, tuple):
            self.args = tuple(
                UserError(part).spelled(spell) if isinstance(part, (Setting, Job, UserError)) else part
                for part in self.args
            )
        if self.exc_info and self.exc_info[1]:
            self.exc_text = _traceback(self.exc_info[1]).rstrip()  # formatters print exc_text unchanged

    def getMessage(self) -> str:  # noqa: N802 - the standard library's name
        """Return the message."""
        return _harmless(super().getMessage().rstrip())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 2 after one line that says what to mend, or 143 after SIGTERM."""
    arguments, quiet = _without_quiet(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # texts hold characters that some terminals lack
    sys.excepthook = _crash
    if COMPLETES in os.environ:
        import_module("eraserhead.cli.completion").answer()
    spell = _spelling(arguments)
    logging.setLogRecordFactory(partial(VisibleRecord, spell))
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    for library in ("DATASETS", "HF_HUB"):
        os.environ.setdefault(f"{library}_VERBOSITY", "critical")  # our own one-line error says the same
    try:
        with termination_raises():
            return _dispatch(arguments)
    except UserError as error:
        if isinstance(error, FunctionError) and error.__cause__ is not None:
            print(_traceback(error.__cause__), end="", file=sys.stderr)
        return _fail(error.spelled(spell), alike=not isinstance(error, DocumentError))
    except Terminated:
        _fail(f"terminated; {CONTINUES}")
        return EXIT_CODE
    except KeyboardInterrupt:
        return _fail(f"interrupted; {CONTINUES}")
    except Exception as error:
        failed = disk_failure(error)
        if failed is None and isinstance(error, OSError) and error.filename is not None:
            failed = error
        if failed is None:
            raise
        where = f" ({failed.filename})" if failed.filename else ""
        return _fail(f"{failed.strerror}{where}; finished work is kept: mend that and run the same command again")


def _dispatch(arguments: list[str]) -> int:
    name = _command(arguments)
    if not arguments or name == HELP or _asks_for_help(arguments):
        print(_help(arguments), end="")
        return 0
    if name == COMPLETION:
        return _complete(arguments)
    if name not in COMMANDS:
        if "--version" in arguments:
            print(f"eraserhead {import_module('eraserhead').__version__}")
            return 0
        raise _no_command(name, arguments)
    place = arguments.index(name)
    return _run(name, [*arguments[:place], *arguments[place + 1 :]])


def _no_command(name: str, arguments: Sequence[str] = ()) -> UserError:
    wrong = f"no command '{name}'" if name else f"no command in '{' '.join(arguments)}'"
    return UserError(wrong, nearest(name, KNOWN) or f"; the commands are {', '.join(KNOWN)}")


def _run(name: str, arguments: list[str]) -> int:
    """Run one command with these arguments."""
    command = COMMANDS[name]
    arguments = with_found_configs(normalise(arguments, command.config))
    check(arguments, name, command.config, command.positional)
    for line in disagreements(config_files(arguments), option_types(command.config)):
        logger.info(line)
    parser = command_parser(command)
    parsed = parse(parser, arguments, command)
    given = as_config(command, parsed)
    check_places(given, command.positional)  # before defaults, which name what may not be read at all
    if command.defaults is not None:
        parser.set_defaults(command.defaults(given))
        parsed = parse(parser, arguments, command)
    if command.alone and launcher.rank():
        return 0
    config = as_config(command, parsed)
    check_settings(config)
    for setting in check_given_effects(config, arguments):
        logger.info("%s: has no effect here", setting)
    with waiting("loading the libraries"):
        module = import_module(command.module)
    module.run(config)
    return 0


def _without_quiet(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``-q`` and ``--quiet``, and whether one of them is there, before any ``--``."""
    before = _before_dashes(arguments)
    kept = [each for each in before if each not in QUIET]
    return [*kept, *arguments[len(before) :]], len(kept) < len(before)


def _command(arguments: Sequence[str]) -> str:
    return next((argument for argument in arguments if not argument.startswith("-")), "")


def _before_dashes(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that may be options: those before a ``--``."""
    return list(takewhile("--".__ne__, arguments))


def _asks_for_help(arguments: Sequence[str]) -> bool:
    return any(each in ("-h", "--help", "--help_all") for each in _before_dashes(arguments))


def _help(arguments: Sequence[str]) -> str:
    """Return the help that is asked for: of the command among the arguments, else of all."""
    help_pages = import_module("eraserhead.cli.help_pages")
    names = [each for each in _before_dashes(arguments) if not each.startswith("-")]
    if names[:1] == [HELP]:
        names = names[1:2]
    if not names or names[0] in (HELP, COMPLETION):
        return help_pages.main_page()
    if names[0] not in COMMANDS:
        raise _no_command(names[0])
    return help_pages.command_page(names[0], "--help_all" in arguments)


def _complete(arguments: Sequence[str]) -> int:
    """Print what makes a shell complete commands and options."""
    completion = import_module("eraserhead.cli.completion")
    given = [each for each in arguments if each != COMPLETION]
    if len(given) != 1 or given[0] not in completion.SHELLS:
        near = nearest(given[0], completion.SHELLS) if len(given) == 1 else ""
        wrong = f", not '{' '.join(given)}'" if given else ""
        raise UserError(f"completion: name one shell of {', '.join(completion.SHELLS)}{wrong}", near)
    print(completion.script(given[0]), end="")
    return 0


def _spelling(arguments: Sequence[str]) -> Spelling:
    """Return how the command among the arguments writes settings."""
    command = COMMANDS.get(_command(arguments))
    if command is None:
        return Spelling()
    return Spelling(command.config, command.positional, in_files(arguments, command.config))


def _fail(message: str, alike: bool = False) -> int:
    """Print why the command ends; of several processes that fail `alike`, the first alone prints it."""
    line = f"eraserhead: error: {_harmless(message)}"
    told = launcher.tell_failure(line)
    if not (told and alike and launcher.rank()):
        print(line, file=sys.stderr)
    return 2


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug in eraserhead; it is escaped, since the message may quote a document."""
    print(_traceback(error), end="", file=sys.stderr)


def _traceback(error: BaseException) -> str:
    return _harmless("".join(traceback.format_exception(error)), keep="\n")


def _harmless(text: str, keep: str = "") -> str:
    """Return a text with its control characters visible and this machine's access tokens hidden."""
    return visible(import_module("eraserhead.secrets").redacted(text), keep)
