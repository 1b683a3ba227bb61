"""Commands that are killed again and again end as undisturbed ones do, to the last bit, and leave nothing beside it.

A command is killed at an event (a file is about to be opened, renamed or removed) or at a time. CI kills a few, in
`test_sample.py`. A command that shall be killed too is one more row of `AT_LENGTH`.
"""

import random
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from robustness.forks import Ended, Forks, Job
from robustness.work import Work, erasing, merging, outcome, reproducing, training

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

# Exit codes after a signal: of the command, and of its process before and after it.
SIGNALS = {signal.SIGKILL: (-signal.SIGKILL,), signal.SIGTERM: (143, -signal.SIGTERM), signal.SIGINT: (2, 130)}
AT_LENGTH = [(erasing, 500), (training, 100), (reproducing, 30), (merging, 30)]
OF_TWO_PROCESSES, LONGEST_SEQUENCE = 30, 5


@pytest.mark.parametrize(("kind", "count"), AT_LENGTH)
def test_killed_commands_end_as_undisturbed_ones(forks, tmp_path, kind, count):
    kill(forks, kind(tmp_path), tmp_path, count)


def test_one_of_two_processes_in_a_folder_is_refused_and_either_may_be_killed(forks, tmp_path):
    kill_one_of_two(forks, erasing(tmp_path), tmp_path, OF_TWO_PROCESSES)


def kill(forks: Forks, work: Work, place: Path, count: int) -> None:
    """Run a command into new folders, killed up to `LONGEST_SEQUENCE` times in each, until it was so often enough."""
    output, cache, chance, killed = place / "output", place / "cache", random.Random(count), 0
    environment = {"ERASERHEAD_CACHE": str(cache), "HF_DATASETS_CACHE": str(place / "datasets")}

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
            assert not ended.crashed, (sequence, ended.said)
            killed += number == signal.SIGKILL and ended.code != 0
            if ended.code == 0:
                break
        again = forks.run(job())[0]
        assert again.code == 0, (sequence, again.said)
        found = outcome(work, output)
        assert [name for name in expected if found.get(name) != expected[name]] == [], sequence
        assert not list(cache.rglob("*unfinished*")), sequence
        print(f"{killed} kills", flush=True)


def succeeded(ended: Ended) -> Ended:
    assert ended.code == 0, ended.said
    return ended


def kill_one_of_two(forks: Forks, work: Work, place: Path, count: int) -> None:
    """Run a command twice at the same time in one folder, and kill one of the two, until that was done often enough."""
    output, chance, killed, refused = place / "output", random.Random(count), 0, 0
    environment = {"ERASERHEAD_CACHE": str(place / "cache"), "HF_DATASETS_CACHE": str(place / "datasets")}
    undisturbed = Job(work.into(output), str(place), environment=environment)
    whole = succeeded(forks.run(undisturbed)[0])
    expected = outcome(work, output)
    while killed < count:
        shutil.rmtree(output)
        one = replace(undisturbed, kill_at=chance.randint(1, whole.events))
        ended = forks.run(*chance.sample([one, undisturbed], 2))
        for each in ended:
            assert each.code in (0, 2, -9), each.said
            assert not each.crashed, each.said
            assert each.code != 2 or "another process is writing here" in str(each.error), each.said
        killed += any(each.code == -9 for each in ended)
        refused += any(each.code == 2 for each in ended)
        succeeded(forks.run(undisturbed)[0])
        assert outcome(work, output) == expected
    assert refused or count == 1
    print(f"one of two: {killed} kills, refused {refused} times")
