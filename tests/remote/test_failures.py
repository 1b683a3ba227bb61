"""How failures of the hub are told apart, tokens that stay hidden, and files that are not what they should be."""

import hashlib
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

from eraserhead.cli.main import main
from eraserhead.errors import UserError
from eraserhead.remote import failures
from eraserhead.remote.downloads import evict_damaged, locate_model
from eraserhead.remote.failures import HTTP_ERROR, failure, is_transient, pause_after, retry_after, with_retries
from eraserhead.secrets import redacted, secrets

TOKEN = "hf_" + "xY7" * 11 + "z"


class ReadError(HTTP_ERROR):
    """As the HTTP library calls a connection that breaks."""


class ConnectError(HTTP_ERROR):
    """As it calls one that does not come about, which the client has tried often enough."""


def fails(times: int, error: Exception):
    """Return something that fails so many times, and a list of its calls."""
    calls: list[int] = []

    def ask() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "answer"

    return ask, calls


def test_broken_connections_are_tried_again_with_longer_and_longer_waits():
    ask, calls = fails(3, ReadError("gone"))
    waits: list[float] = []
    assert with_retries(ask, waits.append) == "answer"
    assert (len(calls), waits) == (4, [1.0, 2.0, 4.0])
    ask, calls = fails(9, ReadError("gone"))
    with pytest.raises(ReadError):
        with_retries(ask, waits.append)
    assert len(calls) == 5


@pytest.mark.parametrize(
    "error", [ConnectError("no"), OfflineModeIsEnabled("off"), HFValidationError("no name"), ValueError("else")]
)
def test_what_will_not_pass_is_raised_at_once(error):
    ask, calls = fails(1, error)
    waits: list[float] = []
    with pytest.raises(type(error)):
        with_retries(ask, waits.append)
    assert (len(calls), waits) == (1, [])


def test_the_cause_behind_an_error_decides(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    error = OSError("could not load")
    assert not is_transient(error)
    error.__cause__ = ReadError("gone")
    assert is_transient(error)
    assert failure(error, "user/x").startswith("user/x: no such folder here, nor in the local cache, and the hub (")


def test_tokens_and_secrets_are_hidden(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-token-of-mine")
    monkeypatch.setenv("MY_API_KEY", "a-key-of-mine")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    assert secrets() == ["a-token-of-mine", "a-key-of-mine"]
    text = f"Bearer a-token-of-mine, a-key-of-mine, {TOKEN}; false is no secret"
    assert redacted(text) == "Bearer [hidden], [hidden], [hidden]; false is no secret"


def test_no_token_is_printed_or_logged(monkeypatch, capfd):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["erase", TOKEN, "--data.name", "planted", "--output_dir", TOKEN]) == 2
    logging.getLogger("eraserhead").info("with %s", TOKEN)
    logging.getLogger("transformers").error(f"with {TOKEN}")
    out, err = capfd.readouterr()
    assert TOKEN not in out + err
    assert "[hidden]" in err


def test_damaged_files_of_the_cache_are_removed_and_no_others(tmp_path):
    content = b"weights" * 1000
    name = hashlib.sha256(content).hexdigest()
    snapshot, blobs = tmp_path / "snapshots" / "commit", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    stored = {"whole": (name, content), "flipped": (f"{name[:-1]}{'0' if name[-1] != '0' else '1'}", content),
              "small": ("0" * 40, b"{}")}  # fmt: skip
    for file, (blob, held) in stored.items():
        (blobs / blob).write_bytes(held)
        (snapshot / file).symlink_to(blobs / blob)
    (snapshot / name).write_bytes(b"a file of its own, whatever it is called")
    assert evict_damaged(sorted(snapshot.iterdir())) == ["flipped"]
    assert {path.name for path in snapshot.iterdir()} == {"whole", "small", name}
    assert {path.name for path in blobs.iterdir()} == {name, "0" * 40}


def test_folders_are_their_own_place_and_have_no_revisions(tmp_path):
    assert locate_model(str(tmp_path)).commit is None
    with pytest.raises(UserError, match="revision='v1': belongs to the hub"):
        locate_model(str(tmp_path), "v1")


def answered(retry_after: str) -> HfHubHTTPError:
    """An answer of the hub that asks for a wait."""
    response: Any = SimpleNamespace(status_code=429, headers={"Retry-After": retry_after}, request=None)
    return HfHubHTTPError("busy", response=response)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("Wed, 21 Oct 2015 07:28:13 GMT", 13.0),
        ("Wed, 21 Oct 2015 09:28:13 +0200", 13.0),
        ("Wed, 21 Oct 2015 07:27:59 GMT", 0.0),  # gone by
        ("soon", None),
        ("", None),
        ("-3", None),
    ],
)
def test_the_hub_says_how_long_to_wait_as_a_number_or_as_a_date(monkeypatch, header, seconds):
    """At 07:28:00 GMT on that day, a Wednesday."""
    monkeypatch.setattr(failures.time, "time", lambda: 1445412480.0)
    assert retry_after(answered(header)) == seconds
    waits: list[float] = []
    pause_after(answered(header), 7.0, waits.append)
    assert waits == [7.0 if seconds is None else seconds]
