"""Completion, asked for in the shells themselves."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eraserhead.cli.commands import COMMANDS
from eraserhead.cli.completion import SHELLS, script
from eraserhead.cli.main import main

pytestmark = pytest.mark.slow

ASKED = {
    "eraserhead tra": ["train"],
    "eraserhead train --training.schedule ": ["linear", "plateau"],
    "eraserhead erase here --label_m": ["--label_map"],
    "eraserhead show here --deta": ["--details"],
    "eraserhead completion ": list(SHELLS),
    "eraserhead erase her": ["here.txt"],
}
BASH = """
source ./script
for COMP_LINE in "$@"; do
    COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMPREPLY=()
    _python_argcomplete eraserhead
    echo ${COMPREPLY[@]}
done
"""
FISH = "source ./script; for line in $argv; echo (complete -C $line | string split -f1 (printf '\\t')); end"
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -Uz compinit; compinit -u -d ./dump; source ./script; echo "is "ready'
zpty -r -m shell line '*is ready*'
zpty -w -n shell $'eraserhead trai\t'
zpty -r -m shell line '*train*'
zpty -w -n shell $'--cp\t'
zpty -r -m shell line '*--cpu*'
print completed
"""


@pytest.fixture
def environment(tmp_path):
    """A folder in which ``eraserhead`` is a program, with one file beside it."""
    program = tmp_path / "bin" / "eraserhead"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m eraserhead "$@"\n')
    program.chmod(0o755)
    (tmp_path / "here.txt").touch()
    return {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, filter(None, sys.path))),
        "HOME": str(tmp_path),
    }


def answers(shell: str, program: str, folder: Path, environment: dict[str, str]) -> list[str]:
    """Run a program in a shell that has sourced the script, with the lines of `ASKED` as its arguments."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (folder / "script").write_text(script(shell))
    without = {"bash": ["--norc"], "fish": ["--no-config"], "zsh": ["-f"]}[shell]
    command = [shell, *without, "-c", program, *([shell] if shell == "bash" else []), *ASKED]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_bash_completes(tmp_path, environment):
    found = answers("bash", BASH, tmp_path, environment)
    assert [sorted(line.split()) for line in found] == [sorted(words) for words in ASKED.values()]


def test_fish_completes(tmp_path, environment):
    found = answers("fish", FISH, tmp_path, environment)
    assert [sorted(line.split()) for line in found] == [sorted(words) for words in ASKED.values()]


def test_zsh_completes(tmp_path, environment):
    assert answers("zsh", ZSH, tmp_path, environment) == ["completed"]


def test_the_command_prints_the_script_of_a_shell_and_refuses_others(capsys):
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == script(shell) != ""
    assert len({script(shell) for shell in SHELLS}) == 2  # one is for bash and zsh
    for wrong in (["tcsh"], [], ["bash", "zsh"]):
        assert main(["completion", *wrong]) == 2
        line = capsys.readouterr().err
        assert line.startswith("eraserhead: error: completion: name one shell of bash, zsh, fish")
    assert "completion" not in COMMANDS
