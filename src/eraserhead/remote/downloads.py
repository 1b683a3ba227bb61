"""Downloads from the hub: retried, and large files checked against their SHA-256.

The hub's client checks the size of a download and not its content; a damaged file would stay in its cache.
"""

import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from huggingface_hub import hf_hub_download, is_offline_mode, list_repo_files, snapshot_download
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from eraserhead.errors import Setting, UserError
from eraserhead.remote.failures import HUB_ERRORS, failure, reason, with_retries

ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
# Files of a model and its tokenizer; weights as safetensors, and as pickles only where there are none.
MODEL_FILES = (
    *("*.json", "*.txt", "*.model", "*.jinja", "*.py", "*.tiktoken", "*.bpe", "*.codes", "*.spm", "*.tokenizer"),
    *("model.safetensors", "model-*-of-*.safetensors"),
    *ADAPTER_WEIGHTS,
)
SAFETENSORS, PICKLED = "*.safetensors", ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
SHA256 = re.compile(r"[0-9a-f]{64}")
DATASET_FILE = re.compile(r"hf://datasets/([^@]+)@([0-9a-f]{40})/(.+)")

logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Located:
    """Where a model is on this machine.

    Attributes:
        folder: Its folder; for a hub model, the folder of one commit in the local cache.
        commit: The commit that the hub resolved; None for the user's own folder.
        others: Names of further files that the hub has, where it has no weights that can be loaded.
    """

    folder: str
    commit: str | None
    others: tuple[str, ...] = ()


def locate_model(name: str, revision: str | None = None) -> Located:
    """Return the folder of a model; download the model if its name is a hub id.

    Args:
        name: Folder or hub id.
        revision: Branch, tag or commit on the hub.

    Raises:
        UserError: There is no such folder or hub model, a folder was given with a revision, or a file arrives damaged
            twice.
    """
    if os.path.isdir(name):
        if revision is not None:
            raise UserError(
                Setting("revision", revision), f": belongs to the hub, and {name} is a folder here; leave it out"
            )
        return Located(name, None)
    ask = partial(snapshot_download, name, revision=revision, allow_patterns=list(MODEL_FILES), ignore_patterns=["*/*"])
    try:
        folder = Path(_undamaged(ask, name))
    except HUB_ERRORS as error:
        raise UserError(failure(error, name, revision=revision)) from error
    if not folder.is_dir():  # the repository has no file of a model
        raise UserError(f"{name}: not a model (no config.json in it)")
    return Located(str(folder), folder.name, _without_safetensors(folder, name))


def _without_safetensors(folder: Path, name: str) -> tuple[str, ...]:
    """Download pickled weights where a model has no others; return what the hub has where it has neither."""
    if any(folder.glob(SAFETENSORS)):
        return ()
    commit = folder.name
    more = partial(snapshot_download, name, revision=commit, allow_patterns=list(PICKLED), ignore_patterns=["*/*"])
    try:
        _undamaged(more, name)
        if any(found for pattern in PICKLED for found in folder.glob(pattern)):
            return ()
        return tuple(with_retries(partial(list_repo_files, name, revision=commit)))
    except HUB_ERRORS as error:
        if is_offline_mode():
            return ()
        raise UserError(failure(error, name, revision=commit)) from error


def fetch_dataset_files(name: str, addresses: Iterable[str]) -> None:
    """Download files of a data set into the hub's cache, from which `datasets` takes them.

    Args:
        name: Name of the data set in messages.
        addresses: File addresses as `datasets` writes them (``hf://datasets/NAME@COMMIT/FILE``); others are skipped.

    Raises:
        UserError: A file arrives damaged twice.
    """
    for match in filter(None, map(DATASET_FILE.fullmatch, addresses)):
        repository, commit, file = match.groups()
        _undamaged(partial(hf_hub_download, repository, file, repo_type="dataset", revision=commit), name)


def cached_dataset_file(repository: str, file: str, commit: str) -> Path:
    """Return where the hub's cache has a file of a data set.

    Raises:
        UserError: It does not have it.
    """
    try:
        ask = partial(hf_hub_download, repository, file, repo_type="dataset", revision=commit, local_files_only=True)
        return Path(ask())
    except HUB_ERRORS as error:
        raise UserError(f"{repository}: the local cache lacks {file}; try again with the network") from error


def evict_damaged(files: Iterable[Path]) -> list[str]:
    """Remove from the cache the files of a snapshot that do not match their hashes; return their names.

    Large files are stored under their SHA-256, to which snapshots link.
    """
    evicted = []
    for file in files:
        stored = file.resolve()
        if file.is_symlink() and SHA256.fullmatch(stored.name) and stored.is_file() and _sha256(stored) != stored.name:
            file.unlink()
            stored.unlink()
            evicted.append(file.name)
    return evicted


def _undamaged(ask: Callable[[], str], name: str) -> str:
    """Download a file or a folder, a second time if a file is damaged; return its path."""
    path = _asked(ask)
    evicted = _evicted(path)
    if not evicted:
        return path
    logger.info(f"{name}: {', '.join(evicted)}: damaged (its SHA-256 is not the hub's), fetched again")
    try:
        path = _asked(ask)
    except HUB_ERRORS as error:
        raise UserError(
            f"{name}: {', '.join(evicted)} was damaged, has been removed from the local cache, and cannot be fetched "
            f"again ({reason(error)}); try again with the network"
        ) from error
    evicted = _evicted(path)
    if evicted:
        raise UserError(
            f"{name}: {', '.join(evicted)} arrived damaged twice (its SHA-256 is not the hub's) and was not kept; try "
            "again later, or from another network"
        )
    return path


def _asked(ask: Callable[[], str]) -> str:
    with bars_on_terminals_alone():
        return with_retries(ask)


def _evicted(path: str) -> list[str]:
    place = Path(path)
    return evict_damaged([place] if place.is_file() else sorted(place.glob("*")))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def bars_on_terminals_alone() -> Iterator[None]:
    """Show the client's progress bars on terminals alone."""
    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()
