"""Errors speak Python in Python and flags on the command line, in every room."""

import ast
import pickle
import re
from pathlib import Path

import pytest

import eraserhead
from eraserhead.cli.main import _as_flag, main
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.errors import DocumentError, Setting, UserError, closest, did_you_mean, nearest

SOURCES = sorted(Path(eraserhead.__file__).parent.rglob("*.py"))
FLAG = re.compile(r"(?<![\w-])--[a-z]")
NESTED = re.compile(r"\b(data|model|training)\.(?!json|csv|safetensors)[a-z]+_?[a-z]+\b")


def flags(*parts, command: str = "erase") -> str:
    return UserError(*parts).spelled(lambda setting: _as_flag(command, setting))


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
def test_no_room_below_the_command_line_writes_flags(file):
    tree = ast.parse(file.read_text())
    if file.parent.name != "cli":
        assert [text for text in _messages(tree) if FLAG.search(text)] == []
    raised = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("UserError", "MissingSplitError")
    ]
    texts = [part for call in raised for argument in call.args for part in ast.walk(argument) if _is_text(part)]
    settings = {
        id(part) for call in raised for inner in ast.walk(call) if _is_setting(inner) for part in ast.walk(inner)
    }
    assert [text.value for text in texts if NESTED.search(text.value) and id(text) not in settings] == []


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_setting(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Setting"


def test_hints_name_the_closest_or_nothing():
    assert (closest("sote", ["model", "site"]), closest("x", ["site"])) == ("site", None)
    assert (did_you_mean("--site"), did_you_mean(None)) == ("; did you mean '--site'?", "")
    assert nearest("sote", ["model", "site"]) == "; did you mean 'site'?"
