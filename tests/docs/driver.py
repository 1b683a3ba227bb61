"""Runs the steps of one page in one process, for each start of Python costs seconds; stops at the first that fails."""

import json
import runpy
import subprocess
import sys

from eraserhead.cli.main import main


def run(where: str, kind: str, content) -> None:
    """Run one step; leaves the process where it fails."""
    print(f"--- {where} {kind}: {content}", file=sys.stderr, flush=True)
    if kind == "eraserhead":
        code = main(content)
    elif kind == "script":
        sys.argv = content
        runpy.run_path(content[0], run_name="__main__")
        code = 0
    elif kind == "python":
        exec(compile(content, where, "exec"), {"__name__": "__main__"})
        code = 0
    else:
        code = subprocess.run(["bash", "-c", content], check=False).returncode
    if code:
        sys.exit(f"{where}: ends with {code}")


for step in json.loads(sys.argv[1]):
    run(*step)
