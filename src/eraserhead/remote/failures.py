"""Errors of the hub: which are retried, and the one-line messages of the others, with secrets redacted."""

import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TypeVar, cast

from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from eraserhead.errors import causes
from eraserhead.secrets import redacted

# The hub client's errors inherit from those of its HTTP library, which differs between versions.
HTTP_ERROR = cast(type[Exception], next(kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"))
# What the client raises: its own errors, those of the HTTP library, ValueError and RuntimeError.
HUB_ERRORS: tuple[type[Exception], ...] = (HTTP_ERROR, OSError, ValueError, RuntimeError)
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
UNREACHABLE = ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol")  # already retried by the client
CUT_SHORT = "Consistency check failed"  # the client's message about a file of the wrong size
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each further attempt
LONGEST_WAIT = 60.0  # seconds: longer waits that the hub asks for with Retry-After are cut to this
PATIENCE = 90.0  # seconds after which nothing is retried: the client itself retries some requests
LONGEST_REASON = 240
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"

Answer = TypeVar("Answer")
logger = logging.getLogger("eraserhead")


def with_retries(ask: Callable[[], Answer], sleep: Callable[[float], None] = time.sleep) -> Answer:
    """Return what `ask` returns; retry after a wait where the hub answers 429 or 5xx, or the connection drops.

    The hub's Retry-After sets the wait where it is sent. Any other error is raised at once.
    """
    begun = time.monotonic()
    for wait in WAITS:
        try:
            return ask()
        except HUB_ERRORS as error:
            if not is_transient(error) or time.monotonic() - begun > PATIENCE:
                raise
            pause_after(error, wait, sleep)
    return ask()


def pause_after(error: BaseException, wait: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Log what failed, and wait as long as the hub's Retry-After says, else `wait` seconds."""
    asked = retry_after(error)
    pause = min(wait if asked is None else asked, LONGEST_WAIT)
    logger.info(f"{reason(error)}; trying again in {pause:.3g} s")
    sleep(pause)


def is_transient(error: BaseException) -> bool:
    """Tell whether a failure may pass: the hub is busy or out of order, or the connection broke."""
    answered = http_error(error)
    if answered is not None:
        return answered.response.status_code in TRANSIENT
    chain = list(causes(error))
    if any(isinstance(each, (OfflineModeIsEnabled, HFValidationError)) for each in chain):
        return False
    if any(type(each).__name__ in UNREACHABLE for each in chain):
        return False
    return any(isinstance(each, HTTP_ERROR) or CUT_SHORT in str(each) for each in chain)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds of the hub's Retry-After, a number or a date (RFC 9110); None without one."""
    answered = http_error(error)
    asked = "" if answered is None else answered.response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max(0.0, until.replace(tzinfo=until.tzinfo or UTC).timestamp() - time.time())


def http_error(error: BaseException) -> HfHubHTTPError | None:
    """Return the hub's HTTP error among the causes of an error; None where there is none."""
    return next((each for each in causes(error) if isinstance(each, HfHubHTTPError)), None)


def failure(
    error: BaseException,
    name: str,
    wanted: str = "no such folder here, nor in the local cache",
    revision: str | None = None,
) -> str:
    """Return one line that says why a request to the hub failed, and how to mend it.

    Args:
        error: What the hub's client raised.
        name: Name of the repository.
        wanted: Start of the message where the hub was not reached.
        revision: The requested revision.
    """
    answered = http_error(error)
    return _unanswered(error, name, wanted) if answered is None else _refused(answered, name, revision)


def _refused(answer: HfHubHTTPError, name: str, revision: str | None) -> str:
    status, why = answer.response.status_code, reason(answer)
    known, place = bool(get_token()), f"{constants.ENDPOINT}/{name}"
    closed = "the token does not open it" if known else "there is no token"
    unable = "the token has no right to do this" if known else "there is no token"
    missing = isinstance(answer, RepositoryNotFoundError) or status in (401, 404)
    lines = (
        (isinstance(answer, GatedRepoError), f"gated: ask for access at {place}, then {LOG_IN} ({status}, {closed})"),
        (
            isinstance(answer, RevisionNotFoundError),
            f"has no revision '{revision}'; those it has are at {place}",
        ),
        (isinstance(answer, RemoteEntryNotFoundError), f"lacks a file ({why})"),
        (missing, f"not on the hub, or private and {closed} ({status}, {place}); check the name, or {LOG_IN}"),
        (status == 403, f"the hub refuses (403): {unable}; {LOG_IN} as someone who has the right ({why})"),
        (status in TRANSIENT, f"the hub cannot answer now, after several attempts; try again later ({why})"),
        (True, f"the hub refuses ({why})"),
    )
    return f"{name}: {next(line for holds, line in lines if holds)}"


def reason(error: BaseException) -> str:
    """Return an error's message on one line, without tokens and request ids."""
    answered = http_error(error)
    line = " ".join(str(error if answered is None else answered).split()) or type(error).__name__
    line = redacted(re.sub(r"\(Request ID: [^)]*\)\s*", "", line))
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."


def _unanswered(error: BaseException, name: str, wanted: str) -> str:
    chain = list(causes(error))
    if any(isinstance(each, HFValidationError) for each in chain):
        return f"{name}: neither a folder here nor a valid hub id (user/name)"
    if constants.HF_HUB_OFFLINE or any(isinstance(each, OfflineModeIsEnabled) for each in chain):
        return f"{name}: {wanted}, and HF_HUB_OFFLINE forbids asking the hub; unset it, or give a folder"
    if any(isinstance(each, json.JSONDecodeError) for each in chain):
        return f"{name}: the server at {constants.ENDPOINT} is not the hub; check the network and HF_ENDPOINT"
    if any(isinstance(each, (HTTP_ERROR, LocalEntryNotFoundError)) for each in chain):
        return (
            f"{name}: {wanted}, and the hub ({constants.ENDPOINT}) cannot be reached; check the name and the network "
            f"({reason(error)})"
        )
    return f"{name}: {reason(error)}"
