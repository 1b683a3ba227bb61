"""Somebody at a hub on loopback, with a token and a cache: runs commands of the command line, and Python."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hub_server import Hub
from interpreters import WarmInterpreter

# Commands one after another in one process, for each start costs seconds; the mark tells their output apart. Whoever
# tries again does so soon.
DRIVER = """
import json, sys
from eraserhead.cli.main import main
from eraserhead.remote import failures
failures.LONGEST_WAIT = 0.05
for arguments in json.loads(sys.argv[1]):
    code = main(arguments)
    for stream in (sys.stdout, sys.stderr):
        print(f"\\x1e{code}\\x1e", file=stream, flush=True)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that says why it failed."""
        assert self.code == 2, self
        lines = [line for line in self.err.splitlines() if line.startswith("eraserhead: error: ")]
        assert len(lines) == 1, self
        assert "Traceback" not in self.err
        return lines[0]


class Client:
    """Somebody with a token, or without one, and a cache of their own."""

    def __init__(self, hub: Hub, home: Path, token: str | None, warm: WarmInterpreter | None = None) -> None:
        """Someone whose processes are those of `warm` where these will do."""
        self.hub, self.home, self.token, self.warm = hub, home, token, warm
        self.environment = hub.environment(home, token)

    def run(self, *commands: list[object], **environment: str) -> list[Ended]:
        """Run commands of the command line in one process."""
        arguments = json.dumps([[str(argument) for argument in command] for command in commands])
        done = self.python(DRIVER, arguments, **environment)
        outs, errs = (re.split("\x1e(\\d+)\x1e\n", stream) for stream in (done.stdout, done.stderr))
        assert len(outs) == len(errs) == 2 * len(commands) + 1, done
        return [Ended(int(code), out, err) for out, err, code in zip(outs[:-1:2], errs[:-1:2], outs[1::2], strict=True)]

    def python(self, code: str, *arguments: str, executable: str = sys.executable, **environment: str):
        """Run Python code; neither it nor anything else may show a token."""
        if self.warm is not None and executable == sys.executable and not environment:
            done = self.warm.run(code, *arguments, environment=self.environment)
        else:
            done = subprocess.run(
                [executable, "-c", code, *arguments],
                check=False,
                env=self.environment | environment,
                capture_output=True,
                text=True,
                timeout=500,
            )
        for token in (self.hub.write_token, self.hub.read_token):
            assert token not in done.stdout + done.stderr
        return done

    @property
    def blobs(self) -> list[Path]:
        """What this client's cache keeps of large and small files."""
        return [path for path in (self.home / "hub").glob("*/blobs/*") if path.is_file()]
