"""The ranking of `Ranking`'s own example, registered from outside, is in every output."""

import doctest
import json
import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure
import matplotlib.text
import numpy as np
import pandas as pd
import pytest

from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.results import ResultsFolder
from eraserhead.errors import UserError
from eraserhead.loading.run_layout import RUN
from eraserhead.method.names import Outcome
from eraserhead.publishing.facts import Options
from eraserhead.publishing.model_folder import find_results, read_source
from eraserhead.publishing.publication import write_publication
from eraserhead.rankings import ranking
from eraserhead.rankings.ranking import Ranking
from eraserhead.rankings.registry import register, registered, unregister
from eraserhead.study.cells import Cell
from eraserhead.study.layout import STUDY
from eraserhead.study.paper import write_paper
from tables import frames, scores
from tiny import random_texts, saved_classifier

MINE = "magnitude"
TEXTS = random_texts(29, seed=5)


@dataclass(frozen=True)
class Made:
    """A model, its results with the ranking of somebody's own, and how they were made."""

    model: Path
    config: EraseConfig
    results: ResultsFolder


@pytest.fixture(scope="module", autouse=True)
def example():
    """What the docstring says, done."""
    (test,) = [found for found in doctest.DocTestFinder().find(Ranking, globs=vars(ranking).copy()) if found.examples]
    assert doctest.DocTestRunner().run(test) == (0, 3)
    yield
    unregister(MINE)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("registered")
    model, texts = saved_classifier(folder), folder / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": text, "label": "pos"}) + "\n" for text in TEXTS))
    data = DataConfig(path=str(texts), max_length=12)
    cell = folder / STUDY.cell("imdb", "flan-none")
    config = EraseConfig(model, str(cell / RUN.erasure), data, draws=2, shard_size=11, cpu=True)
    return Made(Path(model), config, erase_to_folder(config))


def test_the_tables_have_it(made):
    """Its scores are the sizes of the gradient before it is scaled, and what is erased follows them."""
    tables, found = frames(made.results), scores(made.results)
    names = [ranking.name for ranking in registered()]
    assert names[-1] == MINE
    assert [*found] == names
    for table in ("flips", "singles"):
        assert set(names) <= set(tables[table].ranking)
    orders = tables["flips"][tables["flips"].ranking == MINE].set_index("id").order
    tops = tables["singles"][tables["singles"].ranking == MINE].set_index("id").top
    probabilities = tables["documents"].set_index("id").probabilities.map(max)
    differing = 0
    for name, own in found[MINE].items():
        assert (np.diff(own[orders[name]]) <= 0).all()
        saturation = probabilities[name] * (1 - probabilities[name])
        assert np.allclose(own * saturation, np.abs(found["gradient"][name]), rtol=1e-9, atol=1e-15)
        assert np.isnan(tops[name]) or tops[name] == orders[name][0]
        differing += int(orders[name][0] != np.argmax(found["gradient"][name]))
    assert differing > 0


def test_the_summary_has_it(made):
    summary, flips = made.results.summary(), frames(made.results)["flips"]
    rows = flips[(flips.ranking == MINE) & (flips.n >= 2)]
    assert summary.rankings[MINE].share(Outcome.FLIP).value == pytest.approx((rows.outcome == "flip").mean())
    assert summary.rankings[MINE].fraction.mean_of_flips.value == pytest.approx(rows.fraction.mean())
    assert summary.tests.keys() == {ranking.name for ranking in registered()}
    others = {*summary.rankings} - {MINE}
    assert {pair.second for pair in summary.pairs if pair.first == MINE} == others


def cells(shown: str) -> list[list[str]]:
    """The words of each line of printed tables, without their borders."""
    return [re.sub(r"[^\w.]", " ", line).split() for line in shown.splitlines()]


def test_the_printed_tables_have_it(made, capsys, monkeypatch):
    """Outcomes, fractions, how far from the minimum, curves, test 1, and a pair with each of the others."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["show", str(made.results.path), "--details"]) == 0
    shown = cells(capsys.readouterr().out)
    others = {*made.results.summary().rankings} - {MINE}
    paired = [{*line[:2]} - {MINE} for line in shown if MINE in line[:2] and others & {*line[:2]}]
    assert sorted(map(str, paired)) == sorted(str({other}) for other in others)
    assert len([line for line in shown if line[:1] == [MINE] and not others & {*line[:2]}]) == 5


def test_explain_has_it(made, capsys):
    assert main(["explain", str(made.model), TEXTS[0], "--cpu"]) == 0
    assert any(line[:1] == [MINE] for line in cells(capsys.readouterr().out))


def published(made: Made, folder: Path, monkeypatch) -> tuple[str, list[str]]:
    """The card, and the legend of its figure."""
    legends: list[str] = []
    save = matplotlib.figure.Figure.savefig

    def saved(figure, *arguments, **options):
        legends.extend(text.get_text() for text in figure.findobj(matplotlib.text.Text))
        save(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    write_publication(
        read_source(made.model, find_results(made.model, [str(made.results.path)])), folder, Options("user/x")
    )
    return (folder / "README.md").read_text(), legends


def test_the_card_has_it(made, tmp_path, monkeypatch):
    card, _ = published(made, tmp_path / "card", monkeypatch)
    assert card.count(f"| {MINE} |") == card.count("| attention |") >= 2
    assert MINE in json.loads((tmp_path / "card" / "summary.json").read_text())["rankings"]


def test_the_figure_of_the_card_has_it(made, tmp_path, monkeypatch):
    _, legends = published(made, tmp_path / "card", monkeypatch)
    assert {ranking.name for ranking in registered()} <= set(legends)


@pytest.fixture(scope="module")
def paper(made, tmp_path_factory) -> Path:
    folder = made.results.path.parent
    written = tmp_path_factory.mktemp("study")
    return write_paper(written, [Cell("imdb", "flan-none", folder)], {}, {})


@pytest.mark.slow
def test_the_figures_of_a_study_have_it(paper):
    tables = [pd.read_csv(path) for path in sorted(paper.parent.rglob("*.csv"))]
    boxes = [table for table in tables if {"ranking", "convention"} <= {*table.columns}]
    assert len(boxes) == 2
    assert all({ranking.name for ranking in registered()} <= {*table.ranking} for table in boxes)


def test_the_paper_has_it(paper):
    """In the headings of the tables that have a column for each ranking, and in rows of its own in the others."""
    lines = [line for line in paper.read_text().splitlines() if line.startswith("|")]
    headings = [line for line in lines if " attention |" in line and " gradient |" in line]
    assert headings
    assert all(f" {MINE} |" in line for line in headings)
    rows = [[name for name in ("attention", MINE) if f"| {name} |" in line] for line in lines if line not in headings]
    assert rows.count(["attention"]) == rows.count([MINE]) > 0


def test_results_of_other_rankings_are_not_continued(made):
    """Shards of which some have the ranking and some have not would be joined in silence."""
    register(Ranking("another", lambda reading: reading.weights))
    try:
        with pytest.raises(UserError, match=r"different: ranking_sources.another, rankings\)"):
            erase_to_folder(made.config)
    finally:
        unregister("another")
    assert erase_to_folder(made.config).summary() == made.results.summary()
