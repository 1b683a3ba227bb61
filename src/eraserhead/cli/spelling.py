"""How the command line writes the settings and jobs that messages speak of."""

import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from eraserhead.cli.arguments import option_types
from eraserhead.cli.config_files import Given, shown
from eraserhead.errors import Job, Setting

FOR_THE_SHELL = (";", "|", "&", "<", ">", "\\", "*")  # in a value that is to be pasted into a shell


@dataclass(frozen=True)
class Spelling:
    """Writes settings as whoever gave them to one command would.

    Attributes:
        config: Dataclass of the command's options; null where there is no such command.
        positional: Options that are given by position.
        in_files: Options whose value a YAML file gives, and no flag behind it.
    """

    config: type | None = None
    positional: tuple[str, ...] = ()
    in_files: Mapping[str, Given] = field(default_factory=dict)

    def __call__(self, part: Setting | Job) -> str:
        """Write ``--site all``, ``--heads 0,3``, ``--overwrite``, ``MODEL``, or ``site all in FILE`` where it is given.

        What is no option of the command stands in YAML files alone, those of a study: ``data.max_length: 3``.
        """
        if isinstance(part, Job):
            options = (f" --{setting.name} {shlex.quote(str(setting.value))}" for setting in part.settings)
            return f"`eraserhead {part.name}{''.join(options)}`"
        given = self.in_files.get(part.name)
        if given is not None and part.value is not ... and _same(part.value, given.value):
            return f"{given.key} {_written(part.value)} in {shown(given.file)}"
        value = "" if part.value is ... else _written(part.value)
        if part.name in self.positional:
            return f"{part.name.upper()} {value}".rstrip()
        if self.config is not None and part.name not in option_types(self.config):
            return f"{part.name}: {value}" if value else part.name
        return f"--{part.name}" if part.value is True else f"--{part.name} {value}".rstrip()


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "[]"
    if isinstance(value, str) and any(sign in value for sign in FOR_THE_SHELL):
        return shlex.quote(value)
    return json.dumps(value) if value in (None, "") or isinstance(value, bool) else str(value)


def _same(value: Any, given: Any) -> bool:
    """Whether a value, or one element of a list, is what a file gives; YAML reads ``1e-3`` as a text."""
    if str(value) in map(str, [given, *given] if isinstance(given, list) else [given]):
        return True
    with suppress(ValueError):
        return isinstance(given, str) and float(given) == value
    return False
