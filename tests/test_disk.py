"""A disk that is full or broken is an `OSError` with a number and a path, whatever a library raises."""

import errno
import resource
from contextlib import contextmanager

import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from eraserhead.cli import main as command_line
from eraserhead.disk import disk_failure, disk_failures
from eraserhead.errors import UserError
from eraserhead.files import moving_into, replacing
from eraserhead.parquet import write_parquet
from tiny import tiny_tokenizer

WRITERS = {
    "text": lambda path: path.write_text("x" * 10_000),
    "torch": lambda path: torch.save(nn.Linear(100, 100).state_dict(), path),
    "torch, little": lambda path: torch.save(torch.ones(1), path),
    "safetensors": lambda path: save_file({"a": torch.ones(1000)}, path),
    "parquet": lambda path: write_parquet(path, pa.table({"a": list(range(5000))})),
    "tokenizer": lambda path: tiny_tokenizer().save_pretrained(path),
}


@contextmanager
def smaller_than(size: int):
    """Let no file of this process grow beyond some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_file_that_cannot_grow_is_said_with_its_number_and_leaves_nothing(tmp_path, write):
    (tmp_path / "file").write_text("old")
    replaced = replacing(tmp_path / "file")
    with smaller_than(300), pytest.raises(OSError, match="File too large") as failed, replaced as unfinished:
        write(unfinished)
    assert failed.value.errno == errno.EFBIG
    assert str(failed.value.filename).startswith(str(tmp_path / "file.unfinished"))
    with smaller_than(300), pytest.raises(OSError, match="File too large"), moving_into(tmp_path, "file") as unfinished:
        write(unfinished / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.EIO, "Input/output error"), errno.EIO),
        (Exception("No space left on device (os error 28)"), errno.ENOSPC),
        (OSError("Error writing bytes. Detail: [errno 27] File too large"), errno.EFBIG),
        (PermissionError(errno.EACCES, "Permission denied"), None),
        (RuntimeError("the size of tensor a (28) differs"), None),
        (UserError("damaged (os error 5)"), None),
    ],
    ids=str,
)
def test_which_errors_are_the_disks(error, number):
    wrapped = RuntimeError("while saving")
    wrapped.__cause__ = error
    for each in (error, wrapped) if number else (error,):
        found = disk_failure(each)
        assert (None if found is None else found.errno) == number


def test_what_is_no_fault_of_the_disk_passes_as_it_is(tmp_path):
    for error in (RuntimeError("iostream of ideas"), FileNotFoundError(2, "No such file", "x"), ValueError("7")):
        with pytest.raises(type(error)) as passed, disk_failures(tmp_path):
            raise error
        assert passed.value is error


@pytest.mark.parametrize("error", [Exception("File too large (os error 27)"), OSError(27, "File too large", "x")])
def test_the_command_line_says_it_in_one_line(monkeypatch, capfd, error):
    def fail(arguments):
        raise error

    monkeypatch.setattr(command_line, "_dispatch", fail)
    assert command_line.main(["erase"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("eraserhead: error: File too large")
    assert said.endswith("; finished work is kept: mend that and run the same command again\n")
    assert said.count("\n") == 1
