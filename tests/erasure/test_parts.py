"""Parts that machines make by themselves, merged into what one run gives."""

import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig, MergeConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.joining import in_order
from eraserhead.erasure.merging import merge_folders
from eraserhead.erasure.parts import Part
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.erasure.shards import deal, shards_of, window
from eraserhead.erasure.work import Windows, Work
from eraserhead.errors import UserError
from labels import multi_label
from tiny import random_texts, saved_classifier

TEXTS = [*random_texts(40, seed=5), "", "   ", "good"]  # two windows of shards of 2
LABELS = ("a", "b", "c")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, texts, the results of one run in ``whole``, and three parts of them."""
    folder = tmp_path_factory.mktemp("parts")
    saved_classifier(folder, LABELS)
    rows = [{"text": text, "label": LABELS[place % 3]} for place, text in enumerate(TEXTS)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    erase_to_folder(config(folder, "whole"))
    for number in (1, 2, 3):
        erase_to_folder(config(folder, f"part-{number}", part=f"{number}/3"))
    return folder


def config(folder, output: str, **changes) -> EraseConfig:
    data = DataConfig(path=str(folder / "texts.jsonl"), max_length=12)
    settings = {"draws": 2, "shard_size": 2, "cpu": True, "data": data, **changes}
    return EraseConfig(model=str(folder / "model"), output_dir=str(folder / output), **settings)


def merged(made, output: str, *parts: str) -> ResultsFolder:
    return merge_folders(MergeConfig([str(made / part) for part in parts], str(made / output)))


def assert_same(found: ResultsFolder, expected: ResultsFolder) -> None:
    """The tables to the last byte of their files, and everything in the summary but the run."""
    for name in SCHEMAS:
        assert found.table(name).equals(expected.table(name)), name
        assert (found.path / f"{name}.parquet").read_bytes() == (expected.path / f"{name}.parquet").read_bytes()
    one, other = found.summary(), expected.summary()
    assert replace(one, run=other.run) == other


@pytest.mark.slow
def test_merged_parts_are_bit_for_bit_one_run(made):
    parts = [ResultsFolder(made / f"part-{number}") for number in (1, 2, 3)]
    counts = [part.summary().documents.total for part in parts]
    assert sorted(counts) == [14, 14, 15]
    ids = [set(part.table("documents").column("id").to_pylist()) for part in parts]
    assert len(set.union(*ids)) == len(TEXTS)
    whole = ResultsFolder(made / "whole")
    found = merged(made, "merged", "part-3", "part-1", "part-2")
    assert_same(found, whole)
    run, runs = found.summary().run, [part.summary().run for part in parts]
    assert run.seconds == pytest.approx(sum(each.seconds for each in runs))
    assert (run.parts, run.devices, run.versions) == (3, f"3 x {runs[0].devices}", runs[0].versions)
    written = (found.path / "summary.json").stat().st_mtime_ns
    merged(made, "merged", "part-1", "part-2", "part-3")
    erase_to_folder(config(made, "merged"))  # the same setup: already complete
    assert (found.path / "summary.json").stat().st_mtime_ns == written


@pytest.mark.slow
def test_parts_of_label_by_label_decisions_and_empty_parts_merge_too(tmp_path):
    """Five documents of four labels each in shards of one, and seven parts: two of them are empty."""
    model = multi_label(tmp_path)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS[:5]))
    options = {"model": model, "shard_size": 1, "target": ["all"]}
    whole = erase_to_folder(replace(config(tmp_path, "whole"), **options))
    assert len(whole.table("documents")) == 20
    for number in range(1, 8):
        erase_to_folder(replace(config(tmp_path, f"part-{number}", part=f"{number}/7"), **options))
    found = eraserhead.merge([tmp_path / f"part-{number}" for number in range(1, 8)], tmp_path / "merged")
    assert_same(ResultsFolder(tmp_path / "merged"), whole)
    assert found.summary.setup.part is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["part-1"], "missing: parts 2/3, 3/3; give every part of one analysis once"),
        (["part-1", "copy", "part-2"], "FOLDER/copy: part 1/3 again, as FOLDER/part-1; missing: part 3/3"),
        (["whole", "part-1", "part-2", "part-3"], "FOLDER/whole: whole erasure results, no part; give every part"),
        (
            ["part-1", "of-two", "seed"],
            "FOLDER/of-two: one of 2 parts, and FOLDER/part-1 is one of 3; FOLDER/seed: a part of other results than "
            "FOLDER/part-1 (different: seed); missing: parts 2/3, 3/3; give every part",
        ),
        (["part-1", "fewer", "part-3"], "the parts have 42 documents of 43; make all of them with one version"),
        (["part-1", "part-2", "nothing"], "FOLDER/nothing: no erasure results; run `erase()` first"),
        (["part-1", "part-2", "unfinished"], "FOLDER/unfinished: unfinished erasure results; run the same `erase()`"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_parts_that_do_not_make_a_whole_are_named_in_one_line(made, parts, message):
    if not (made / "copy").exists():
        shutil.copytree(made / "part-1", made / "copy")
        summary = ResultsFolder(made / "part-2").summary()
        fewer = replace(summary.documents, total=summary.documents.total - 1)
        changed = {
            "of-two": replace(summary, setup=replace(summary.setup, part="2/2")),
            "seed": replace(summary, setup=replace(summary.setup, seed=1)),
            "fewer": replace(summary, documents=fewer),
        }
        for name, content in changed.items():
            shutil.copytree(made / "part-2", made / name)
            ResultsFolder(made / name).write("summary.json", content)
        shutil.copytree(made / "part-3", made / "unfinished")
        (made / "unfinished" / "summary.json").unlink()
    with pytest.raises(UserError, match=f"^{re.escape(message.replace('FOLDER', str(made)))}"):
        merged(made, "never", *parts)
    assert not (made / "never").exists()


@pytest.mark.slow
def test_a_part_says_that_it_is_one_and_is_neither_pushed_nor_replaced(made, capsys):
    assert main(["show", str(made / "part-2")]) == 0
    said = " ".join(capsys.readouterr().out.split())  # long lines are wrapped
    assert "part 2/3 of the 43 documents, dealt by a hash of their ids: numbers and intervals are over" in said
    push = ["push", str(made / "model"), "me/model", "--dry_run", "--erasure", str(made / "part-2")]
    assert main(push) == 2
    said = capsys.readouterr().err
    assert f"{made}/part-2: part 2/3 of erasure results; `eraserhead merge` all parts, and name the merged" in said
    all_parts = [str(made / f"part-{number}") for number in (1, 2, 3)]
    assert main(["merge", *all_parts, "--output_dir", all_parts[1], "--overwrite"]) == 2
    assert f"--output_dir {all_parts[1]}: is one of the parts; choose another folder" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"different: part\); choose another output_dir"):
        erase_to_folder(config(made, "part-1", part="2/3"))


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 2, len(SCHEMAS)])
def test_a_merge_that_is_interrupted_is_made_again(made, monkeypatch, step):
    """In the first and the third table, and behind them all; nothing then counts as finished."""
    parts, steps = [f"part-{number}" for number in (1, 2, 3)], iter(range(100))

    def interrupted(self, folders, mend, keep_places=False):
        for name in SCHEMAS:
            if next(steps) == step:
                raise KeyboardInterrupt
            (self.path / f"{name}.parquet").write_bytes((folders[0] / f"{name}.parquet").read_bytes())
        raise KeyboardInterrupt

    monkeypatch.setattr(ResultsFolder, "write_tables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        merged(made, f"cut-{step}", *parts)
    monkeypatch.undo()
    with pytest.raises(UserError, match="unfinished erasure results"):
        eraserhead.read(made / f"cut-{step}")
    assert_same(merged(made, f"cut-{step}", *parts), ResultsFolder(made / "whole"))


@pytest.mark.slow
def test_a_part_that_is_interrupted_continues(made, monkeypatch):
    write = ResultsFolder.write_shard

    def interrupted(self, number, tables):
        if number > 6:
            raise KeyboardInterrupt
        write(self, number, tables)

    cut = config(made, "cut", part="1/3")
    monkeypatch.setattr(ResultsFolder, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        erase_to_folder(cut)
    monkeypatch.undo()
    assert ResultsFolder(made / "cut").finished_shards() == {0, 3, 6}
    assert_same(erase_to_folder(cut), ResultsFolder(made / "part-1"))


@pytest.mark.parametrize("part", ["0/3", "4/3", "2", "2/0", "1/3 ", "-1/3", "02/3"])
def test_what_is_no_part_is_refused_before_anything_is_read(part):
    with pytest.raises(UserError, match=r"^part='.*': must be the number of a part, from 1, and how many there are"):
        erase_to_folder(EraseConfig(model="no such model", part=part))


def test_a_part_has_a_default_folder_of_its_own():
    assert EraseConfig(model="me/model", site="all", part="2/5").folder.name == "me--model+erasure-all-part-2-of-5"


def test_documents_are_dealt_once_evenly_and_by_their_ids_alone():
    """Shards of 5 of 103 documents: a window of 80, and 23 in five shards."""
    ids = [f"test/{place}" for place in range(103)]
    shards = list(shards_of(Dataset.from_dict({"id": ids}), 5))
    assert [shard.number for shard in shards] == list(range(21))
    assert [len(shard.places) for shard in shards] == [5] * 16 + [5, 5, 5, 4, 4]
    assert sorted(np.concatenate([shard.places for shard in shards])) == list(range(103))
    assert all((np.diff(shard.places) > 0).all() for shard in shards)
    assert max(place for shard in shards[:16] for place in shard.places) == window(5) - 1
    # What the hash makes of these ids, on every machine and in every version: parts of two versions fit together.
    assert [shard.places.tolist() for shard in deal(ids[:7], 3)] == [[0, 3, 4], [2, 5], [1, 6]]


def test_texts_on_the_hub_are_read_a_window_at_a_time_and_only_where_shards_are_made():
    """Forty documents in shards of one, windows of 16; the second of three parts has the shards 1, 4, 7, ..."""
    asked = []

    class Streamed:
        rows = Dataset.from_dict({"id": [f"test/{place}" for place in range(40)]})

        def read(self, places):
            asked.append(list(places))
            return self.rows.select(places).add_column("text", [f"text {place}" for place in places])

    opened = SimpleNamespace(tokenize=lambda rows: rows, checkpoint=SimpleNamespace(seen=None))
    documents, part = Streamed(), Part(2, 3)
    shards = [shard for shard in shards_of(documents.rows, 1) if part.has(shard.number)]
    work = Work(shards, 1, Windows(opened, documents, shards).read, np.array([17]))
    found = {shard.number: work.table(shard).to_pydict() for shard in work.share(0, 1, finished=range(16))}
    assert list(found) == list(range(16, 40, 3))
    assert all(rows["text"] == [f"text {place}" for place in rows["place"]] for rows in found.values())
    assert all(rows["sampled"] == [place == 17 for place in rows["place"]] for rows in found.values())
    assert len(asked) == 2  # the first window has no shard to make
    assert [len(places) for places in asked] == [6, 2]
    assert min(asked[0]) >= 16


def test_rows_of_folders_are_put_in_the_order_of_their_documents(tmp_path, monkeypatch):
    """Documents 0 to 6 in two folders, with 1 to 3 rows each, in blocks of two and row groups that cut documents."""
    monkeypatch.setattr("eraserhead.erasure.joining.DOCUMENTS_AT_ONCE", 2)
    dealt = {"first": [1, 2, 5], "second": [0, 3, 4, 6]}
    rows = {place: [f"{place}.{row}" for row in range(1 + place % 3)] for place in range(7)}
    for folder, places in dealt.items():
        (tmp_path / folder).mkdir()
        pq.write_table(
            pa.table({"id": list(map(str, places)), "place": places}), tmp_path / folder / "documents.parquet"
        )
        cells = [(str(place), row) for place in places for row in rows[place]]
        table = pa.table({"id": [name for name, _ in cells], "row": [row for _, row in cells]})
        pq.write_table(table, tmp_path / folder / "flips.parquet", row_group_size=2)
    folders = [tmp_path / folder for folder in dealt]
    tables = list(in_order(folders, "flips.parquet", "documents.parquet", "mend it"))
    assert [row for table in tables for row in table.column("row").to_pylist()] == [
        row for place in range(7) for row in rows[place]
    ]
    assert len(tables) == 4
    pq.write_table(table.slice(0, 2), tmp_path / "second" / "flips.parquet")
    with pytest.raises(UserError, match=r"second/flips.parquet: damaged \(it lacks documents\); mend it"):
        list(in_order(folders, "flips.parquet", "documents.parquet", "mend it"))


def test_the_parts_of_a_number_have_every_shard_once():
    for of in (1, 3, 7):
        parts = [Part.read(f"{number}/{of}") for number in range(1, of + 1)]
        assert all([part.has(shard) for part in parts].count(True) == 1 for shard in range(20))


@pytest.mark.slow
def test_the_first_shard_tells_what_a_long_run_takes(made, monkeypatch, caplog):
    """Every run is long here, and a disk with a byte free is full; of the 43 documents, 22 are done first."""
    monkeypatch.setattr("eraserhead.erasure.erasing.LONG_RUN", 0.0)
    with caplog.at_level("INFO", "eraserhead"):
        erase_to_folder(config(made, "told", shard_size=22))
    (line,) = (message for message in caplog.messages if "the tables will take" in message)
    told = r"erasing: 22 of 43 documents in \d s, about \d s left; the tables will take (.*) kB, twice that"
    said = re.match(told, line)
    assert said is not None
    bytes_written = sum((made / "told" / f"{name}.parquet").stat().st_size for name in SCHEMAS)
    assert bytes_written / (1000 * float(said[1])) == pytest.approx(0.75, abs=0.25)  # small files have more overhead
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1))
    monkeypatch.setattr("eraserhead.erasure.erasing.LONG_RUN", 1e9)
    caplog.clear()
    with caplog.at_level("INFO", "eraserhead"):
        erase_to_folder(config(made, "full"))
    assert any(message.endswith("joined, and only 0.0 kB are free") for message in caplog.messages)
