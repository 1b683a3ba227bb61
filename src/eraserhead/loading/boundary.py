"""The boundary to the libraries that load what others made: whatever they raise becomes one line."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from transformers.utils import logging as transformers_logging

from eraserhead.errors import UserError

# What is no fault of a file: what we say ourselves, what the user or the machine wants. All else is, whatever its kind.
NO_FAULT_OF_A_FILE = (UserError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError, torch.OutOfMemoryError)
# How the strict dataclasses of transformers' configs name the field that they refuse.
FIELD = re.compile(r"Validation error for field '([\w.]+)':\s*(?:\w+: )?(?:Field '[\w.]+' )?(.*)")
# How torch names the first weight of another size.
SIZES = re.compile(r"size mismatch for ([\w.]+): .*?Size\(\[([\d, ]*)\]\) from checkpoint, .*?Size\(\[([\d, ]*)\]\)")
MODULES = re.compile(r"(\w+)\( \(\w+\): .*\)(?= )")  # a module as torch prints it, with all inside it
LONGEST = 240  # characters of another library's message

Loaded = TypeVar("Loaded")


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out transformers' loading reports and bars: what matters in them is checked here."""
    if transformers_logging.get_verbosity() >= logging.CRITICAL:  # inside another one: setting it is slow
        yield
        return
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def load(name: str, make: Callable[[], Loaded], file: str = "the model") -> Loaded:
    """Make something of files that may be missing, damaged or of something else.

    Args:
        name: The model's folder or hub id.
        make: What reads them; it may raise anything.
        file: The file that it reads, or what it makes of several.

    Raises:
        UserError: In one line: the file, the field where the library names one, and what to do.
    """
    try:
        with quiet():
            return make()
    except NO_FAULT_OF_A_FILE:
        raise
    except BaseException as error:  # a panic of the tokenizers' library is no `Exception`
        raise UserError(f"{name}: {file} {_failure(error, name)}") from error


def _failure(error: BaseException, name: str) -> str:
    reason = MODULES.sub(r"\1", " ".join(str(error).split()))
    field = FIELD.match(reason)
    if field is not None:
        return f"has a wrong value for {field[1]}: {_cut(field[2])}; mend it there"
    sizes = SIZES.search(reason)
    if sizes is not None:
        held, wanted = (size.replace(", ", " x ") or "1" for size in sizes.group(2, 3))
        return f"describes '{sizes[1]}' of size {wanted}, and the stored one has {held}: the two do not belong together"
    if isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    elif not reason or type(error) is KeyError:
        reason = f"{type(error).__name__} {reason}".strip()
    where = "this folder" if os.path.isdir(name) else "what the hub has under this name"
    return f"cannot be loaded from {where} ({_cut(reason)}); it is damaged, or something else: save it again"


def _cut(reason: str) -> str:
    return reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}..."
