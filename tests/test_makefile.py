"""What `make` promises, without running it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def make(*arguments: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_clean_leaves_the_users_runs():
    assert not re.search(r"\bruns\b", make("--dry-run", "clean"))


def test_help_lists_every_target():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\w+)\s+\S", make("help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


def test_make_alone_is_help():
    assert make("--dry-run") == make("--dry-run", "help")
