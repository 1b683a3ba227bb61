"""SIGTERM ends a command as Ctrl-C does, with its own exit code."""

import os
import signal
import time
from contextlib import suppress

import pytest

from eraserhead.cli import main as command_line
from eraserhead.cli import termination
from eraserhead.cli.termination import Terminated, termination_raises


def test_a_terminated_command_tidies_up_says_a_line_and_ends_with_143(monkeypatch, capfd):
    tidied = []

    def terminated(arguments):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)  # of a scheduler that tells every process of a job
            tidied.append(True)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(command_line, "_dispatch", terminated)
    assert command_line.main(["train"]) == 143
    assert tidied == [True]
    assert capfd.readouterr().err == (
        "eraserhead: error: terminated; finished work is kept, and the same command continues (train: with --resume)\n"
    )
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_forked_worker_ends_at_once_as_its_pool_expects():
    with termination_raises():
        worker = os.fork()
        if not worker:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                signal.pause()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGTERM
        with pytest.raises(Terminated):
            os.kill(os.getpid(), signal.SIGTERM)


def test_what_a_library_swallows_is_raised_again_by_a_later_signal(monkeypatch):
    monkeypatch.setattr(termination, "SETTLING", 0.01)
    with termination_raises():
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.02)
        with pytest.raises(Terminated):
            os.kill(os.getpid(), signal.SIGTERM)
