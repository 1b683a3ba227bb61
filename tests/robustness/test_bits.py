"""A bit that a disk has flipped, in any file that is read again: never do other numbers come of it without a word.

What comes of it is an error of one line that names a file, or what comes without it, to the last bit. CI flips a few
(`test_sample.py`), `make thorough` a thousand over all kinds of files.
"""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robustness.forks import Ended, Forks, Job, content
from robustness.work import erasing, merging, results, run, training

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

AT_LENGTH = 125  # bits a stage


@dataclass(frozen=True)
class Stage:
    """Files as some commands leave them, and the command that reads them.

    Attributes:
        files: Patterns of the files.
        arguments: The command.
        outcome: What comes of it.
    """

    files: tuple[str, ...]
    arguments: list[str]
    outcome: Callable[[Ended], Any]


@dataclass(frozen=True)
class Stages:
    """Makes the stages in a folder, in which the caches are too."""

    forks: Forks
    place: Path

    def command(self, *arguments: object, **how: Any) -> Ended:
        """Run a command with the caches of this place."""
        caches = {"ERASERHEAD_CACHE": str(self.place / "cache"), "HF_DATASETS_CACHE": str(self.place / "datasets")}
        return self.forks.run(Job([*map(str, arguments)], str(self.place), environment=caches, **how))[0]

    def unfinished_results(self) -> Stage:
        """Shards that are continued from."""
        work, folder = erasing(self.place), self.place / "results"
        assert self.command(*work.into(folder), kill_on="documents.parquet.unfinished").code == -9
        return Stage(("results/*.json", "results/shards/*/*"), work.into(folder), lambda _: results(content(folder)))

    def finished_results(self) -> Stage:
        """Results that the same command finds complete."""
        work, folder = erasing(self.place), self.place / "results"
        self.command(*work.into(folder))
        return Stage(("results/*",), work.into(folder), lambda _: results(content(folder)))

    def shown_results(self) -> Stage:
        """Results whose summary is only shown; the tables are not looked at."""
        work, folder = erasing(self.place), self.place / "results"
        self.command(*work.into(folder))
        return Stage(
            ("results/*.json",),
            ["show", str(folder)],
            lambda ended: {"printed": ended.said.partition("\x1e")[0]},
        )

    def merged_parts(self) -> Stage:
        """Finished parts, whose tables are read."""
        work, merged = merging(self.place), self.place / "merged"
        return Stage(("part-*/*.json", "part-*/*.parquet"), work.into(merged), lambda _: results(content(merged)))

    def unfinished_run(self) -> Stage:
        """A state that training resumes from."""
        work, folder = training(self.place), self.place / "run"
        assert self.command(*work.into(folder), kill_on="files.unfinished").code == -9
        files = ("run/*.yaml", "run/*.json", "run/checkpoints/best.safetensors", "run/checkpoints/latest/*")
        return Stage(files, work.into(folder), lambda _: run(content(folder)))

    def cached_vectors(self) -> Stage:
        """Token vectors and rows that training finds in caches."""
        work, folder = training(self.place), self.place / "run"
        self.command(*work.into(folder))
        shutil.rmtree(folder)
        rows = ("datasets/eraserhead/*/rows.arrow", "datasets/eraserhead/*/digests.json")
        return Stage(("cache/vectors/*/*", *rows), work.into(folder), lambda _: run(content(folder)))

    def erased_model(self) -> Stage:
        """A finished model that is erased."""
        self.command(*training(self.place).into(self.place / "run"))
        folder = self.place / "results"
        arguments = ["erase", str(self.place / "run"), "--output_dir", str(folder), "--draws", "2", "--cpu"]
        return Stage(("run/*",), arguments, lambda _: results(content(folder)))

    def pushed_model(self) -> Stage:
        """A finished model that is published with its results."""
        model = self.place / "run"
        self.command(*training(self.place).into(model))
        self.command("erase", model, "--draws", "2", "--cpu")
        arguments = ["push", str(model), "user/model", "--dry_run"]
        return Stage(("run/*", "run/erasure/*"), arguments, lambda _: content(model / "hub"))


def flip(file: Path, chance: random.Random) -> int:
    """Flip a bit of a file; return which."""
    damaged = bytearray(file.read_bytes())
    bit = chance.randrange(8 * len(damaged))
    damaged[bit // 8] ^= 1 << bit % 8
    file.write_bytes(damaged)
    return bit


STAGES = (
    *(Stages.unfinished_results, Stages.finished_results, Stages.shown_results, Stages.merged_parts),
    *(Stages.unfinished_run, Stages.cached_vectors, Stages.erased_model, Stages.pushed_model),
)


@pytest.mark.parametrize("make", STAGES)
def test_no_flipped_bit_gives_other_numbers_without_a_word(forks, tmp_path, make):
    flip_bits(forks, tmp_path, make, AT_LENGTH)


def flip_bits(forks: Forks, folder: Path, make: Callable[[Stages], Stage], count: int) -> None:
    """Flip bits of the files of a stage, one at a time: its folder is put back as it was before each."""
    place, kept = folder / "place", folder / "kept"
    place.mkdir()
    stages = Stages(forks, place)
    stage, chance = make(stages), random.Random(count)
    shutil.copytree(place, kept)
    ended = stages.command(*stage.arguments)
    assert ended.code == 0, ended.said
    expected = stage.outcome(ended)
    files = sorted(file.relative_to(kept) for pattern in stage.files for file in kept.glob(pattern) if file.is_file())
    assert files
    refused = 0
    for number in range(count):
        shutil.rmtree(place)
        shutil.copytree(kept, place)
        file = chance.choice(files) if count < len(files) else files[number % len(files)]
        bit = flip(place / file, chance)
        ended = stages.command(*stage.arguments)
        assert not ended.crashed, (file, bit, ended.said)
        assert ended.code in (0, 2), (file, bit, ended)
        if ended.code == 2:
            assert str(place) in str(ended.error), (file, bit, ended.error)
            refused += 1
        else:
            found = stage.outcome(ended)
            assert found.keys() == expected.keys(), (file, bit)
            assert [name for name in expected if found[name] != expected[name]] == [], (file, bit, ended.said)
    print(f"{make.__name__}: {count} bits over {len(files)} files, {refused} refused, the others without effect")
