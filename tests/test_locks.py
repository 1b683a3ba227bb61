"""One process at a time writes into a folder, whatever became of the one before."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from eraserhead.errors import UserError
from eraserhead.locks import LOCK, LockedError, holding, locked

HOLD = """
import os, sys, time
from pathlib import Path
from eraserhead.locks import locked
with locked(Path(sys.argv[1])):
    child = os.fork() if len(sys.argv) > 2 else 0
    if child or len(sys.argv) == 2:
        print("held", child, flush=True)
    time.sleep(60)
"""


def other_process(folder, *arguments) -> tuple[subprocess.Popen, int]:
    """Start a process that holds the lock of a folder; return it, and the number of its fork."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    held, child = process.stdout.readline().split()
    assert held == "held"
    return process, int(child)


def test_the_second_process_gets_one_line_and_touches_nothing(tmp_path):
    process, _ = other_process(tmp_path / "out")
    before = sorted(tmp_path.rglob("*"))
    try:
        with pytest.raises(LockedError) as refused, locked(tmp_path / "out"):
            pass
        assert str(refused.value) == (
            f"{tmp_path / 'out'}: another process is writing here (process {process.pid} on {socket.gethostname()}); "
            "wait until it has ended, or choose another output_dir"
        )
        assert sorted(tmp_path.rglob("*")) == before
    finally:
        process.kill()
        process.communicate()
    with locked(tmp_path / "out"):
        assert (tmp_path / "out" / LOCK).read_text() == f"process {os.getpid()} on {socket.gethostname()}"


def test_a_killed_process_leaves_no_lock_even_if_a_fork_of_it_lives_on(tmp_path):
    process, fork = other_process(tmp_path, "fork")
    try:
        process.kill()
        process.wait()
        with locked(tmp_path):
            pass
    finally:
        os.kill(fork, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []


def test_a_new_folder_goes_again_if_nothing_was_written_into_it(tmp_path):
    with locked(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("kept")
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_who_holds_a_lock_in_this_process_is_another_too(tmp_path):
    again = holding(tmp_path / LOCK, "first")
    with holding(tmp_path / LOCK, "first"), pytest.raises(UserError, match="first: another process is writing"), again:
        pass
