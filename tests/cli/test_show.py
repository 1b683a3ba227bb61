"""`show`: results that are found inside a run, and the main table for other programs."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from eraserhead.cli.main import main
from eraserhead.erasure.finding import ATLAS_SETUP, found_results
from eraserhead.erasure.results import RESULTS, ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.errors import UserError
from summaries import full_ranking, full_summary


def finished(folder):
    """Write results as far as `show` reads them."""
    folder.mkdir(parents=True)
    for name in SCHEMAS:
        (folder / RESULTS.table(name)).touch()
    ranking = full_ranking()
    summary = full_summary(rankings={"attention": ranking, "product": replace(ranking, excess=None)})
    results = ResultsFolder(folder)
    results.write(RESULTS.setup, summary.setup)
    results.write(RESULTS.summary, summary)
    return folder


@pytest.fixture
def run_with_results(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / RESULTS.setup).write_text("{}")  # the run's own
    return finished(tmp_path / "run" / "erasure").parent


def test_results_are_found_in_the_folder_and_in_that_of_its_run(run_with_results, tmp_path, capsys):
    inside = run_with_results / "erasure"
    assert found_results(inside).path == found_results(run_with_results).path == inside
    assert found_results(tmp_path / "none").path == tmp_path / "none"
    for folder in (run_with_results, inside):
        assert main(["show", str(folder)]) == 0
        assert f"results in {inside}\n" in capsys.readouterr().out


def test_results_are_found_in_a_run_inside_the_folder_and_an_atlas_is_named_as_one(run_with_results, tmp_path, capsys):
    assert found_results(tmp_path).path == run_with_results / "erasure"
    finished(run_with_results / "other" / "words")
    assert found_results(run_with_results).path == run_with_results / "erasure"  # the nearest
    shutil.rmtree(run_with_results / "other")
    (tmp_path / "atlas").mkdir()
    (tmp_path / "atlas" / ATLAS_SETUP).write_text("{}")
    assert main(["plot", str(tmp_path / "atlas")]) == 2
    assert "atlas: holds an atlas, and no erasure results" in capsys.readouterr().err


def test_of_several_results_one_has_to_be_named(run_with_results, capsys):
    second = finished(run_with_results / "erasure-words")
    with pytest.raises(UserError, match=f"give one of {run_with_results / 'erasure'}, {second}$"):
        found_results(run_with_results)
    assert main(["show", str(run_with_results)]) == 2
    assert "holds several erasure results" in capsys.readouterr().err


def test_unfinished_results_are_found_too_and_said_to_be(run_with_results, capsys):
    (run_with_results / "erasure" / RESULTS.summary).unlink()
    (run_with_results / "erasure" / RESULTS.shards).mkdir()
    assert main(["show", str(run_with_results)]) == 2
    assert "erasure: unfinished erasure results; run the same `eraserhead erase` again" in capsys.readouterr().err


def test_the_main_table_is_printed_alone_in_every_format(run_with_results, capsys):
    def shown(name: str) -> str:
        assert main(["show", str(run_with_results), "--format", name]) == 0
        return capsys.readouterr().out

    rows = list(csv.DictReader(shown("csv").splitlines()))
    assert [row["ranking"] for row in rows] == ["attention", "product"]
    assert (rows[0]["flips"], rows[0]["extra"], rows[1]["extra"]) == ("0.9", "1.5", "")
    assert json.loads(shown("json"))[0]["extra"]["value"] == 1.5
    assert shown("markdown").startswith("| ranking | flips, % |")
    assert shown("latex").startswith("\\begin{table*}")
    assert main(["show", str(run_with_results), "--format", "csv", "--details"]) == 2
    said = "--format csv: is the main table alone; leave out --details or it"
    assert said in capsys.readouterr().err


def test_quiet_leaves_results_and_errors(run_with_results, capfd):
    for arguments in (["-q", "show"], ["show", "--quiet"]):
        assert main([*arguments, str(run_with_results)]) == 0
        shown = capfd.readouterr()
        assert "results in" in shown.out
        assert shown.err == ""
    assert main(["show", "-q", "nowhere"]) == 2
    assert capfd.readouterr().err.startswith("eraserhead: error: nowhere: there is no such folder")
