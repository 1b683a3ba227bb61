"""Push a folder to the hub in one atomic commit, and only if something has changed."""

import hashlib
import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    constants,
    get_token,
    hf_hub_download,
)
from huggingface_hub.errors import HFValidationError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id

from eraserhead.erasure.results import RESULTS
from eraserhead.errors import Setting, UserError
from eraserhead.publishing.card import CARD
from eraserhead.publishing.publication import OWN_FILES
from eraserhead.remote.downloads import bars_on_terminals_alone
from eraserhead.remote.failures import (
    HUB_ERRORS,
    LOG_IN,
    PATIENCE,
    WAITS,
    failure,
    is_transient,
    pause_after,
    reason,
    with_retries,
)

MAIN = "main"
REFERENCE = re.compile(r"(?!.*(\.\.|//|\.lock$|[./]$))[\w][\w./-]*", re.ASCII)

Changes = list[CommitOperationAdd | CommitOperationDelete]
logger = logging.getLogger("eraserhead")


@dataclass(frozen=True)
class Target:
    """Where a model is pushed.

    Attributes:
        repository: Name on the hub.
        private: Whether a new repository is private.
        revision: Branch; created from the main branch if it does not exist.
        tag: Tag for the commit, if any.
    """

    repository: str
    private: bool = False
    revision: str = MAIN
    tag: str | None = None


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        commit: The commit that contains the pushed files; null after a dry run.
        new: Whether the commit is new; otherwise the hub already had all files.
        address: Where to look at it.
    """

    commit: str | None
    new: bool
    address: str


def check_name(repository: str) -> None:
    """Refuse a name that no repository can have.

    Raises:
        UserError: The name is not valid; the message says why.
    """
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UserError(f"{repository}: not a repository name such as user/name ({reason(error)})") from error
    if repository.count("/") != 1:
        raise UserError(f"{repository}: not a repository name; give the owner too, as in user/name")


def check_reference(reference: Setting) -> None:
    """Refuse a name that git does not allow for a branch or tag.

    Raises:
        UserError: The name is not valid; the message names the setting.
    """
    if reference.value is not None and not REFERENCE.fullmatch(reference.value):
        raise UserError(reference, ": not a name for a branch or tag; use letters, digits, '.', '-', '_' and '/'")


def pushed_line(pushed: Pushed, target: Target) -> str:
    """Return the result of a push in one line."""
    done = "pushed to" if pushed.new else "unchanged at"
    where = f", branch {target.revision}" if target.revision != MAIN else ""
    return f"{done} {pushed.address} (commit {pushed.commit}{where}{f', tag {target.tag}' if target.tag else ''})"


class Hub:
    """One repository on the hub, as its owner sees it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._client = HfApi(library_name="eraserhead")
        # The client warns about tables in a model's repository. The filter stays, because threads share all filters.
        warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")

    def check_login(self) -> None:
        """Refuse to go on without a token.

        Raises:
            UserError: There is no token.
        """
        if not get_token():
            raise UserError(
                f"{self.target.repository}: nobody is logged in to the hub ({constants.ENDPOINT}): {LOG_IN}"
            )

    def open(self) -> None:
        """Create the repository and its branch if they do not exist.

        Raises:
            UserError: There is no token, or it may not write to this repository; or the repository should be private
                but is public already.
        """
        self.check_login()
        name = self.target.repository
        with self._one_line():
            with_retries(lambda: self._client.create_repo(name, private=self.target.private or None, exist_ok=True))
            if self.target.private and not with_retries(lambda: self._client.model_info(name)).private:
                raise UserError(
                    f"{name}: exists and is public, so ",
                    Setting("private"),
                    " would not hide it; make it private in its settings "
                    f"({constants.ENDPOINT}/{name}/settings), or leave the option out",
                )
            if self.target.revision != MAIN:
                with_retries(lambda: self._client.create_branch(name, branch=self.target.revision, exist_ok=True))

    def card(self) -> dict[str, Any]:
        """Return the metadata of the existing card; empty if there is none, or it cannot be read."""
        with suppress(*HUB_ERRORS):
            path = hf_hub_download(self.target.repository, CARD, revision=self.target.revision)
            return ModelCard(Path(path).read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict()
        return {}

    def push(self, folder: Path) -> Pushed:
        """Push a folder's files in one commit, which also removes files of an earlier push that are no longer needed.

        If the hub has all files already, there is no commit. A failure before the commit changes nothing on the hub.

        Raises:
            UserError: The hub refuses, cannot be reached after several attempts, or somebody else pushes meanwhile; or
                the tag already names another commit.
        """
        with self._one_line(), bars_on_terminals_alone():
            tagged = self._tagged()
            head = self._head()
            changes = self._changes(folder, head)
            if tagged is not None and (changes or tagged != head):
                raise UserError(
                    f"{self.target.repository}: the tag '{self.target.tag}' already names another commit "
                    f"({tagged[:8]}); choose another ",
                    Setting("tag"),
                )
            commit = self._commit(folder, head, changes) if changes else head
            if self.target.tag is not None and tagged is None:
                self._give_tag(commit)
        address = f"{constants.ENDPOINT}/{self.target.repository}"
        return Pushed(commit, bool(changes), address)

    def _commit(self, folder: Path, head: str, changes: Changes) -> str:
        """Make the commit; after a failure, ask the hub whether it was made nevertheless."""
        begun = time.monotonic()
        for wait in (*WAITS, None):
            try:
                made = self._client.create_commit(
                    self.target.repository,
                    changes,
                    commit_message=_message(folder),
                    revision=self.target.revision,
                    parent_commit=head,
                )
                return made.oid
            except HUB_ERRORS as error:
                now = with_retries(self._head)
                if now != head:
                    return self._commit_of_mine(folder, now)
                if wait is None or not is_transient(error) or time.monotonic() - begun > PATIENCE:
                    raise
                pause_after(error, wait)
            changes = self._changes(folder, head)  # the client accepts each operation object only once
        raise AssertionError("the last attempt returns or raises")

    def _commit_of_mine(self, folder: Path, now: str) -> str:
        if self._changes(folder, now):
            raise UserError(
                f"{self.target.repository}: somebody else pushed meanwhile ({now[:8]}); look at it, and push again"
            )
        return now

    def _changes(self, folder: Path, commit: str) -> Changes:
        """Return the changes that turn a commit into this folder."""
        there = {
            entry.path: entry
            for entry in with_retries(
                lambda: list(self._client.list_repo_tree(self.target.repository, recursive=True, revision=commit))
            )
            if isinstance(entry, RepoFile)
        }
        here = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
        added = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(file))
            for name, file in here.items()
            if name not in there or not _same(file, there[name])
        ]
        removed = [
            CommitOperationDelete(path_in_repo=name) for name in there if name not in here and OWN_FILES.fullmatch(name)
        ]
        return [*added, *removed]

    def _head(self) -> str:
        info = with_retries(lambda: self._client.model_info(self.target.repository, revision=self.target.revision))
        assert info.sha is not None
        return info.sha

    def _tagged(self) -> str | None:
        """Return the commit that has the tag; null if there is none, or no tag is wanted."""
        if self.target.tag is None:
            return None
        tags = with_retries(lambda: self._client.list_repo_refs(self.target.repository)).tags
        return next((tag.target_commit for tag in tags if tag.name == self.target.tag), None)

    def _give_tag(self, commit: str) -> None:
        """Tag the commit; it is no failure if an earlier attempt has already tagged it."""
        tag = str(self.target.tag)
        try:
            with_retries(
                lambda: self._client.create_tag(self.target.repository, tag=str(self.target.tag), revision=commit)
            )
        except HUB_ERRORS as error:
            if self._tagged() != commit:
                raise UserError(
                    f"{self.target.repository}: pushed (commit {commit}), but not tagged '{tag}' ({reason(error)}); "
                    "push again to add the tag"
                ) from error

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Report failures of the hub as one-line errors."""
        try:
            yield
        except HUB_ERRORS as error:
            raise UserError(failure(error, self.target.repository, "not pushed")) from error


def _message(folder: Path) -> str:
    return f"Push classifier and card{', with erasure results' if (folder / RESULTS.summary).is_file() else ''}"


def _same(file: Path, entry: RepoFile) -> bool:
    """Compare a file with the hub's by its hash."""
    if file.stat().st_size != entry.size:
        return False
    if entry.lfs is not None:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == entry.lfs.sha256
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == entry.blob_id
