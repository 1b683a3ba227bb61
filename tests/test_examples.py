"""Recipes in `examples/` on generated data of the layouts that they read."""

import json
import runpy
import sys

import pytest

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.rationales import RATIONALES
from pages import ROOT


@pytest.fixture
def eraser(tmp_path):
    """Two documents in ERASER's layout; the evidence of the first lies in two places, the second has none."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "m1").write_text("a fine cast .\nbut never , ever dull !\n", encoding="utf-8")
    (tmp_path / "docs" / "m2").write_text("never  again", encoding="utf-8")
    spans = [[{"docid": "m1", "start_token": 1, "end_token": 3}], [{"docid": "m1", "start_token": 5, "end_token": 6}]]
    rows = [
        {"annotation_id": "m1", "classification": "POS", "evidences": spans},
        {"annotation_id": "m2", "classification": "NEG", "evidences": []},
    ]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_rationales_in_the_layout_of_eraser(eraser, monkeypatch, datasets_cache):
    output = eraser / "rationales.jsonl"
    script = ROOT / "examples" / "eraser_rationales.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(eraser), "test", str(output)])
    runpy.run_path(str(script), run_name="__main__")
    read = load_documents(DataConfig(path=str(output), rationale_column="rationales"), "test").rows
    texts = [[[text[span["start"] : span["end"]] for span in own] for own in marked] for text, marked in zip(
        read["text"], read[RATIONALES], strict=True
    )]  # fmt: skip
    assert texts == [[["fine cast", "never"]], [[]]]


@pytest.mark.slow
def test_the_notebook_runs_and_its_results_show_themselves(encoder_folder):
    """Nothing is stored in it; executed, its cells show tables, pictures and a page."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    shown = [{kind for output in cell.outputs for kind in output.get("data", {})} for cell in code]
    assert [("text/html" in kinds, "image/png" in kinds) for kinds in shown] == [
        (False, False), (True, False), (True, False), (False, False), (False, True), (False, True), (True, False),
    ]  # fmt: skip
    assert "Erasing tokens along each ranking" in code[1].outputs[-1].data["text/html"]
    assert 'sandbox="allow-scripts"' in code[-1].outputs[-1].data["text/html"]
