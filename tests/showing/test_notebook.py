"""What results show of themselves in a notebook: short, whole, and inert whatever others wrote."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from eraserhead.comparison.compared import Compared, Comparison, Difference, ScoreAgreement
from eraserhead.erasure.held import Erasure
from eraserhead.errors import UserError
from eraserhead.explanation.explained import Explanation, RankingExplained, Word
from eraserhead.method.statistics import Estimate
from eraserhead.showing.notebook import framed_page, grid
from summaries import SETUP, SITE, estimate, full_ranking, full_summary

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(1)">'
ALLOWED = {"div", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "iframe"}


class Shown(HTMLParser):
    """The tags, attributes and text of a fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes |= dict(attrs)

    def handle_data(self, data) -> None:
        self.text += data


def compared(name: str, model: str = "x") -> Compared:
    return Compared(name, f"runs/{name}", model, SITE, "imdb", estimate(0.8))


def comparison(*differences: Difference) -> Comparison:
    return Comparison((compared("A"), compared("B", HOSTILE)), 12, 11, differences, (
        ScoreAgreement("A", "B", "attention", estimate(0.5)),
    ))  # fmt: skip


def difference(measure="fraction", value: float | None = 0.25, corrected: float | None = 0.01, **changes) -> Difference:
    found = Difference("A", "B", "attention", measure, 0.5, 0.75, estimate(value, 0.125, 0.375), 0.001, corrected)
    return replace(found, **changes)


def explanation(text: str = "A fine cast", minimum: float | None = 1) -> Explanation:
    words = [Word("A", 0, 1, 0.3, 0.0, False), Word("fine", 2, 6, 0.7, 0.1, True)]
    rankings = [
        RankingExplained("attention", None, None, "never", None),
        RankingExplained("minimum", minimum, 0.7, "flip", "neg"),
    ]
    return Explanation(text, None, "pos", {"neg": 0.25, "pos": 0.75}, words, rankings, 2, 0, SITE)


def test_results_say_what_they_are_in_a_line():
    """No table, no summary, no thousands of characters."""
    said = repr(Erasure({}, full_summary()))
    assert said.startswith("Erasure(runs/[red]x, site pooling; imdb, split test, 10 documents of two tokens or more; ")
    assert len(said) < 200
    assert repr(comparison(difference(), difference("never", corrected=0.2))) == (
        f"Comparison(A: x, site pooling; B: {HOSTILE}, site pooling; 11 documents; 1 of 2 differences stand out)"
    )
    assert repr(explanation()) == "Explanation(pos (0.750), 2 tokens; minimum erases 1 to flip it)"
    assert repr(explanation(minimum=None)) == "Explanation(pos (0.750), 2 tokens; nothing found flips it)"


def test_a_notebook_shows_the_verdict_and_the_main_table(capsys):
    html = Erasure({}, full_summary())._repr_html_()
    shown = Shown(html)
    assert "Attention has more of an advantage over random orders" in shown.text
    assert "attention90.050.0 [40.0, never]1.525.0" in shown.text
    assert "flips, %median erased, %extra over the minimum" in shown.text
    assert shown.tags.count("tr") == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "html",
    [
        Erasure({}, full_summary(setup=replace(SETUP, model=replace(SETUP.model, name=HOSTILE))))._repr_html_(),
        Erasure({}, full_summary(rankings={HOSTILE: full_ranking(), "attention": full_ranking()}))._repr_html_(),
        comparison(difference(ranking=HOSTILE))._repr_html_(),
        explanation(HOSTILE)._repr_html_(),
        str(grid(HOSTILE, (HOSTILE, "x"), [(HOSTILE, HOSTILE)])),
        str(framed_page(f"<p>{HOSTILE}</p>", HOSTILE)),
    ],
)
def test_what_others_wrote_is_text(html):
    shown = Shown(html)
    assert set(shown.tags) <= ALLOWED
    assert HOSTILE in shown.text or HOSTILE in shown.attributes["srcdoc"]
    assert not re.search(r"<script|<img", html)


def test_a_page_in_a_frame_reaches_nothing_outside_it():
    shown = Shown(str(framed_page("<p>a &amp; b</p>", "x")))
    assert shown.attributes["sandbox"] == "allow-scripts"
    assert shown.attributes["srcdoc"] == "<p>a &amp; b</p>"


def test_the_differences_are_a_data_frame_and_a_table_in_latex():
    none = difference("naopc", None, None, of_first=None, of_second=None, difference=Estimate(None, None, None, 0))
    found = comparison(difference(), none, difference("never", -0.25, 0.2))
    table = found.table()
    assert list(table.measure) == ["fraction", "naopc", "never"]
    row = table.iloc[0]
    assert row[["of_first", "of_second", "difference", "difference_low", "difference_high"]].tolist() == [
        0.5, 0.75, 0.25, 0.125, 0.375,
    ]  # fmt: skip
    assert row.difference_documents == 40
    assert pd.isna(table.difference[1])
    latex = found.to_latex(label="tab:x")
    assert r"B against A & attention & fraction erased until the decision flips & 0.500 & 0.750 & 0.250 [0.125" in latex
    assert latex.count(" \\\\\n") == 3
    assert r"\textless{}script\textgreater{}" in latex
    assert found.to_latex("Mine.").count("\\caption{Mine.}\n\\label{tab:comparison}") == 1


def test_the_figure_of_a_comparison_has_each_difference_and_marks_those_that_stand_out(tmp_path):
    found = comparison(difference(), difference(ranking="gradient", corrected=0.2), difference("never", -0.25))
    drawing = found.plot()
    fraction, never = drawing.figure.axes
    assert [label.get_text() for label in fraction.get_yticklabels()] == ["attention", "gradient"]
    marks = [line for line in fraction.lines if line.get_marker() == "o"]
    assert [(float(mark.get_xdata()[0]), float(mark.get_ydata()[0])) for mark in marks] == [(0.25, 0.0), (0.25, 1.0)]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, True]
    assert [len(mark.get_xdata()) for mark in never.lines if mark.get_marker() == "o"] == [1]
    drawing.save(tmp_path)
    rows = pd.read_csv(tmp_path / "differences.csv")
    np.testing.assert_allclose(rows.difference, [0.25, 0.25, -0.25])
    with pytest.raises(UserError, match="nothing to draw"):
        comparison().plot()
