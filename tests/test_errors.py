"""Errors speak Python in Python and flags on the command line, in every room."""

import ast
import logging
import pickle
import re
from pathlib import Path

import pytest

import eraserhead
from eraserhead.cli.arguments import in_files, option_types
from eraserhead.cli.main import COMMANDS, main
from eraserhead.cli.spelling import Spelling
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import DocumentError, Job, Setting, UserError, closest, did_you_mean, nearest
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain
from tiny import saved_classifier

SOURCES = sorted(Path(eraserhead.__file__).parent.rglob("*.py"))
FLAG = re.compile(r"(?<![\w-])--[a-z]" + rf"|\beraserhead (?:{'|'.join(COMMANDS)})\b")
OPTIONS = {name for command in COMMANDS.values() for name in option_types(command.config)}
UNDERSCORED = re.compile(rf"(?<![\w{{.])(?:{'|'.join(name for name in OPTIONS if '_' in name and '.' not in name)})\b")
SAYING = ("UserError", "MissingSplitError", "DocumentError", "tell", "debug", "info", "warning", "error")
NESTED = re.compile(r"\b(data|model|training)\.(?!json|csv|safetensors)[a-z]+_?[a-z]+\b")


def flags(*parts, command: str = "erase") -> str:
    return UserError(*parts).spelled(Spelling(COMMANDS[command].config, COMMANDS[command].positional))


@pytest.mark.parametrize(
    ("setting", "in_python", "as_flag"),
    [
        (Setting("site", "foo"), "site='foo'", "--site foo"),
        (Setting("output_dir"), "output_dir", "--output_dir"),
        (Setting("overwrite", True), "overwrite=True", "--overwrite"),
        (Setting("overwrite", False), "overwrite=False", "--overwrite false"),
        (Setting("data.max_length", 3), "data.max_length=3", "--data.max_length 3"),
        (Setting("heads", [0, 5]), "heads=[0, 5]", "--heads 0,5"),
        (Setting("heads", []), "heads=[]", "--heads []"),
        (Setting("data.separator", ";"), "data.separator=';'", "--data.separator ';'"),
        (Setting("label_map", ["neg=a", "pos=b"]), "label_map=['neg=a', 'pos=b']", "--label_map neg=a,pos=b"),
        (Setting("revision", None), "revision=None", "--revision null"),
        (Setting("memory_budget", 0.0), "memory_budget=0.0", "--memory_budget 0.0"),
        (Setting("model", "here"), "model='here'", "MODEL here"),
        (Setting("model"), "model", "MODEL"),
    ],
)
def test_each_interface_spells_a_setting_in_its_own_way(setting, in_python, as_flag):
    assert str(UserError("wrong: ", setting, "; mend")) == f"wrong: {in_python}; mend"
    assert flags("wrong: ", setting, "; mend") == f"wrong: {as_flag}; mend"


def test_several_problems_are_one_error_whose_settings_can_still_be_spelled():
    first, second = UserError(Setting("draws", 0), ": must be at least 1"), UserError("also ", Setting("cpu", True))
    both = UserError(UserError.joined([first, second]), "; mend both")
    assert str(both) == "draws=0: must be at least 1; also cpu=True; mend both"
    assert flags(both) == "--draws 0: must be at least 1; also --cpu; mend both"
    assert str(UserError.joined([Setting("text"), Setting("file")], " and ")) == "text and file"
    assert str(UserError.joined([])) == ""


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(DocumentError("document 3: ", Setting("dtype", "float16"))))
    assert type(error) is DocumentError
    assert str(error) == "document 3: dtype='float16'"
    assert flags(error) == "document 3: --dtype float16"


def test_the_same_mistake_in_both_interfaces(tmp_path, capfd):
    options = {"draws": 0, "data.max_length": 0, "memory_budget": 0.0}
    typed = [f"--{name}={value}" for name, value in options.items()]
    assert main(["erase", "model", "--output_dir", str(tmp_path / "out"), *typed]) == 2
    assert capfd.readouterr().err == (
        "eraserhead: error: --memory_budget 0.0: must be at least 0.001; --data.max_length 0: must be at least 1; "
        "--draws 0: must be at least 1\n"
    )
    data = DataConfig(max_length=0)
    with pytest.raises(UserError) as refused:
        erase_to_folder(EraseConfig(model="model", draws=0, memory_budget=0.0, data=data))
    assert str(refused.value) == (
        "memory_budget=0.0: must be at least 0.001; data.max_length=0: must be at least 1; draws=0: must be at least 1"
    )


def _messages(tree: ast.AST):
    """Yield the texts of a module that are no docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body
        if isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_room_below_the_command_line_writes_flags_or_names_settings_in_words(file):
    """Neither in errors nor in the log: what the text holds, nobody can spell any more."""
    tree = ast.parse(file.read_text())
    if file.parent.name != "cli":
        assert [text for text in _messages(tree) if FLAG.search(text)] == []
    said = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node.func) in SAYING]
    settings = {
        id(part)
        for call in said
        for inner in ast.walk(call)
        if isinstance(inner, ast.Call) and _called(inner.func) in ("Setting", "getattr")
        for part in ast.walk(inner)
    }
    texts = [
        part.value
        for call in said
        for part in ast.walk(call)
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in settings
    ]
    assert [text for text in texts if NESTED.search(text) or UNDERSCORED.search(text)] == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_text_takes_in_an_error_or_a_setting_that_could_still_be_spelled(file):
    tree = ast.parse(file.read_text())
    caught = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and node.type and {"UserError", "Exception"} & _names(node.type)
    }
    assigned = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if _called(node.value.func) in ("Setting", "UserError", "Job")
        for target in node.targets
        for name in _names(target)
    }
    formatted = [node.value for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)]
    assert [node.id for node in formatted if isinstance(node, ast.Name) and node.id in caught | assigned] == []


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _called(function: ast.expr) -> str:
    return getattr(function, "id", "") or getattr(function, "attr", "")


def test_each_interface_spells_a_job_in_its_own_way():
    error = UserError("no results; run ", Job("erase"), " first")
    assert str(error) == "no results; run `erase()` first"
    assert flags(error) == "no results; run `eraserhead erase` first"
    job = Job("train", (Setting("model.encoder", "a b"),))
    assert str(UserError(job)) == "`train(model={'encoder': 'a b'})`"
    assert flags(UserError(job)) == "`eraserhead train --model.encoder 'a b'`"
    for name in ("erase", "train"):
        assert callable(getattr(eraserhead, name))
        assert name in COMMANDS


@pytest.mark.parametrize(
    ("content", "value", "spelled"),
    [
        ("draws: 0", 0, "draws 0 in few.yaml"),
        ("memory_budget: 1e-9", 1e-9, "memory_budget 1e-09 in few.yaml"),
        ("heads: [0, five]", [0, "five"], "heads 0,five in few.yaml"),
        ("heads: [0, five]", "five", "heads five in few.yaml"),
        ("cpu: true", True, "cpu true in few.yaml"),
        ("site: all", "words", "--site words"),  # a site to choose in place of the file's
        ("site: all", ..., "--site"),
        ("data: {max_length: 7}", 7, "data.max_length 7 in few.yaml"),
        ("data: limits.yaml", 5, "max_length 5 in limits.yaml"),
    ],
)
def test_what_a_file_gives_is_spelled_as_it_stands_there(tmp_path, monkeypatch, content, value, spelled):
    monkeypatch.chdir(tmp_path)
    Path("few.yaml").write_text(content)
    Path("limits.yaml").write_text("max_length: 5\n")
    name = "data.max_length" if "data" in content else content.partition(":")[0]
    files = in_files(["erase", "m", "--config", "few.yaml"], EraseConfig)
    assert Spelling(EraseConfig, ("model",), files)(Setting(name, value)) == spelled
    overruled = in_files(["erase", "m", "--config", "few.yaml", f"--{name}", "x"], EraseConfig)
    assert Spelling(EraseConfig, ("model",), overruled)(Setting(name, 3)) == f"--{name} 3"


def test_a_study_spells_what_only_its_files_can_set_as_in_them():
    spell = Spelling(COMMANDS["reproduce"].config)
    assert spell(Setting("data.max_length", 3)) == "data.max_length: 3"
    assert spell(Setting("training.freeze_encoder", True)) == "training.freeze_encoder: true"
    assert spell(Setting("data.max_length")) == "data.max_length"
    assert spell(Setting("batch_tokens", 3)) == "--batch_tokens 3"


def test_the_log_spells_as_the_interface_that_wrote_it(tmp_path, caplog, capfd, monkeypatch):
    """A limit beyond the window, which is said in a room that knows no command line."""
    folder, said = saved_classifier(tmp_path), "texts are cut at the model's window of 64 tokens"
    monkeypatch.chdir(tmp_path)
    Path("long.yaml").write_text("data: {max_length: 9999}\n")
    command = ["explain", folder, "good", "--cpu"]
    for given, spelled in (
        (["--data.max_length", "9999"], "--data.max_length 9999"),
        (["--config", "long.yaml"], "data.max_length 9999 in long.yaml"),
    ):
        caplog.clear()
        assert main([*command, *given]) == 0
        assert f"{spelled}: {said}" in caplog.messages
    logging.setLogRecordFactory(logging.LogRecord)
    caplog.clear()
    explain(ExplainConfig(model=folder, text="good", data=DataConfig(max_length=9999), cpu=True))
    assert f"data.max_length=9999: {said}" in caplog.messages


def test_hints_name_the_closest_or_nothing():
    assert (closest("sote", ["model", "site"]), closest("x", ["site"])) == ("site", None)
    assert (did_you_mean("--site"), did_you_mean(None)) == ("; did you mean '--site'?", "")
    assert nearest("sote", ["model", "site"]) == "; did you mean 'site'?"
