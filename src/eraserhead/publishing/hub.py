"""Push a folder to the hub in one atomic commit, and only if something has changed.

The commit is `huggingface_hub`'s `create_commit`. Its `upload_folder` would not do: with Xet it makes several commits
of many or large files, of which the first alone has `parent_commit`, it opens a pull request before the files are
there, and a commit whose answer gets lost is made again.
"""

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, constants, get_token, hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile, RepoFolder

from eraserhead.errors import Setting, UserError
from eraserhead.publishing.changes import Changes, changes_between, commit_message
from eraserhead.publishing.layout import CARD, OWN_FILES, RESULT_FILES
from eraserhead.publishing.ownership import owned_files
from eraserhead.publishing.target import MAIN, Pushed, Target
from eraserhead.remote.downloads import bars_on_terminals_alone
from eraserhead.remote.failures import (
    HUB_ERRORS,
    LOG_IN,
    PATIENCE,
    WAITS,
    failure,
    http_error,
    is_transient,
    pause_after,
    reason,
    with_retries,
)

FORBIDDEN = 403


class Hub:
    """One repository on the hub, as its owner sees it, or somebody who opens a pull request."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._client = HfApi(library_name="eraserhead")
        self._repository: dict[str, Any] = {"repo_id": target.repository, "repo_type": target.kind}
        # The client warns about tables in a model's repository. The filter stays, because threads share all filters.
        warnings.filterwarnings("ignore", message="It seems that you are about to commit a data file")

    def check_login(self) -> None:
        """Refuse to go on without a token.

        Raises:
            UserError: There is no token.
        """
        if not get_token():
            raise UserError(f"{self.target.name}: nobody is logged in to the hub ({constants.ENDPOINT}): {LOG_IN}")

    def open(self) -> None:
        """Create the repository and its branch if they do not exist; for a pull request it must exist.

        Raises:
            UserError: There is no token, or it may not write to this repository; or the repository should be private
                but is public already.
        """
        self.check_login()
        if self.target.as_pull_request:
            self._check_exists()
            return
        with self._one_line():
            with_retries(
                lambda: self._client.create_repo(**self._repository, private=self.target.private or None, exist_ok=True)
            )
            if self.target.private and not with_retries(lambda: self._client.repo_info(**self._repository)).private:
                raise UserError(
                    f"{self.target.name}: exists and is public, so ",
                    Setting("private"),
                    f" would not hide it; make it private in its settings ({self.target.address}/settings), or leave "
                    "the option out",
                )
            if self.target.revision != MAIN:
                with_retries(
                    lambda: self._client.create_branch(**self._repository, branch=self.target.revision, exist_ok=True)
                )

    def _check_exists(self) -> None:
        try:
            with self._one_line():
                self._head(self.target.revision)
        except UserError as error:
            if isinstance(error.__cause__, RepositoryNotFoundError):
                raise UserError(error, "; leave out ", Setting("as_pull_request"), " to create it") from error
            raise

    def card(self) -> dict[str, Any]:
        """Return the metadata of the existing card; empty if there is none, or it cannot be read."""
        with suppress(*HUB_ERRORS):
            text = self._card_text(self.target.revision)
            return ModelCard(text, ignore_metadata_errors=True).data.to_dict()
        return {}

    def card_at(self, commit: str) -> str:
        """Return the card as one commit has it; empty where it has none.

        Raises:
            UserError: The hub does not send it.
        """
        with self._one_line():
            try:
                return with_retries(lambda: self._card_text(commit))
            except EntryNotFoundError:
                return ""

    def _card_text(self, revision: str) -> str:
        with bars_on_terminals_alone():
            path = hf_hub_download(**self._repository, filename=CARD, revision=revision)
        with open(path, encoding="utf-8-sig", newline="") as file:  # with the ends of lines that it has
            return file.read()

    def push(self, folder: Path, owned: re.Pattern[str] = OWN_FILES, base: str | None = None) -> Pushed:
        """Push a folder's files in one commit, which also removes files of an earlier push that are no longer needed.

        If the hub has all files already, there is no commit. A failure before the commit changes nothing on the hub.

        Args:
            folder: The folder.
            owned: Files in the repository that are removed where the folder lacks them, beside those of an
                earlier push.
            base: The commit that the folder amends; default: the branch's present one.

        Raises:
            UserError: The hub refuses, cannot be reached after several attempts, or somebody else pushes meanwhile; or
                the tag already names another commit, or a file that no push wrote would be replaced.
        """
        with self._one_line(), bars_on_terminals_alone():
            tagged = self._tagged()
            head = base or self._head(self.target.revision)
            owned = self._with_earlier_files(folder, owned, head)
            changes = self._changes(folder, owned, head)
            if tagged is not None and (changes or tagged != head):
                raise UserError(
                    f"{self.target.name}: the tag '{self.target.tag}' already names another commit "
                    f"({tagged[:8]}); choose another ",
                    Setting("tag"),
                )
            if self.target.as_pull_request and changes:
                return self._request(folder, owned, head)
            commit = self._commit(folder, owned, head, changes) if changes else head
            if self.target.tag is not None and tagged is None:
                self._give_tag(commit)
        return Pushed(commit, bool(changes), self.target.address)

    def _commit(self, folder: Path, owned: re.Pattern[str], head: str, changes: Changes) -> str:
        """Make the commit; after a failure, ask the hub whether it was made nevertheless."""
        begun = time.monotonic()
        for wait in (*WAITS, None):
            try:
                made = self._client.create_commit(
                    **self._repository,
                    operations=changes,
                    commit_message=commit_message(folder),
                    revision=self.target.revision,
                    parent_commit=head,
                )
                return made.oid
            except HUB_ERRORS as error:
                now = with_retries(lambda: self._head(self.target.revision))
                if now != head:
                    return self._commit_of_mine(folder, owned, now)
                _give_up_on(error, wait, begun)
            changes = self._changes(folder, owned, head)  # the client accepts each operation object only once
        raise AssertionError("the last attempt returns or raises")

    def _commit_of_mine(self, folder: Path, owned: re.Pattern[str], now: str) -> str:
        if self._changes(folder, owned, now):
            raise UserError(
                f"{self.target.name}: somebody else pushed meanwhile ({now[:8]}); look at it, and push again"
            )
        return now

    def _request(self, folder: Path, owned: re.Pattern[str], head: str) -> Pushed:
        """Open a pull request, unless one with these files is open; after a failure, look whether it was opened."""
        begun, new = time.monotonic(), False
        for wait in (*WAITS, None):
            if (found := self._open_request(folder, owned, new)) is not None:
                return found
            try:
                made = self._client.create_commit(
                    **self._repository,
                    operations=self._changes(folder, owned, head),
                    commit_message=commit_message(folder),
                    parent_commit=head,
                    create_pr=True,
                )
                assert made.pr_url is not None
                return Pushed(made.oid, True, made.pr_url)
            except HUB_ERRORS as error:
                _give_up_on(error, wait, begun)
                new = True
        raise AssertionError("the last attempt returns or raises")

    def _open_request(self, folder: Path, owned: re.Pattern[str], new: bool) -> Pushed | None:
        """Return an open pull request that has all files of the folder."""
        asked = with_retries(
            lambda: list(
                self._client.get_repo_discussions(
                    **self._repository, discussion_type="pull_request", discussion_status="open"
                )
            )
        )
        for each in asked:
            if each.title == commit_message(folder) and each.git_reference is not None:
                commit = self._head(each.git_reference)
                if not self._changes(folder, owned, commit):
                    return Pushed(commit, new, each.url)
        return None

    def _changes(self, folder: Path, owned: re.Pattern[str], commit: str) -> Changes:
        """Return the changes that turn a commit into this folder."""
        return changes_between(folder, self._tree(commit), owned)

    def _with_earlier_files(self, folder: Path, owned: re.Pattern[str], commit: str) -> re.Pattern[str]:
        """Add the files of an earlier push to those that a push may always remove; refuse to replace others."""
        tree = self._tree(commit)
        if self.target.kind == "model" and not any(RESULT_FILES.fullmatch(entry.path) for entry in tree):
            return owned
        return owned_files(folder, tree, self.card_at(commit), owned, self.target)

    def _tree(self, commit: str) -> list[RepoFile | RepoFolder]:
        return with_retries(
            lambda: list(self._client.list_repo_tree(**self._repository, recursive=True, revision=commit))
        )

    def _head(self, revision: str) -> str:
        info = with_retries(lambda: self._client.repo_info(**self._repository, revision=revision))
        assert info.sha is not None
        return info.sha

    def _tagged(self) -> str | None:
        """Return the commit that has the tag; null if there is none, or no tag is wanted."""
        if self.target.tag is None:
            return None
        tags = with_retries(lambda: self._client.list_repo_refs(**self._repository)).tags
        return next((tag.target_commit for tag in tags if tag.name == self.target.tag), None)

    def _give_tag(self, commit: str) -> None:
        """Tag the commit; it is no failure if an earlier attempt has already tagged it."""
        tag = str(self.target.tag)
        try:
            with_retries(lambda: self._client.create_tag(**self._repository, tag=tag, revision=commit))
        except HUB_ERRORS as error:
            if self._tagged() != commit:
                raise UserError(
                    f"{self.target.name}: pushed (commit {commit}), but not tagged '{tag}' ({reason(error)}); "
                    "push again to add the tag"
                ) from error

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Report failures of the hub as one-line errors."""
        try:
            yield
        except HUB_ERRORS as error:
            line = failure(error, self.target.name, "not pushed", self.target.revision)
            answered = http_error(error)
            if answered is not None and answered.response.status_code == FORBIDDEN and not self.target.as_pull_request:
                raise UserError(line, "; or open a pull request, with ", Setting("as_pull_request", True)) from error
            raise UserError(line) from error


def _give_up_on(error: Exception, wait: float | None, begun: float) -> None:
    """Raise an error that does not pass, or that has lasted too long; else wait."""
    if wait is None or not is_transient(error) or time.monotonic() - begun > PATIENCE:
        raise error
    pause_after(error, wait)
