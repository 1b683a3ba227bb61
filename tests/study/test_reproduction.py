"""`eraserhead reproduce` on tiny data: composed configs, cells that are skipped, continued, failed; the same paper."""

import errno
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from eraserhead.cli.main import main
from eraserhead.cli.parsing import config_of
from eraserhead.cli.reproduce import failed, plan
from eraserhead.erasure.results import RESULTS, ResultsFolder
from eraserhead.errors import UserError
from eraserhead.loading.run_layout import RUN
from eraserhead.locks import locked
from eraserhead.study import paper, reproduction
from eraserhead.study.cells import Cell, SplitStatistics
from eraserhead.study.config import ReproduceConfig
from eraserhead.study.layout import STUDY
from eraserhead.training.config import TrainConfig
from eraserhead.training.loop import Loop
from tiny import labelled_file, tiny_encoder

pytestmark = pytest.mark.slow

MODELS = {
    "flan-none": {"context": "none"},
    "han-rnn": {"context": "rnn", "hierarchical": True, "recurrent_size": 5, "dropout": 0.2},
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="module")
def drawings():
    """Keep the paper's pictures, which take longer than the study, to the test that compares papers."""
    with pytest.MonkeyPatch.context() as patch:
        drawn = {name: getattr(paper, name) for name in ("_draw", "_draw_context")}
        patch.setattr(paper, "_draw", lambda results, folder: {kind: {} for kind in paper.DRAWINGS})
        patch.setattr(paper, "_draw_context", lambda results, folder: None)
        yield drawn


def write_yaml(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def sentences_file(path: Path, count: int, seed: int) -> str:
    """Texts of two or three sentences each, labelled as in `labelled_file`."""
    labelled_file(path, 3 * count, seed)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    joined = [
        {
            "text": ". ".join(row["text"].capitalize() for row in rows[at : at + 2 + at % 2]) + ".",
            "label": rows[at]["label"],
        }
        for at in range(0, 3 * count, 3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in joined))
    return str(path)


@pytest.fixture
def configs(tmp_path) -> Path:
    return write_configs(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Configs as everywhere here, and beside them the finished study of one model, for tests that damage a copy."""
    folder = tmp_path_factory.mktemp("finished")
    assert main(arguments(write_configs(folder), folder / "study", "--models", "flan-none")) == 0
    return folder


def write_configs(tmp_path: Path) -> Path:
    """Two data sets and two models, and training in two epochs."""
    tiny_encoder(tmp_path / "encoder")
    for number, name in enumerate(("first", "second")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        sentences_file(folder / "train.jsonl", 60, number)
        sentences_file(folder / "test.jsonl", 20, number + 10)
        write_yaml(tmp_path / f"configs/data/{name}.yaml", {"data": {"path": str(folder)}})
    for name, model in MODELS.items():
        content = {"model": {"encoder": str(tmp_path / "encoder"), **model}, "training": {"learning_rate": 0.03}}
        if not model.get("hierarchical"):
            content["data"] = {"max_length": 60}
        write_yaml(tmp_path / f"configs/model/{name}.yaml", content)
    write_yaml(tmp_path / "configs/training/short.yaml", {"training": {"epochs": 2, "batch_size": 16}})
    return tmp_path / "configs"


def arguments(configs: Path, output_dir: Path, *more: str) -> list[str]:
    return [
        "reproduce", "--configs", str(configs), "--datasets", "first,second", "--models", ",".join(MODELS),
        "--also", "short", "--validation_size", "10", "--draws", "3", "--cpu", "--output_dir", str(output_dir), *more,
    ]  # fmt: skip


def test_configs_of_data_model_and_training_are_merged_and_sizes_override(configs, tmp_path):
    chosen = arguments(configs, tmp_path / "study", "--train_size", "31", "--test_size", "11", "--seed", "7")
    plans = plan(config_of("reproduce", ReproduceConfig, chosen[1:]))
    assert [each.cell.name for each in plans] == [
        "first-flan-none",
        "first-han-rnn",
        "second-flan-none",
        "second-han-rnn",
    ]
    train = plans[3].train
    assert train.data.path == str(tmp_path / "data/second")
    assert (train.data.train_size, train.data.validation_size, train.data.test_size) == (31, 10, 11)
    assert (train.model.context, train.model.hierarchical, train.model.recurrent_size) == ("rnn", True, 5)
    assert (train.training.epochs, train.training.learning_rate) == (2, 0.03)
    assert train.data.seed == train.training.seed == plans[3].erase.seed == 7
    assert plans[3].erase.data == train.data


def test_seeds_change_training_alone_and_the_studys_own_keeps_its_folder(configs):
    config = ReproduceConfig("out", str(configs), ["first"], list(MODELS), seed=7, seeds=[3, 7])
    plans = plan(config)
    assert [each.cell.name for each in plans] == [
        "first-flan-none-seed-3",
        "first-han-rnn-seed-3",
        "first-flan-none",
        "first-han-rnn",
    ]
    assert [each.train.training.seed for each in plans] == [3, 3, 7, 7]
    assert {(each.train.data.seed, each.erase.seed) for each in plans} == {(7, 7)}
    assert [each.cell.folder for each in plans] == [Path("out") / "cells" / each.cell.name for each in plans]
    assert plan(replace(config, seeds=None)) == plan(replace(config, seeds=[7])) == plans[2:]


def test_a_seed_given_twice_is_refused_before_anything_is_done(configs, tmp_path, capsys):
    assert main(arguments(configs, tmp_path / "study", "--seeds", "0,1,1")) == 2
    assert "--seeds 0,1,1: 1 is there 2 times; give each seed once" in capsys.readouterr().err
    assert main(arguments(configs, tmp_path / "study", "--seeds", "0,-1")) == 2
    assert "--seeds 0,-1: must be from 0 to" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_cells_that_would_share_a_folder_are_refused(configs, tmp_path, capsys):
    shutil.copy(configs / "model/flan-none.yaml", configs / "model/flan-none-seed-1.yaml")
    chosen = ["--models", "flan-none,flan-none-seed-1", "--seeds", "0,1"]
    assert main(arguments(configs, tmp_path / "study", *chosen)) == 2
    assert "first-flan-none-seed-1: 2 cells would be written here" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_a_further_seed_is_added_to_a_study_and_keeps_its_cells(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "study", tmp_path / "study")
    cells = tmp_path / "study" / STUDY.cells
    before = {path: path.read_bytes() for path in cells.rglob("*") if path.is_file()}
    trained, original = [], reproduction.train

    def train(config: TrainConfig):
        trained.append((Path(config.output_dir).name, config.training.seed))
        return original(config)

    monkeypatch.setattr(reproduction, "train", train)
    study = arguments(finished / "configs", tmp_path / "study", "--models", "flan-none", "--datasets", "first")
    assert main([*study, "--seeds", "0,1"]) == 0
    assert trained == [("first-flan-none-seed-1", 1)]
    assert {path: path.read_bytes() for path in before} == before
    weights = [(cells / name / RUN.weights).read_bytes() for name in ("first-flan-none", "first-flan-none-seed-1")]
    assert weights[0] != weights[1]
    written = (tmp_path / "study" / STUDY.paper).read_text()
    assert "| first | flan-none | 2 | " in written
    assert "0, 1 |" in written
    assert main(study) == 0  # the study of one seed is there as well
    assert len(trained) == 1
    assert "Over seeds" not in (tmp_path / "study" / STUDY.paper).read_text()


def test_a_data_root_holds_the_named_sets_in_their_folders(configs, tmp_path):
    write_yaml(configs / "data/amazon.yaml", {"data": {"name": "amazon"}})
    config = ReproduceConfig("out", str(configs), ["amazon", "first"], ["flan-none"], data_root="/some/root")
    assert [each.train.data.path for each in plan(config)] == [
        "/some/root/amazon_review_full",
        str(tmp_path / "data/first"),
    ]


def test_all_missing_files_are_named_at_once(configs):
    with pytest.raises(UserError) as error:
        plan(ReproduceConfig("out", str(configs), ["frist"], ["han-rnm", "nowhere/x.yaml"]))
    assert "did you mean 'first'" in str(error.value)
    assert "did you mean 'han-rnn'" in str(error.value)
    assert "nowhere/x.yaml: no such file" in str(error.value)


def test_a_mistake_in_a_file_is_named_before_anything_is_done(configs, tmp_path, capsys):
    write_yaml(configs / "model/han-rnn.yaml", {"model": {"contxt": "rnn"}})
    assert main(arguments(configs, tmp_path / "study")) == 2
    assert "unknown key 'model.contxt'; did you mean 'model.context'?" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_a_model_that_decides_label_by_label_is_refused_before_anything_is_done(configs, tmp_path, capsys):
    write_yaml(configs / "model/han-rnn.yaml", {"model": {"problem_type": "multi_label_classification"}})
    assert main(arguments(configs, tmp_path / "study")) == 2
    assert "multi_label_classification: a study compares models that decide among classes" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


class Killed(BaseException):
    """Stands for a signal: nothing may catch it."""


def test_a_study_that_was_killed_ends_with_the_same_paper(configs, tmp_path, monkeypatch, capsys, drawings):
    """Killed in the second epoch of the second cell, then with the third's results not yet joined, then finished."""
    for name, draw in drawings.items():
        monkeypatch.setattr(paper, name, draw)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(arguments(configs, whole)) == 0
    epochs = 0
    original = Loop.epoch

    def killed_in_training(self, epoch):
        nonlocal epochs
        epochs += 1
        if epochs == 4:
            raise Killed
        return original(self, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "epoch", killed_in_training)
        with pytest.raises(Killed):
            main(arguments(configs, broken))
    assert not (broken / STUDY.paper).exists()
    joined, join = [], ResultsFolder.write_tables

    def killed_before_joining(self, *given):
        joined.append(self.path.parent.name)
        if joined[-1] == "second-flan-none":
            raise Killed
        return join(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(ResultsFolder, "write_tables", killed_before_joining)
        with pytest.raises(Killed):
            main(arguments(configs, broken))
    assert joined == ["first-han-rnn", "second-flan-none"]  # the first was complete
    assert (broken / STUDY.cell("second", "flan-none") / RUN.erasure / RESULTS.shards).is_dir()
    assert main(arguments(configs, broken)) == 0
    assert (broken / STUDY.paper).read_text() == (whole / STUDY.paper).read_text()
    tables = sorted(path.name for path in (whole / STUDY.figures).glob("*.csv"))
    assert tables
    for name in tables:
        assert (broken / STUDY.figures / name).read_bytes() == (whole / STUDY.figures / name).read_bytes()
    assert "4 of 4 cells" in capsys.readouterr().out


def test_a_complete_study_trains_nothing_again(configs, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "[/]\u202e"
    study = arguments(configs, folder, "--datasets", "first")
    assert main(study) == 0
    assert capsys.readouterr().out.endswith(f"findings in {tmp_path}/[/]\\u202e/paper.md\n")
    before = (folder / STUDY.paper).read_text()
    monkeypatch.setattr(reproduction, "train", None)
    monkeypatch.setattr(reproduction, "erase_to_folder", None)
    assert main(study) == 0
    assert (folder / STUDY.paper).read_text() == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError(),
    ],
)
def test_what_says_that_memory_is_short(error):
    assert reproduction.why_failed(error) is reproduction.OUT_OF_MEMORY


def test_a_cell_without_enough_memory_is_listed_with_what_to_lower(configs, tmp_path, monkeypatch, capsys):
    original = reproduction.train

    def train(config: TrainConfig):
        if config.model.hierarchical:
            raise MemoryError
        return original(config)

    monkeypatch.setattr(reproduction, "train", train)
    first = ["--datasets", "first"]
    assert main(arguments(configs, tmp_path / "study", *first)) == 2
    said = capsys.readouterr().err
    assert "1 of 2 cells failed" in said
    assert (
        "first-han-rnn (out of memory; lower --batch_tokens, or start another study with a lower data.max_length, "
        in said
    )
    paper = (tmp_path / "study" / STUDY.paper).read_text()
    assert "first-han-rnn" in paper
    assert "lower --batch_tokens" in paper
    assert (tmp_path / "study" / STUDY.cell("first", "flan-none") / RUN.erasure / RESULTS.summary).is_file()
    monkeypatch.setattr(reproduction, "train", original)
    assert main(arguments(configs, tmp_path / "study", *first, "--batch_tokens", "100")) == 0  # as was advised
    assert not list((tmp_path / "study").rglob(f"{STUDY.failures}/*"))
    assert "lower --batch_tokens" not in (tmp_path / "study" / STUDY.paper).read_text()


def test_a_data_set_of_one_class_is_refused_before_training_and_the_others_go_on(configs, tmp_path, capsys):
    file = tmp_path / "data/first/train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**row, "label": "pos"}) + "\n" for row in rows))
    assert main(arguments(configs, tmp_path / "study", "--models", "flan-none")) == 2
    said = capsys.readouterr().err
    assert "1 of 2 cells failed: first-flan-none" in said
    assert "one class" in said
    assert not (tmp_path / "study" / STUDY.cell("first", "flan-none")).exists()


def test_a_full_disk_ends_the_study(configs, tmp_path, monkeypatch, capsys):
    def train(config: TrainConfig):
        raise OSError(errno.ENOSPC, "No space left on device", config.output_dir)

    monkeypatch.setattr(reproduction, "train", train)
    assert main(arguments(configs, tmp_path / "study")) == 2
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "named"), [("--train_size", "20", "data.train_size"), ("--draws", "4", "draws")]
)
def test_another_study_needs_another_folder_and_leaves_this_one(configs, tmp_path, capsys, option, value, named):
    one = arguments(configs, tmp_path / "study", "--datasets", "first", "--models", "flan-none")
    assert main(one) == 0
    before = (tmp_path / "study" / STUDY.paper).read_text()
    assert main([*one, option, value]) == 2
    assert f"first-flan-none (different: {named})" in capsys.readouterr().err
    assert (tmp_path / "study" / STUDY.paper).read_text() == before


def test_a_study_of_which_no_cell_could_begin_goes_on_when_that_is_mended(configs, tmp_path, capsys):
    one = arguments(configs, tmp_path / "study", "--datasets", "first", "--models", "flan-none")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert main(one) == 2
    assert "1 of 1 cells failed" in capsys.readouterr().err
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    assert main(one) == 0


def test_mixed_precision_is_the_studys(configs, tmp_path, capsys):
    write_yaml(configs / "training/half.yaml", {"training": {"mixed_precision": "bf16"}})
    write_yaml(configs / "model/flan-none.yaml", {"training": {"mixed_precision": "fp16"}})
    chosen = ["--datasets", "first", "--models", "flan-none,han-rnn"]
    assert main(arguments(configs, tmp_path / "study", *chosen)) == 2
    assert "one process can only use one, not fp16 and no" in capsys.readouterr().err


@pytest.mark.thorough
def test_two_processes_go_past_a_cell_that_both_refuse(configs, tmp_path):
    """A data set of one class fails on both; its model's other cell is done, and the paper written once."""
    file = tmp_path / "data/first/train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps({**row, "label": "pos"}) + "\n" for row in rows))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29617",
        "-m", "eraserhead", *arguments(configs, tmp_path / "study", "--models", "flan-none"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "1 of 2 cells failed: first-flan-none" in done.stderr
    assert (tmp_path / "study" / STUDY.cell("second", "flan-none") / RUN.erasure / RESULTS.summary).is_file()
    assert "second | flan-none" in (tmp_path / "study" / STUDY.paper).read_text()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("erasure/setup.json", "[1"),
        ("run.yaml", "a: b: c"),
        pytest.param("run.yaml", "", marks=pytest.mark.thorough),
        ("metrics.json", "{"),
        pytest.param("data.json", "[]", marks=pytest.mark.thorough),
    ],
)
def test_a_damaged_file_fails_its_cell_and_is_named(finished, tmp_path, capsys, file, content):
    shutil.copytree(finished / "study", tmp_path / "study")
    study = arguments(finished / "configs", tmp_path / "study", "--models", "flan-none")
    cell = tmp_path / "study" / STUDY.cell("first", "flan-none")
    (cell / file).write_text(content)
    if file == "erasure/setup.json":  # read again where the results are not whole
        (cell / "erasure/summary.json").unlink()
    assert main(study) == 2
    said = capsys.readouterr().err
    assert "1 of 2 cells failed: first-flan-none" in said
    assert f"{file}: damaged (" in said
    shutil.rmtree(cell / "erasure" if file.startswith("erasure") else cell)
    assert main(study) == 0


def test_damaged_erasure_results_of_a_complete_cell_are_computed_again(finished, tmp_path, caplog):
    shutil.copytree(finished / "study", tmp_path / "study")
    study = arguments(finished / "configs", tmp_path / "study", "--models", "flan-none")
    table = tmp_path / "study" / STUDY.cell("first", "flan-none") / RUN.erasure / RESULTS.table("flips")
    whole = table.read_bytes()
    table.write_bytes(whole[:-9])
    with caplog.at_level("INFO", "eraserhead"):
        assert main(study) == 0
    assert caplog.text.count("flips.parquet: damaged (") == 1
    assert table.read_bytes() == whole


def test_a_second_study_in_one_folder_gets_one_line(finished, tmp_path, capsys):
    shutil.copytree(finished / "study", tmp_path / "study")
    with locked(tmp_path / "study"):
        assert main(arguments(finished / "configs", tmp_path / "study", "--models", "flan-none")) == 2
    assert "study: another process is writing here (process" in capsys.readouterr().err


def test_a_study_of_nothing_is_refused(configs, tmp_path, capsys):
    assert main(arguments(configs, tmp_path / "study", "--datasets", "[]")) == 2
    assert "nothing to do" in capsys.readouterr().err


def test_an_option_younger_than_a_run_leaves_it_complete(finished, tmp_path, monkeypatch):
    shutil.copytree(finished / "study", tmp_path / "study")
    study = arguments(finished / "configs", tmp_path / "study", "--models", "flan-none")
    path = tmp_path / "study" / STUDY.cell("first", "flan-none") / RUN.run
    stored = yaml.safe_load(path.read_text())
    del stored["model"]["transformer_dropout"]
    path.write_text(yaml.safe_dump(stored))
    monkeypatch.setattr(reproduction, "train", None)
    assert main(study) == 0


def test_foreign_folders_are_left_alone(configs, tmp_path, capsys):
    (tmp_path / "study").mkdir()
    (tmp_path / "study/thesis.txt").write_text("mine")
    assert main(arguments(configs, tmp_path / "study")) == 2
    assert "not a study" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "study").iterdir()] == ["thesis.txt"]


def test_statistics_count_words_and_sentences(configs, tmp_path):
    """Three documents of 4, 2 and 3 words and 2, 1 and 1 sentences: means 3 and 4/3."""
    folder = tmp_path / "data/first"
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    texts = ["A good. A cast.", "never bad", "it was  dull"]
    labels = ["pos", "neg", "neg"]
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = ReproduceConfig("out", str(configs), ["first"], ["flan-none"], validation_size=10, train_size=33)
    found = reproduction.dataset_statistics(plan(config)[0].train)
    assert found.classes == 2
    assert found.splits["test"] == SplitStatistics(3, 3.0, 4 / 3)
    assert found.splits["train"].documents == 33
    assert found.splits["validation"].documents == 10


def test_of_many_failed_cells_the_first_are_named_and_the_paper_lists_the_others():
    failures = {Cell("imdb", f"m{number}", Path()): UserError(f"why {number}") for number in range(5)}
    assert str(failed(failures, 32)) == (
        "5 of 32 cells failed: imdb-m0 (why 0); imdb-m1 (why 1); imdb-m2 (why 2); and 2 more, which the paper lists; "
        "mend that and run the same command again"
    )
    assert "more" not in str(failed(dict(list(failures.items())[:3]), 32))
