"""The command line: it parses arguments, runs a command, and prints the result and the path of what it wrote.

Heavy libraries are imported only when a command runs, so that ``eraserhead --help`` and errors appear at once.
"""

import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any

from jsonargparse import ArgumentParser

from eraserhead.cli.arguments import check, check_given_effects, in_files, normalise, option_types
from eraserhead.cli.config import FamiliesConfig
from eraserhead.cli.config_files import config_files, disagreements, with_found_configs
from eraserhead.cli.parsing import Command, as_config, command_parser, parse
from eraserhead.cli.spelling import Spelling
from eraserhead.cli.termination import EXIT_CODE, Terminated, termination_raises
from eraserhead.comparison.config import CompareConfig
from eraserhead.disk import disk_failure
from eraserhead.erasure.config import EraseConfig, MergeConfig, PlotConfig, ShowConfig
from eraserhead.errors import DocumentError, FunctionError, Job, Setting, Spell, UserError, nearest
from eraserhead.explanation.config import ExplainConfig, ExploreConfig
from eraserhead.loading import launcher
from eraserhead.loading.defaults import erase_defaults
from eraserhead.publishing.config import PushConfig
from eraserhead.settings import check_settings
from eraserhead.showing.escapes import visible
from eraserhead.study.config import ReproduceConfig
from eraserhead.training.config import TrainConfig

logger = logging.getLogger("eraserhead")

DESCRIPTION = """Attention-pooling heads for pretrained encoders, and erasure tests that tell whether their attention
means anything (Serrano & Smith 2019)."""
CONTINUES = "finished work is kept, and the same command continues (train: with --resume)"

COMMANDS = {
    "train": Command(TrainConfig, "eraserhead.cli.train", "train an attention-pooling classifier"),
    "erase": Command(
        EraseConfig,
        "eraserhead.cli.erase",
        "erase attention weights and see when decisions flip",
        ("model",),
        defaults=erase_defaults,
    ),
    "merge": Command(
        MergeConfig,
        "eraserhead.cli.merge",
        "merge the parts of an analysis that machines made by themselves",
        ("parts",),
        alone=True,
    ),
    "show": Command(
        ShowConfig, "eraserhead.cli.show", "print the tables of finished erasure results", ("results",), alone=True
    ),
    "plot": Command(
        PlotConfig,
        "eraserhead.cli.plot",
        "draw the figures of finished erasure results, several side by side",
        ("results",),
        alone=True,
    ),
    "compare": Command(
        CompareConfig,
        "eraserhead.cli.compare",
        "compare results on the same documents: of other models, layers, heads or seeds",
        ("results",),
        alone=True,
    ),
    "explain": Command(
        ExplainConfig,
        "eraserhead.cli.explain",
        "show the attention behind one decision and what flips it",
        ("model", "text"),
        optional=("text",),
        defaults=erase_defaults,
    ),
    "explore": Command(
        ExploreConfig,
        "eraserhead.cli.explore",
        "write a page, one HTML file, on which one erases words by hand and sees decisions flip",
        ("results",),
    ),
    "push": Command(
        PushConfig,
        "eraserhead.cli.push",
        "push a classifier and its erasure results to the hub, with a card that says what its attention is worth",
        ("model", "repository"),
        alone=True,
    ),
    "reproduce": Command(
        ReproduceConfig,
        "eraserhead.cli.reproduce",
        "train and erase many models on many data sets, and write the tables and figures of the paper",
    ),
    "families": Command(
        FamiliesConfig,
        "eraserhead.cli.families",
        "list the model families in which attention can be erased",
        alone=True,
    ),
}


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
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # texts hold characters that some terminals lack
    sys.excepthook = _crash
    spell = _spelling(arguments)
    logging.setLogRecordFactory(partial(VisibleRecord, spell))
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("eraserhead").setLevel(logging.INFO)
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


def build_parser() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """Return the main parser, and the parser of each command."""
    parser = ArgumentParser(prog="eraserhead", description=DESCRIPTION, exit_on_error=False)
    parser.add_argument("--version", action="version", version=f"eraserhead {import_module('eraserhead').__version__}")
    commands = parser.add_subcommands(dest="command", required=False)
    parsers = {}
    for name, command in COMMANDS.items():
        parsers[name] = command_parser(command)
        commands.add_subcommand(name, parsers[name], help=command.help)
    return parser, parsers


def _dispatch(arguments: list[str]) -> int:
    parser, parsers = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    name = _command(arguments)
    if name not in COMMANDS:
        with suppress(UserError):
            parse(parser, arguments)  # --help and --version end here
        wrong = f"no command '{name}'" if name else f"no command in '{' '.join(arguments)}'"
        raise UserError(wrong, nearest(name, COMMANDS) or f"; the commands are {', '.join(COMMANDS)}")
    command = COMMANDS[name]
    arguments = with_found_configs(normalise(arguments, command.config))
    check(arguments, name, command.config, command.positional)
    for line in disagreements(config_files(arguments), option_types(command.config)):
        logger.info(line)
    parsed = parse(parser, arguments, command)[name]
    if command.defaults is not None:
        parsers[name].set_defaults(command.defaults(as_config(command, parsed)))
        parsed = parse(parser, arguments, command)[name]
    if command.alone and launcher.rank():
        return 0
    config = as_config(command, parsed)
    check_settings(config)
    for setting in check_given_effects(config, arguments):
        logger.info("%s: has no effect here", setting)
    import_module(command.module).run(config)
    return 0


def _command(arguments: Sequence[str]) -> str:
    return next((argument for argument in arguments if not argument.startswith("-")), "")


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
