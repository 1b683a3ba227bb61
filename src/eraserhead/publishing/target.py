"""Where something is pushed, and what became of it."""

import re
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from eraserhead.errors import Setting, UserError
from eraserhead.remote.failures import reason

MAIN = "main"
REFERENCE = re.compile(r"(?!.*(\.\.|//|\.lock$|[./]$))[\w][\w./-]*", re.ASCII)


@dataclass(frozen=True)
class Target:
    """Where a model or a data set is pushed.

    Attributes:
        repository: Name on the hub.
        private: Whether a new repository is private.
        revision: Branch; created from the main branch if it does not exist.
        tag: Tag for the commit, if any.
        kind: Kind of the repository.
        as_pull_request: Whether a pull request is opened, rather than a commit made on the branch.
    """

    repository: str
    private: bool = False
    revision: str = MAIN
    tag: str | None = None
    kind: Literal["model", "dataset"] = "model"
    as_pull_request: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.repository if self.kind == "model" else f"datasets/{self.repository}"

    @property
    def address(self) -> str:
        """Where to look at it."""
        return f"{constants.ENDPOINT}/{self.name}"


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        commit: The commit that contains the pushed files; null after a dry run.
        new: Whether the commit is new; otherwise the hub already had all files.
        address: Where to look at it; of a pull request, its page.
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
    if target.as_pull_request and pushed.address != target.address:
        return (
            f"{'opened' if pushed.new else 'already open:'} the pull request {pushed.address} (commit {pushed.commit})"
        )
    done = "pushed to" if pushed.new else "unchanged at"
    where = f", branch {target.revision}" if target.revision != MAIN else ""
    return f"{done} {pushed.address} (commit {pushed.commit}{where}{f', tag {target.tag}' if target.tag else ''})"
