"""What has to change in a repository, so that it has the files of a folder."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.hf_api import RepoFile, RepoFolder

from eraserhead.erasure.results import RESULTS
from eraserhead.loading.run_layout import RUN

Changes = list[CommitOperationAdd | CommitOperationDelete]


def changes_between(folder: Path, tree: Iterable[RepoFile | RepoFolder], owned: re.Pattern[str]) -> Changes:
    """Return the changes that turn a commit into a folder; files that are the same are not among them.

    Args:
        folder: The folder.
        tree: The files and folders of the commit.
        owned: Names of files that are removed where the folder lacks them.
    """
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}
    here = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    added = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(file))
        for name, file in here.items()
        if name not in there or not is_same(file, there[name])
    ]
    removed = [CommitOperationDelete(path_in_repo=name) for name in there if name not in here and owned.fullmatch(name)]
    return [*added, *removed]


def commit_message(folder: Path) -> str:
    """Return what the commit of a folder says it does."""
    if not (folder / RUN.config).is_file():
        return "Push erasure results and card"
    return f"Push classifier and card{', with erasure results' if (folder / RESULTS.summary).is_file() else ''}"


def is_same(file: Path, entry: RepoFile) -> bool:
    """Tell by the hash whether the hub has this file."""
    if file.stat().st_size != entry.size:
        return False
    if entry.lfs is not None:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == entry.lfs.sha256
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == entry.blob_id
