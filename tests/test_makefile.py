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
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_clean_leaves_the_users_runs():
    assert not re.search(r"\bruns\b", make("--dry-run", "clean"))


def test_help_lists_every_target():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^make (\w+)\s+\S", make("help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony.split())


def test_make_alone_is_help():
    assert make("--dry-run") == make("--dry-run", "help")


@pytest.mark.parametrize("target", ["demo", "dev"])
def test_what_takes_a_minute_without_a_word_is_said_before(target):
    said = make("--dry-run", "--always-make", f".venv/{target}").splitlines()
    assert re.match(r'echo "installing .* \(about .* minutes?\)"', said[0])
    assert "pip install" in said[2]
