"""Results of two models on the same documents, compared document by document, against pandas and scipy."""

import io
import json
import shutil

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import kendalltau

import eraserhead
from eraserhead.cli.main import main
from eraserhead.comparison.compared import Comparison, Difference
from eraserhead.comparison.view import comparison_view
from eraserhead.errors import UserError
from eraserhead.method.statistics import Estimate
from eraserhead.records import read_record
from tiny import sentence_texts, tiny_classifier, tiny_hierarchical, tiny_tokenizer

TEXTS = [*sentence_texts(17), "good"]  # the last has one component
ROWS = [{"id": f"d{number}", "text": text} for number, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def erased(tmp_path_factory):
    """Results of three models; the second has other weights, the third reads sentence by sentence."""
    folder = tmp_path_factory.mktemp("results")
    models = [tiny_classifier(folder / str(seed), seed=seed) for seed in (0, 1)]
    models.append(tiny_hierarchical(folder / "hierarchical"))
    return [
        eraserhead.erase(model, ROWS, tokenizer=tiny_tokenizer(), draws=2, output_dir=folder / f"r{number}")
        for number, model in enumerate(models)
    ], folder


def restricted(erasure, ranking):
    """The fraction of each document with two components or more, 1 where it never flips, a mean over draws."""
    flips = erasure.flips
    own = flips[(flips.ranking == ranking) & (flips.n > 1)]
    return own.fraction.fillna(1.0).groupby(own.id, sort=False).mean()


@pytest.mark.parametrize("ranking", ["attention", "random"])
def test_differences_are_those_of_the_documents(erased, ranking):
    results, _ = erased
    found = eraserhead.compare(results[:2])
    assert (found.documents, found.analysed) == (18, 17)
    assert [each.name for each in found.results] == ["A", "B"]
    own = {each.measure: each for each in found.differences if each.ranking == ranking}
    first, second = (restricted(each, ranking) for each in results[:2])
    assert own["fraction"].of_first == pytest.approx(first.mean())
    assert own["fraction"].of_second == pytest.approx(second.mean())
    assert own["fraction"].difference.value == pytest.approx((second - first).mean())
    assert own["fraction"].difference.low < own["fraction"].difference.value < own["fraction"].difference.high
    shares = [each.flips.query(f"ranking == '{ranking}' and n > 1").outcome.eq("flip").mean() for each in results[:2]]
    assert own["flip"].difference.value == pytest.approx(shares[1] - shares[0])
    areas = [each.tables["curves"].to_pandas().query(f"ranking == '{ranking}' and n > 1").aopc for each in results[:2]]
    assert own["aopc"].difference.value == pytest.approx(areas[1].mean() - areas[0].mean())


def test_results_are_found_inside_runs(erased, tmp_path):
    _, folder = erased
    for number in range(2):
        shutil.copytree(folder / f"r{number}", tmp_path / f"run{number}" / "erasure")
    runs = [tmp_path / f"run{number}" for number in range(2)]
    inside = [run / "erasure" for run in runs]
    assert eraserhead.compare(runs) == eraserhead.compare(inside)
    assert eraserhead.read(runs[0]).summary == eraserhead.read(inside[0]).summary
    assert eraserhead.explore(runs, cpu=True) == inside[0] / "page.html"
    assert {file.parent for file in eraserhead.plot(runs[0], output=tmp_path)} == {tmp_path}


def test_scores_agree_by_the_mean_of_kendalls_tau(erased):
    results, _ = erased
    found = eraserhead.compare(results[:2])
    frames = [each.signals.query("ranking == 'gradient'").set_index("id").scores for each in results[:2]]
    taus = [kendalltau(frames[0][name], frames[1][name]).statistic for name in frames[0].index[:17]]
    (own,) = [each for each in found.agreements if each.ranking == "gradient"]
    assert own.tau.value == pytest.approx(np.nanmean(taus))
    (itself,) = [each for each in eraserhead.compare([results[0]] * 2).agreements if each.ranking == "gradient"]
    assert itself.tau.value == pytest.approx(1)


def test_a_result_does_not_differ_from_itself_and_nothing_stands_out(erased):
    results, _ = erased
    found = eraserhead.compare([results[0], results[0]])
    assert {each.difference.value for each in found.differences} <= {0.0, None}
    assert {each.p_value for each in found.differences} == {None}
    assert not any(each.significant for each in found.differences)


def test_every_share_of_outcomes_that_a_result_has_is_printed_even_where_both_are_alike(erased):
    results, _ = erased
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(comparison_view(eraserhead.compare([results[2], results[2]])))
    counts = (
        results[2]
        .flips.query("n > 1 and not ranking.str.startswith('shuffled')")
        .groupby("ranking")
        .outcome.value_counts()
        .unstack(fill_value=0)
    )
    assert console.export_text().count("flip with nothing left") == (counts.bias_only > 0).sum() > 0


def test_three_results_are_compared_in_pairs_and_other_units_are_named(erased):
    results, _ = erased
    found = eraserhead.compare(results)
    assert {(each.first, each.second) for each in found.differences} == {("A", "B"), ("A", "C"), ("B", "C")}
    assert {(each.first, each.second) for each in found.agreements} == {("A", "B")}
    tested = [each for each in found.differences if each.p_value is not None]
    smallest = min(tested, key=lambda each: each.p_value)
    assert smallest.corrected == pytest.approx(min(1, smallest.p_value * len(tested)))
    console = Console(width=110, record=True, file=io.StringIO())
    console.print(comparison_view(found))
    said = " ".join(console.export_text().split())
    assert "C: sentences" in said
    assert "C against B" in said


def test_from_the_command_line(erased, tmp_path, monkeypatch, capsys):
    _, folder = erased
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(folder / "r0"), str(folder / "r1")]) == 0
    assert main(["compare", str(folder / "r0"), str(folder / "r1")]) == 0  # an earlier comparison is replaced
    assert "B against A" in capsys.readouterr().out
    written = read_record(Comparison, tmp_path / "compare.json", "")
    assert written.results[1].results == str(folder / "r1")
    (tmp_path / "mine.json").write_text(json.dumps({"my": "notes"}))
    assert main(["compare", str(folder / "r0"), str(folder / "r1"), "--output", "mine.json"]) == 2
    assert json.loads((tmp_path / "mine.json").read_text()) == {"my": "notes"}


def test_other_documents_are_refused_with_what_is_shared(erased):
    results, folder = erased
    model = tiny_classifier(folder / "other")
    rows = [*ROWS[:5], {"id": "d5", "text": "another text"}, {"id": "x", "text": "never bad"}]
    other = eraserhead.erase(model, rows, tokenizer=tiny_tokenizer(), draws=1)
    with pytest.raises(UserError, match="not the same documents: 18 and 7, of which 5 have the same id and text"):
        eraserhead.compare([results[0], other])


@pytest.mark.parametrize("given", [[], ["runs/demo"], "runs/demo", [1, 2]], ids=str)
def test_what_is_no_list_of_results_is_refused(given):
    with pytest.raises(UserError, match="give"):
        eraserhead.compare(given)


@pytest.mark.parametrize(
    ("low", "high", "corrected", "stands_out"),
    [(0.1, 0.4, 0.01, True), (-0.1, 0.4, 0.01, False), (-0.4, -0.1, 0.01, True), (0.1, 0.4, 0.2, False),
     (None, None, 0.01, True), (0.1, 0.4, None, False)],
)  # fmt: skip
def test_what_stands_out_has_an_interval_without_0(low, high, corrected, stands_out):
    found = Difference("A", "B", "attention", "aopc", 0.1, 0.2, Estimate(0.1, low, high, 20), corrected, corrected)
    assert found.significant == stands_out
