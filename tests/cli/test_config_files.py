"""The YAML files that come with the package: found from anywhere, composed in any order without surprise, and true."""

import json
import logging
import os
import shlex
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
import yaml

from eraserhead.cli.arguments import option_types
from eraserhead.cli.config_files import PACKAGED, disagreements, find_config, leaves, with_found_configs
from eraserhead.cli.main import COMMANDS, main
from eraserhead.cli.parsing import config_of
from eraserhead.cli.reproduce import plan
from eraserhead.errors import UserError
from eraserhead.settings import check_settings
from eraserhead.study.config import ReproduceConfig
from eraserhead.training.config import TrainConfig

pytestmark = pytest.mark.slow

FILES = sorted(PACKAGED.rglob("*.yaml"))
ROOT = Path(__file__).parents[2]
OPTIONS = option_types(TrainConfig)


def name_of(file: Path) -> str:
    return str(file.relative_to(PACKAGED))


def parsed(*files: str) -> TrainConfig:
    return config_of("train", TrainConfig, [part for file in files for part in ("--config", file)])


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_is_a_file_here_or_else_a_packaged_one(elsewhere):
    imdb = PACKAGED / "data" / "imdb.yaml"
    for name in ("data/imdb.yaml", "configs/data/imdb.yaml", "./configs/data/imdb.yaml", "data/imdb"):
        assert find_config(name) == imdb
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "imdb.yaml").write_text("data: {name: mine}\n")
    assert find_config("data/imdb.yaml") == Path("data/imdb.yaml")
    assert find_config("configs/data/imdb.yaml") == imdb


def test_names_that_are_neither_are_refused_all_at_once(elsewhere, capfd):
    assert main(["train", "--config", "data/imbd.yaml", "--config=nowhere.yaml"]) == 2
    said = capfd.readouterr().err
    assert (
        "data/imbd.yaml: no such file here, and none in the package; did you mean 'data/imdb'?; nowhere.yaml: " in said
    )
    with pytest.raises(UserError, match="no such file here"):
        find_config("/data/imdb.yaml")  # which names one place alone


@pytest.mark.parametrize("name", ["paper", "papr.yaml", "data/paper", "trainnig/paper"])
def test_the_last_part_of_a_name_finds_the_packaged_file(elsewhere, name):
    with pytest.raises(UserError, match="did you mean 'training/paper'"):
        find_config(name)


def test_the_packaged_files_are_listed_by_name(elsewhere):
    with pytest.raises(UserError) as error:
        find_config("nowhere")
    listed = str(error.value).rpartition("the packaged ones are ")[2].split(", ")
    assert listed == sorted(str(file.relative_to(PACKAGED).with_suffix("")) for file in FILES)


def test_arguments_name_the_files_that_were_found(elsewhere):
    given = ["--config", "demo.yaml", "--output_dir", "demo.yaml", "--config=configs/training/small.yaml"]
    assert with_found_configs(given) == [
        "--config", str(PACKAGED / "demo.yaml"), "--output_dir", "demo.yaml",
        f"--config={PACKAGED / 'training' / 'small.yaml'}",
    ]  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_the_first_line_is_a_command_that_uses_the_file(file, elsewhere, capsys):
    first = file.read_text().splitlines()[0]
    command = shlex.split(first.removeprefix("# ").replace("accelerate launch -q -m ", ""))
    assert command[0] == "eraserhead"
    assert name_of(file) in command
    config = config_of(command[1], COMMANDS[command[1]].config, command[2:])
    check_settings(config)
    with pytest.raises(SystemExit):
        main([*command[1:], "--print_config"])
    said = dict(leaves(yaml.safe_load(file.read_text()), OPTIONS))
    printed = dict(leaves(yaml.safe_load(capsys.readouterr().out), OPTIONS))
    assert {key: printed[key] for key in said} == said  # nothing that it says is overruled by the command's other files


def test_data_files_and_model_files_set_nothing_in_common():
    """So that their order cannot matter, of 256 and 4,096 tokens above all."""
    for data in (PACKAGED / "data").glob("*.yaml"):
        for other in [*(PACKAGED / "model").glob("*.yaml"), *(PACKAGED / "training").glob("*.yaml")]:
            both = [dict(leaves(yaml.safe_load(file.read_text()), OPTIONS)) for file in (data, other)]
            assert not set(both[0]) & set(both[1]), (data, other)


@pytest.mark.parametrize("model", ["flan-none", "flan-conv", "flan-rnn", "han-none", "han-conv", "han-rnn"])
def test_the_papers_models_and_recipe_compose_in_any_order(model):
    files = ("data/yelp.yaml", f"model/{model}.yaml", "training/paper.yaml")
    configs = [parsed(*order) for order in permutations(files)]
    assert all(config == configs[0] for config in configs)
    training = configs[0].training
    assert (training.learning_rate, training.encoder_learning_rate, training.weight_decay) == (4e-4, 4e-4, 0.0)
    assert (training.epochs, training.batch_size, training.patience, training.schedule) == (30, 64, 5, "plateau")
    assert configs[0].data.max_length == (4096 if model.startswith("flan") else None)


def test_files_that_disagree_are_named(elsewhere, caplog, capsys):
    (elsewhere / "a.yaml").write_text("data: {max_length: 256, name: imdb}\ntraining: {epochs: 2}\n")
    (elsewhere / "b.yaml").write_text("data: {max_length: 4096}\ntraining: {epochs: 2}\n")
    lines = list(disagreements(["a.yaml", "b.yaml"], OPTIONS))
    assert lines == ["data.max_length: 256 in a.yaml, 4096 in b.yaml; the last one is used"]
    assert list(disagreements(["a.yaml"], OPTIONS)) == []
    with caplog.at_level(logging.INFO, "eraserhead"), pytest.raises(SystemExit):
        main(["train", "--config", "a.yaml", "--config", "b.yaml", "--print_config"])
    assert lines[0] in caplog.text
    assert yaml.safe_load(capsys.readouterr().out)["data"]["max_length"] == 4096


def test_the_study_gives_each_model_the_recipe_and_its_own_exceptions(elsewhere):
    """The values that each cell had when every model's file held the whole recipe."""
    for name, epochs, patience, embeddings in (("reproduce", 30, 5, 4e-4), ("reproduce-small", 12, 3, 3e-3)):
        config = config_of("reproduce", ReproduceConfig, ["--config", name, "--output_dir", "out"])
        plans = {each.cell.name: each.train.training for each in plan(config)}
        assert len(plans) == 32
        for cell, training in plans.items():
            frozen = cell.endswith("transformer")
            rate = {"flan": 3e-3, "han": 5e-4}[cell.split("-")[1]] if frozen else 4e-4
            assert (training.freeze_encoder, training.learning_rate) == (frozen, rate)
            assert (training.epochs, training.patience) == (epochs, patience)
            assert (training.batch_size, training.weight_decay, training.schedule) == (64, 0.0, "plateau")
            assert frozen or training.encoder_learning_rate == embeddings


CAPTURED = {"capture_output": True, "text": True}
EVERY = """
import contextlib, io, json, sys
import eraserhead
from eraserhead.cli.main import main
found = {}
for name in json.loads(sys.argv[1]):
    command, out = "reproduce" if "reproduce" in name else "train", io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([command, "--config", name, "--output_dir", "x", "--print_config"])
    found[name] = out.getvalue()
print(json.dumps({"where": eraserhead.__file__, "found": found}))
"""


def pip(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_brings_the_configs(tmp_path):
    """Installed into an empty folder, and run from another one."""
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    pip("wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    pip("install", str(wheel), "--no-deps", "--no-index", "--target", str(installed))
    empty.mkdir()

    def run(*arguments: str) -> str:
        alone = os.environ | {"PYTHONPATH": str(installed)}
        done = subprocess.run([sys.executable, *arguments], cwd=empty, env=alone, check=False, **CAPTURED)
        assert done.returncode == 0, done.stderr
        return done.stdout

    names = list(map(name_of, FILES))
    told = json.loads(run("-c", EVERY, json.dumps(names)))
    assert told["where"].startswith(str(installed))
    assert {name: yaml.safe_load(text)["output_dir"] for name, text in told["found"].items()} == dict.fromkeys(
        names, "x"
    )
    printed = run("-m", "eraserhead", "train", "--config", "demo.yaml", "--print_config")
    assert yaml.safe_load(printed)["data"]["name"] == "planted"
    assert list(empty.iterdir()) == []
