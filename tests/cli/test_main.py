"""The command line as people use it: real processes for exit codes and streams, `main` for the rest."""

import json
import re
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest
import yaml

import eraserhead
from eraserhead.cli.arguments import check_given_effects, normalise, option_types
from eraserhead.cli.main import COMMANDS, main
from eraserhead.erasure.config import EraseConfig
from eraserhead.errors import Setting, UserError
from eraserhead.loading.defaults import erase_defaults
from eraserhead.showing.shading import BARS
from eraserhead.training.config import TrainConfig, TrainingConfig
from interpreters import fresh_interpreter
from tiny import labelled_file, random_texts, saved_classifier, tiny_encoder

pytestmark = pytest.mark.slow

SOURCE = Path(eraserhead.__file__).parent


def fails(capfd, *arguments: str) -> str:
    """Run a command that must fail; return its one line."""
    assert main([str(argument) for argument in arguments]) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("eraserhead: error: ")]
    assert len(lines) == 1
    return lines[0]


def without_marks(shown: str) -> str:
    """Return what `explain` prints without the marks in its text."""
    return re.sub(f"[⟦⟧{BARS}]", "", shown)


@pytest.fixture
def run_folder(tmp_path, monkeypatch, capfd):
    """A finished run of the tiny encoder, trained from the command line."""
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    encoder = tiny_encoder(tmp_path / "encoder")
    for split, seed in (("train", 0), ("test", 9)):
        (tmp_path / "data").mkdir(exist_ok=True)
        labelled_file(tmp_path / "data" / f"{split}.jsonl", 60 if split == "train" else 20, seed)
    options = ["--data.path", tmp_path / "data", "--data.max_length", 32, "--model.encoder", encoder, "--cpu"]
    options += ["--training.epochs", 2, "--output_dir", tmp_path / "run"]
    assert main(["train", *map(str, options)]) == 0
    capfd.readouterr()
    return tmp_path / "run"


def test_train_erase_show_explain(run_folder, tmp_path, capfd):
    results = str(run_folder / "erasure")
    assert main(["erase", str(run_folder), "--output_dir", results, "--cpu"]) == 0
    erased = capfd.readouterr().out
    assert main(["show", results]) == 0
    shown = capfd.readouterr().out
    assert shown == erased
    assert "20 documents" in shown
    assert f"results in {results}" in shown
    assert main(["show", results, "--details"]) == 0
    details = capfd.readouterr().out
    for heading in ("Fraction of the tokens", "Against the exact minimum", "Test 1"):
        assert (heading in details, heading in shown) == (True, False)
    assert main(["explain", str(run_folder), "a fine cast but the script is not good", "--cpu"]) == 0
    explained = capfd.readouterr().out
    assert "9 words" in explained
    assert "minimum" in explained
    assert main(["explain", str(run_folder), "--id", "test/3", "--cpu"]) == 0
    assert "labelled" in capfd.readouterr().out


def test_erase_takes_the_runs_own_test_split_unless_told_otherwise(run_folder, tmp_path):
    plain = EraseConfig(model=str(run_folder), output_dir="x")
    defaults = erase_defaults(plain)
    assert defaults["data.path"] == str(tmp_path / "data")
    assert defaults["data.max_length"] == 32
    other = erase_defaults(EraseConfig(model=str(run_folder), output_dir="x", data=type(plain.data)(name="imdb")))
    assert (other["data.path"], other["data.max_length"]) == (None, 32)


def test_flags_override_the_runs_data(run_folder, tmp_path, capfd):
    folder = tmp_path / "few"
    assert main(["erase", str(run_folder), "--output_dir", str(folder), "--data.test_size", "7", "--cpu"]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["documents"]["total"] == 7
    assert summary["setup"]["data"]["path"] == str(tmp_path / "data")


def test_help_is_quick_to_import():
    code = "import sys; sys.argv = ['eraserhead', '--help']\nfrom eraserhead.cli.main import main\n"
    code += "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules and 'pyarrow' not in sys.modules"
    done = fresh_interpreter(code)
    assert done.returncode == 0, done.stderr
    assert "explain" in done.stdout


LIGHT_COMMANDS = ("main", "arguments", "parsing", "config_files")
LIGHT = sorted(
    ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
    for file in [
        *SOURCE.rglob("config.py"),
        *(SOURCE / "cli" / f"{name}.py" for name in ("main", "arguments", "parsing")),
    ]
)


@pytest.mark.parametrize("module", LIGHT)
def test_what_answers_mistakes_imports_nothing_heavy(module):
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = fresh_interpreter(code).stdout.split()
    assert not {"torch", "transformers", "datasets", "accelerate", "pyarrow", "pandas", "matplotlib"} & set(loaded)


def test_help_takes_less_than_half_a_second():
    """The time is processor time, the least of three runs."""
    code = "import resource, runpy, sys\nsys.argv = ['eraserhead', '--help']\n"
    code += "try: runpy.run_module('eraserhead', run_name='__main__')\nexcept SystemExit: pass\n"
    code += "used = resource.getrusage(resource.RUSAGE_SELF)\nprint(used.ru_utime + used.ru_stime, file=sys.stderr)"
    times = [fresh_interpreter(code).stderr for _ in range(3)]
    assert min(map(float, times)) < 0.5


def test_exit_code_and_streams_of_a_real_process(tmp_path):
    command = [sys.executable, "-m", "eraserhead", "show", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not line.startswith("loading the libraries")]
    assert said == [f"eraserhead: error: {tmp_path}: no erasure results; run `eraserhead erase` first"]


def test_unknown_options_and_keys_are_named_all_at_once_with_the_nearest(tmp_path, capfd):
    file = tmp_path / "bad.yaml"
    file.write_text("data: {name: imdb, max_lenght: 3}\ntrainning: {epochs: 3}\n")
    line = fails(capfd, "train", "--config", file, "--modle.dropout", "0.1", "--output_dir", "x")
    assert "train: unknown option --modle.dropout; did you mean '--model.dropout'?" in line
    assert f"{file}: unknown key 'data.max_lenght'; did you mean 'data.max_length'?" in line
    assert f"{file}: unknown key 'trainning'; did you mean 'training'?" in line


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data: [", "config.yaml: is not YAML (line 1: while parsing a flow node, expected the node content"),
        ("seed: 1\nencoder: 2020-13-45\n", "config.yaml: is not YAML (line 2: a value of no such kind (month must be"),
        ("data: {name: !!int ''}\n", "config.yaml: is not YAML (line 1: a value of no such kind)"),
        ("[" * 9999, "config.yaml: is not YAML (nested too deeply)"),
        ("- 1\n", "is not a mapping"),
        ("data: 5\n", "config.yaml: data: must be a group of options"),
        ("training:\n", "config.yaml: training: must be a group of options"),
        (None, "no such file here, and none in the package"),
    ],
    ids=["broken", "date", "type", "deep", "list", "number", "empty", "missing"],
)
def test_unreadable_configs(tmp_path, capfd, content, message):
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_text(content)
    assert message in fails(capfd, "train", "--config", file, "--output_dir", "x")


def test_a_group_of_options_can_stand_in_a_file_of_its_own(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "limits.yaml").write_text("max_length: 33\n")
    (tmp_path / "config.yaml").write_text("data: limits.yaml\n")
    with pytest.raises(SystemExit) as done:
        main(["erase", "model", "--config", "config.yaml", "--print_config"])
    assert done.value.code == 0
    assert yaml.safe_load(capsys.readouterr().out)["data"]["max_length"] == 33


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--output_dir", "x", "--training.epochs", "many"], "--training.epochs many: must be a whole number"),
        (["train", "--training.epochs", "1.5"], "--training.epochs 1.5: must be a whole number"),
        (["train", "--training.epochs", "null"], "--training.epochs null: must be a whole number"),
        (["train", "--training.schedule", "linaer"], "must be 'linear' or 'plateau'; did you mean 'linear'?"),
        (["train", "--model.filter_widths", "3,five"], "--model.filter_widths five: must be a list of whole numbers"),
        (["erase", "m", "--data.clean=maybe"], "--data.clean maybe: must be True or False"),
        (["erase", "m", "--memory_budget", "much"], "--memory_budget much: must be a number"),
        (["erase", "m", "--random_other", "bogus"], "--random_other bogus: must be 'uniform' or 'position'"),
        (["reproduce", "--datasets", "imdb"], "error: give --output_dir"),
        (["erase"], "error: give MODEL"),
        (["push"], "error: give MODEL"),
        (["explain", "m", "--text", "a"], "explain: unknown option --text"),
        (["erase", "m", "--sote", "all"], "unknown option --sote; did you mean '--site'?"),
        (["erase", "m", "--data.max_lenght=3"], "--data.max_lenght; did you mean '--data.max_length'?"),
        (["trian"], "train"),
        (["explain", "model"], "one of TEXT, --file, --id, not none"),
        (["train", "--output_dir", "x"], "give --data.name"),
        (["erase", "no/such-model", "--output_dir", "x", "--data.name", "planted"], "no such folder here"),
        (["train", "--data.name", "imdb", "--output_dir", "x", "--cpu"], "--data.path"),
    ],
)
def test_mistakes_get_one_line(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in fails(capfd, *arguments)
    assert list(tmp_path.iterdir()) == []


PLACES = {
    "train": [], "erase": ["m"], "show": ["r"], "explain": ["m", "t"], "push": ["m", "r"],
    "reproduce": ["--output_dir", "x"], "families": [], "merge": ["p", "--output_dir", "x"],
    "compare": ["r", "s", "--output", "x"], "explore": ["r", "--output", "x.html"], "plot": ["r", "--output", "x"],
    "atlas": ["m", "--output_dir", "x"], "sweep": ["ranges.yaml", "--output_dir", "x"], "export": ["m"],
}  # fmt: skip
OPTIONS = {name: option_types(command.config) for name, command in COMMANDS.items()}
GROUPED = [(name, group) for name, known in OPTIONS.items() for group, kind in known.items() if is_dataclass(kind)]
# Of every command, one option of each kind that takes a value.
TYPED = sorted(
    (name, option)
    for name, known in OPTIONS.items()
    for option in {repr(kind): option for option, kind in known.items() if kind not in (bool, bool | None)}.values()
    if not is_dataclass(known[option]) and option not in COMMANDS[name].positional
)
JSONARGPARSE = re.compile(r"Parser key|Subcommand|Unable to load|argument --|unrecognized|<class|Union|invalid choice")


def refused(capfd, *arguments: str) -> str:
    """Run a command that must fail; return its line, which must be in our words."""
    line = fails(capfd, *arguments).removeprefix("eraserhead: error: ")
    assert not JSONARGPARSE.search(line), line
    return line


def test_every_command_has_its_places():
    assert set(PLACES) == set(COMMANDS)
    assert {"train", "sweep", "erase", "atlas", "explain"} == {name for name, _ in GROUPED}
    assert {name for name, _ in TYPED} == set(COMMANDS) - {"families"}


@pytest.mark.parametrize("name", COMMANDS)
def test_stray_arguments_are_refused(capfd, name):
    takes = " and ".join(each.upper() for each in COMMANDS[name].positional)
    stand = {0: "options are given by their names (--NAME VALUE)", 1: f"{takes} alone stands without a name"}
    rest = stand.get(len(COMMANDS[name].positional), f"{takes} alone stand without a name")
    assert refused(capfd, name, *PLACES[name], "zzz") == f"unexpected argument 'zzz'; {rest}"
    assert refused(capfd, name, *PLACES[name], "-z") == "unknown option -z"
    assert refused(capfd, name, *PLACES[name], "--config") == "--config: give it a value"


@pytest.mark.parametrize(("name", "option"), TYPED)
def test_options_without_a_value_are_refused(capfd, name, option):
    assert refused(capfd, name, *PLACES[name], f"--{option}") == f"--{option}: give it a value"


@pytest.mark.parametrize(("name", "option"), TYPED)
def test_values_of_the_wrong_type_are_refused_with_the_file_and_key(tmp_path, monkeypatch, capfd, name, option):
    monkeypatch.chdir(tmp_path)
    if "str" not in repr(OPTIONS[name][option]):  # and no list of texts
        assert refused(capfd, name, *PLACES[name], f"--{option}=wrong").startswith(f"--{option} wrong: must be ")
    group, _, last = option.rpartition(".")
    (tmp_path / "own.yaml").write_text(f"{last}: {{a: 1}}\n")
    (tmp_path / "all.yaml").write_text(f"{group}: own.yaml\n" if group else f"{last}: {{a: 1}}\n")
    line = refused(capfd, name, *PLACES[name], "--config", "all.yaml")
    assert line.startswith(f"{last} {{'a': 1}} in {'own' if group else 'all'}.yaml: must be "), line


@pytest.mark.parametrize(("name", "group"), GROUPED)
def test_mistakes_in_groups_name_the_file_and_the_key(tmp_path, monkeypatch, capfd, name, group):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nested").mkdir()
    last = next(each for each in OPTIONS[name] if each.startswith(f"{group}.") and "_" in each).partition(".")[2]
    (tmp_path / "nested/own.yaml").write_text(f"{last}x: 1\n")
    (tmp_path / "nested/all.yaml").write_text(f"{group}: own.yaml\n")  # beside it, wherever the command runs
    (tmp_path / "none.yaml").write_text(f"{group}: nested/ownn.yaml\n")
    unknown = f"nested/own.yaml: unknown key '{last}x'; did you mean '{last}'?"
    for given in (["--config", "nested/all.yaml"], [f"--{group}", "nested/own.yaml"]):
        assert refused(capfd, name, *PLACES[name], *given) == unknown
    near = "no such file; did you mean 'own.yaml'?"
    missing = refused(capfd, name, *PLACES[name], "--config", "none.yaml")
    assert missing == f"none.yaml: {group} nested/ownn.yaml: {near}"
    assert refused(capfd, name, *PLACES[name], f"--{group}=nested/ownn.yaml") == f"--{group} nested/ownn.yaml: {near}"
    assert refused(capfd, name, *PLACES[name], f"--{group}", "5").startswith(f"--{group} 5: no such file; it names a ")
    inline = refused(capfd, name, *PLACES[name], f"--{group}", f"{{{last}x: 1}}")
    assert inline.endswith(f"unknown key '{group}.{last}x'; did you mean '{group}.{last}'?")
    broken = f"{{{last}: 2020-13-45}}"
    line = refused(capfd, name, *PLACES[name], f"--{group}", broken)
    assert line.startswith(f"--{group} {broken}: is not YAML (line 1: a value of no such kind (month")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "no command 'trian'; did you mean 'train'?"),
        (["--bogus"], f"no command in '--bogus'; the commands are {', '.join(COMMANDS)}"),
        (["train", "data.name", "imdb"], "unexpected argument 'data.name'; did you mean '--data.name'?"),
        (["train", "--config", "numbers.yaml"], "data.name 5 in numbers.yaml: must be a text"),
        (["train", "--resume", "maybe"], "--resume maybe: must be True or False"),
        (["train", "--training.schedule", "plateu"], "must be 'linear' or 'plateau'; did you mean 'plateau'?"),
    ],
)
def test_near_misses_are_named(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.yaml").write_text("data: {name: 5}\n")
    assert message in refused(capfd, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--training.warmup", "0.2", "--training.schedule", "plateau"],
            "--training.warmup 0.2: has no effect without",
        ),
        (["--model.filters", "7"], "--model.context conv or --model.sentence_context conv; leave it out, or add that"),
        (["--model.sentence_context", "rnn"], "has no effect without --model.hierarchical;"),
        (
            ["--model", "{sentence_context: rnn" + " " * 300 + "}"],
            "--model.sentence_context rnn: has no effect without --model.hierarc",
        ),
        (["--cache_limit", "3", "--training.freeze_encoder", "false"], "--cache_limit 3.0: has no effect without"),
        (
            ["--config", "same.yaml"],
            "training.warmup 0.2 in same.yaml: has no effect without --training.schedule linear",
        ),
        (
            ["--data.max_length", "9", "--model.hierarchical"],
            "give --data.max_sentences and --data.max_sentence_length",
        ),
        (
            ["--data.max_sentences", "9"],
            "--data.max_sentences 9: the model reads documents as a whole; give --data.max_l",
        ),
    ],
)
def test_options_that_were_given_and_have_no_effect_are_refused(tmp_path, monkeypatch, capfd, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "same.yaml").write_text("training: {schedule: plateau, warmup: 0.2}\n")
    assert message in refused(capfd, "train", "--data.name", "planted", "--cpu", *arguments)
    assert [each.name for each in tmp_path.iterdir()] == ["same.yaml"]


def test_a_later_file_may_take_the_effect_of_an_earlier_ones_option(tmp_path, monkeypatch):
    """As a model that is frozen does of the recipe's learning rate; the default of an option is nothing given."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text("training: {encoder_learning_rate: 1.0e-4, freeze_encoder: false}\n")
    (tmp_path / "model.yaml").write_text("training: {freeze_encoder: true}\n")
    config = TrainConfig(training=TrainingConfig(encoder_learning_rate=1e-4))
    in_order = ["train", "--config", "recipe.yaml", "--config", "model.yaml"]
    assert check_given_effects(config, in_order) == [Setting("training.encoder_learning_rate", 1e-4)]
    assert check_given_effects(TrainConfig(), ["train"]) == []
    with pytest.raises(
        UserError, match=r"encoder_learning_rate=0\.0001: has no effect without training\.freeze_encoder"
    ):
        check_given_effects(config, [*in_order[:1], *in_order[3:], *in_order[1:3]])


def test_later_configs_win_and_flags_override_them(tmp_path, monkeypatch, capfd):
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    first.write_text("data: {name: imdb, max_length: 100}\ntraining: {epochs: 3}\n")
    second.write_text("data: {max_length: 50}\n")
    arguments = ["--config", str(first), "--config", str(second), "--training.epochs", "7", "--output_dir", "x"]
    with pytest.raises(SystemExit):
        main(["train", *arguments, "--print_config"])
    printed = capfd.readouterr().out
    assert "max_length: 50" in printed
    assert "epochs: 7" in printed
    assert "name: imdb" in printed


def test_lists_are_comma_separated_and_switches_need_no_value():
    given = ["erase", "m", "--data.text_columns", "title,content", "--overwrite", "--output_dir", "x"]
    assert normalise(given, EraseConfig) == [
        "erase", "m", "--data.text_columns", "[title, content]", "--overwrite=true", "--output_dir", "x",
    ]  # fmt: skip
    assert normalise(["--data.text_columns=a,b", "--resume", "false"], TrainConfig) == [
        "--data.text_columns=[a, b]", "--resume", "false",
    ]  # fmt: skip


def test_switches_take_what_python_writes():
    assert normalise(["--overwrite", "True", "--resume", "FALSE", "--output_dir", "True"], TrainConfig) == [
        "--overwrite", "true", "--resume", "false", "--output_dir", "True",
    ]  # fmt: skip


def test_markup_in_texts_is_shown_as_it_is(tmp_path, capfd):
    folder = saved_classifier(tmp_path)
    assert main(["explain", folder, "[bold]good[/bold] [link=x] bad", "--cpu", "--data.max_length", "32"]) == 0
    shown = without_marks(capfd.readouterr().out)
    assert "[bold]good[/bold] [link=x] bad" in shown


def test_explain_reads_files(tmp_path, capfd):
    folder = saved_classifier(tmp_path)
    (tmp_path / "text.txt").write_text(random_texts(1)[0])
    assert main(["explain", folder, "--file", str(tmp_path / "text.txt"), "--cpu"]) == 0
    assert "decision:" in capfd.readouterr().out
    assert "cannot be read" in fails(capfd, "explain", folder, "--file", tmp_path / "none.txt", "--cpu")


def test_words_that_mean_something_to_yaml_are_texts(tmp_path, capfd):
    folder = saved_classifier(tmp_path)
    for text in ("null", "~", "[a", "12"):
        assert main(["explain", folder, text, "--cpu"]) == 0
        assert text in without_marks(capfd.readouterr().out)


def test_an_output_folder_below_a_file_gets_one_line(tmp_path, capfd):
    folder = saved_classifier(tmp_path)
    (tmp_path / "file").write_text("")
    options = ["--data.name", "planted", "--data.test_size", "5", "--data.max_length", "32", "--cpu"]
    assert "Not a directory" in fails(capfd, "erase", folder, "--output_dir", tmp_path / "file" / "x", *options)


def test_an_empty_text_is_explained_as_the_bias(tmp_path, capfd):
    assert main(["explain", saved_classifier(tmp_path), " ", "--cpu"]) == 0
    shown = capfd.readouterr().out
    assert "0 words" in shown
    assert "does not flip" in shown
