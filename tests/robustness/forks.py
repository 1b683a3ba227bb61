"""Commands in forks of an interpreter that has imported everything: killed on purpose, or on too small a disk."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# A fork runs one command. It may be killed at a time, or at an event: opening, renaming or removing a file of the job's
# folder. Its output goes through a pipe, since no limit on the size of files holds for that.
SERVER = """
import importlib, json, os, resource, select, signal, sys, time
for name in sys.argv[1].split(","):
    importlib.import_module(name)
from eraserhead.cli.main import main

WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "os.truncate")

def watch(job, seen):
    def hook(event, arguments):
        if event in WATCHED and str(arguments[0]).startswith(job["folder"]):
            seen[0] += 1
            if seen[0] == job["kill_at"] or (job["kill_on"] and job["kill_on"] in str(arguments[0])):
                os.kill(os.getpid(), job["signal"])
    sys.addaudithook(hook)

def run(job, out):
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.stdout, sys.stderr = (open(stream, "w", closefd=False) for stream in (1, 2))
    os.environ.update(job["environment"])
    sys.modules["datasets"].config.HF_DATASETS_CACHE = os.environ["HF_DATASETS_CACHE"]  # which it read when imported
    # Or all forks would give the same name to what `datasets` cannot hash because a signal interrupts it.
    sys.modules["datasets.fingerprint"].fingerprint_rng.seed()
    seen = [0]
    watch(job, seen)
    if job["largest"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest"],) * 2)
    code = main(job["arguments"])
    print(f"\\x1eevents {seen[0]}\\x1e", flush=True)
    return code

def start(job):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(read)
            code = run(job, write)
        except SystemExit as end:
            code = end.code or 0
        except KeyboardInterrupt:  # before or after the command itself
            code = 130
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.close(write)
    return child, read

def ended(jobs):
    started = [start(job) for job in jobs]
    begun, said = time.monotonic(), {read: b"" for _, read in started}
    kills = {child: job["kill_after"] for (child, _), job in zip(started, jobs) if job["kill_after"] is not None}
    numbers = {child: job["signal"] for (child, _), job in zip(started, jobs)}
    open_ones = [read for _, read in started]
    while open_ones:
        now = time.monotonic() - begun
        for child, after in list(kills.items()):
            if now >= after:
                os.kill(child, numbers[child])
                del kills[child]
        wait = min([after - now for after in kills.values()], default=60)
        for read in select.select(open_ones, [], [], max(wait, 0))[0]:
            content = os.read(read, 1 << 16)
            said[read] += content
            if not content:
                open_ones.remove(read)
                child = next(child for child, own in started if own == read)
                kills.pop(child, None)
                os.close(read)
    return [(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said[read].decode()) for child, read in started]

for line in sys.stdin:
    print(json.dumps(ended(json.loads(line))), flush=True)
"""
IMPORTED = ("eraserhead.cli.erase", "eraserhead.cli.train", "transformers.models.bert.modeling_bert")


@dataclass(frozen=True)
class Job:
    """A command of the command line.

    Attributes:
        arguments: Its arguments.
        folder: The folder in which events are counted.
        kill_at: Number of the event at which it is killed.
        kill_on: Part of a path, at whose first event it is killed.
        kill_after: Seconds after which it is killed.
        signal: The signal that kills it.
        largest: Bytes that no file may exceed.
        environment: Environment variables that it gets.
    """

    arguments: list[str]
    folder: str
    kill_at: int | None = None
    kill_on: str | None = None
    kill_after: float | None = None
    signal: int = 9
    largest: int | None = None
    environment: dict[str, str] | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: Its exit code; a negative one is the signal that killed it.
        said: All that it printed.
    """

    code: int
    said: str

    @property
    def events(self) -> int:
        """Events until the end of a command that was not killed."""
        return int(self.said.rpartition("\x1eevents ")[2].partition("\x1e")[0])

    @property
    def crashed(self) -> bool:
        """Whether it printed a traceback, other than of a signal that came while an object was being deleted."""
        return "Traceback" in self.said and "Exception ignored in" not in self.said

    @property
    def error(self) -> str | None:
        """The line of an error; null without one."""
        return next((line for line in self.said.splitlines() if line.startswith("eraserhead: error: ")), None)


class Forks:
    """An interpreter whose forks run commands."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it."""
        command = [sys.executable, "-c", SERVER, ",".join(IMPORTED)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, *jobs: Job) -> list[Ended]:
        """Run commands at the same time."""
        described = [{**vars(job), "environment": job.environment or {}} for job in jobs]
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(described) + "\n")
        self.process.stdin.flush()
        return [Ended(*ended) for ended in json.loads(self.process.stdout.readline())]

    def close(self) -> None:
        """End it."""
        self.process.communicate()


def content(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in a folder, by name."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
