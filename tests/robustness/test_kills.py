"""Commands that are killed again and again end as undisturbed ones do, to the last bit, and leave nothing beside it.

A command is killed at an event (a file is about to be opened, renamed or removed) or at a time. CI runs `SAMPLE`, and
`make thorough` runs `AT_LENGTH`.
"""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from robustness.forks import Ended, Forks, Job
from robustness.work import Work, erasing, outcome, reproducing, training

pytestmark = pytest.mark.slow

# Exit codes after a signal: of the command, and of its process before and after it.
SIGNALS = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGTERM: (143, -signal.SIGTERM), signal.SIGINT: (2, 130)}
SAMPLE = [(erasing, 6)]
AT_LENGTH = [(erasing, 500), (training, 100), (reproducing, 30)]
TWO_PROCESSES, LONGEST_SEQUENCE = 30, 5


def kill(forks: Forks, work: Work, output: Path, cache: Path, seed: int, count: int) -> int:
    """Run a command into new folders, killed up to `LONGEST_SEQUENCE` times in each; return how often it was killed."""
    place, chance, killed = output.parent, random.Random(seed), 0
    environment = {"ERASERHEAD_CACHE": str(cache)}

    def job(**how) -> Job:
        return Job(work.into(output), str(place), environment=environment, **how)

    def fresh() -> None:
        for folder in (output, cache):
            shutil.rmtree(folder, ignore_errors=True)

    fresh()
    whole = succeeded(forks.run(job())[0])
    fresh()
    begun = time.monotonic()
    whole = succeeded(forks.run(job())[0])  # with what data sets have cached
    seconds, expected = time.monotonic() - begun, outcome(work, output)
    while killed < count:
        fresh()
        sequence = []
        while len(sequence) < LONGEST_SEQUENCE and killed < count:
            number = chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            at = {"kill_at": chance.randint(1, whole.events)}
            how = chance.choice([at, {"kill_after": seconds * chance.random()}])
            ended = forks.run(job(**how, signal=int(number)))[0]
            sequence.append((number, how, ended.code))
            assert ended.code in (0, *SIGNALS[number]), (sequence, ended.said)
            assert "Traceback" not in ended.said, (sequence, ended.said)
            killed += number == signal.SIGKILL and ended.code != 0
            if ended.code == 0:
                break
        again = forks.run(job())[0]
        assert again.code == 0, (sequence, again.said)
        found = outcome(work, output)
        assert [name for name in expected if found.get(name) != expected[name]] == [], sequence
        assert not list(cache.rglob("*unfinished*")), sequence
        print(f"{killed} kills", flush=True)
    return killed


def succeeded(ended: Ended) -> Ended:
    assert ended.code == 0, ended.said
    return ended


@pytest.mark.parametrize(
    ("kind", "count"), [*SAMPLE, *(pytest.param(*row, marks=pytest.mark.thorough) for row in AT_LENGTH)]
)
def test_killed_commands_end_as_undisturbed_ones(forks, place, kind, count):
    place = place / f"{kind.__name__}-{count}"
    place.mkdir()
    assert kill(forks, kind(place), place / "output", place / "cache", seed=count, count=count) == count


@pytest.mark.parametrize("count", [1, pytest.param(TWO_PROCESSES, marks=pytest.mark.thorough)])
def test_one_of_two_processes_in_a_folder_is_refused_and_either_may_be_killed(forks, place, count):
    place = place / f"two-{count}"
    place.mkdir()
    work, output, chance, killed = erasing(place), place / "output", random.Random(7), 0
    whole = succeeded(forks.run(Job(work.into(output), str(place)))[0])
    expected = outcome(work, output)
    refused = 0
    while killed < count:
        shutil.rmtree(output)
        one = Job(work.into(output), str(place), kill_at=chance.randint(1, whole.events))
        other = Job(work.into(output), str(place))
        ended = forks.run(*chance.sample([one, other], 2))
        for each in ended:
            assert each.code in (0, 2, -9), each.said
            assert "Traceback" not in each.said, each.said
            assert each.code != 2 or "another process is writing here (process" in str(each.error), each.said
        killed += any(each.code == -9 for each in ended)
        refused += any(each.code == 2 for each in ended)
        succeeded(forks.run(Job(work.into(output), str(place)))[0])
        assert outcome(work, output) == expected
    assert refused
