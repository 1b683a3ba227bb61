"""Paths at which there is nothing are refused before the libraries are loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from eraserhead.cli import main as module
from eraserhead.cli.main import main
from tiny import saved_classifier


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "runs/nope"], "runs/nope: there is no such folder; run `eraserhead erase` first"),
        (["plot", "runs/imbd"], "runs/imbd: there is no such folder; did you mean 'imdb'?"),
        (["compare", "runs/imdb", "nope"], "nope: there is no such folder"),
        (["explore", "nope"], "nope: there is no such folder"),
        (["merge", "a", "b", "--output_dir", "c"], "a: there is no such folder"),
        (["train", "--data.path", "revews.csv"], "--data.path revews.csv: there is no such file or folder; did you mean"
         " 'reviews.csv'?"),
        (["erase", "runs/imdb", "--data.path", "nope.csv"], "--data.path nope.csv: there is no such file or folder"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_nothing_is_loaded_where_there_is_nothing_to_read(tmp_path, monkeypatch, capsys, arguments, said):
    (tmp_path / "runs" / "imdb").mkdir(parents=True)
    (tmp_path / "reviews.csv").write_text("text,label\n")
    monkeypatch.chdir(tmp_path)
    loaded = []
    monkeypatch.setattr(module, "waiting", loaded.append)
    assert main(arguments) == 2
    assert f"eraserhead: error: {said}" in capsys.readouterr().err
    assert loaded == []


def test_a_run_whose_data_are_gone_still_explains_a_given_text(tmp_path, monkeypatch):
    """The data of the run are a default, which is looked at where they are read."""
    model = saved_classifier(tmp_path)
    options = {"data": {"path": str(tmp_path / "gone.csv")}}
    (Path(model) / "run.yaml").write_text(yaml.safe_dump(options))
    asked = []
    monkeypatch.setattr("eraserhead.cli.explain.run", asked.append)
    assert main(["explain", model, "a good film"]) == 0
    assert asked[0].data.path == str(tmp_path / "gone.csv")


def test_telling_so_imports_neither_torch_nor_datasets(tmp_path):
    script = (
        "import sys\nfrom eraserhead.cli.main import main\nassert main(['show', 'nope']) == 2\n"
        "print([name for name in ('torch', 'datasets', 'transformers', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
