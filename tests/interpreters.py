"""Code that must run in an interpreter of its own, since imports and their order are what is tested."""

import json
import subprocess
import sys
from pathlib import Path


def fresh_interpreter(
    code: str, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def label_by_pipeline(folder: str, text: str, first: str) -> subprocess.CompletedProcess[str]:
    """Print the label that transformers' pipeline gives `text`, with `first` of the two packages imported first."""
    second = "eraserhead" if first == "transformers" else "transformers"
    return fresh_interpreter(
        f"import {first}, {second}; from transformers import pipeline; "
        f"print(pipeline('text-classification', model={folder!r})({text!r})[0]['label'])"
    )


# Reads jobs, one JSON object a line; runs each in a fork, where what the imports kept of the environment is replaced.
SERVER = """
import importlib, json, os, pathlib, sys, traceback
for name in sys.argv[1].split(","):
    importlib.import_module(name)

def replace(module, changes):
    for name, value in list(vars(module).items()):
        if issubclass(type(value), (str, pathlib.Path)):  # some objects warn when they are asked for their class
            for old, new in changes.items():
                if str(value).startswith(old):
                    setattr(module, name, type(value)(new + str(value)[len(old):]))

def run(job):
    for stream, path in ((1, job["out"]), (2, job["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    for module in list(sys.modules.values()):
        replace(module, job["changes"])
    sys.argv = ["-c", *job["arguments"]]
    exec(compile(job["code"], "<string>", "exec"), {"__name__": "__main__"})

for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 1
        try:
            run(json.loads(line))
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
HEAVY = (
    *("torch", "transformers", "transformers.pipelines", "datasets", "accelerate", "matplotlib.pyplot", "rich.console"),
    *("eraserhead.cli.main", "eraserhead.erasure.api", "eraserhead.training.training"),
    *("eraserhead.explanation.api", "eraserhead.publishing.publisher", "eraserhead.showing.figures"),
)
FROM_THE_ENVIRONMENT = ("HF_HOME", "HF_ENDPOINT")  # what libraries keep from when they are imported


class WarmInterpreter:
    """A process that has imported what takes seconds, and runs code in forks of itself.

    Each fork has an environment of its own, as far as variables are read when they are needed, or are those that
    libraries read when they are imported, `FROM_THE_ENVIRONMENT`.
    """

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        """Start it in `environment`; `folder` is for its own use."""
        self.started_in, self.folder, self.jobs = environment, folder, 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, ",".join(HEAVY)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "WarmInterpreter":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.communicate()

    def run(
        self, code: str, *arguments: str, environment: dict[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run code as `python -c` does."""
        self.jobs += 1
        out, err = (self.folder / f"{self.jobs}.{name}" for name in ("out", "err"))
        job = {
            "code": code,
            "arguments": arguments,
            "environment": environment,
            "changes": {self.started_in[name]: environment[name] for name in FROM_THE_ENVIRONMENT},
            "folder": str(folder or Path.cwd()),
            "out": str(out),
            "err": str(err),
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        ended = self.process.stdout.readline()
        return subprocess.CompletedProcess(arguments, int(ended), out.read_text(), err.read_text())
