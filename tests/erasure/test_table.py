"""The main table: its numbers are the summary's, and every way of writing it keeps what is absent absent."""

import csv
import io
import json
import math
import re
from dataclasses import replace

import pandas as pd
import pytest

from eraserhead.erasure.held import Erasure
from eraserhead.erasure.table import FORMATS, MEASURES, main_latex, shown_measures, table_columns
from eraserhead.method.statistics import Estimate
from eraserhead.showing.escapes import latex
from summaries import SETUP, estimate, full_ranking, full_summary


def two_rankings(**changes):
    """A ranking on which half never flip, and one that no document of both flips with, so that nothing is extra."""
    never = replace(
        full_ranking(),
        fraction=replace(full_ranking().fraction, median=Estimate(None, 0.9, None, 40)),
        excess=Estimate(None, None, None, 0),
        optimal=Estimate(0.5, None, None, 3),
    )
    return full_summary(rankings={"attention": full_ranking(), "a_b|%$": never}, **changes)


def test_the_data_frame_has_the_numbers_of_the_summary():
    """Shares .7 + .2 flip; an open end of a median is infinite, an end of too few documents is NaN."""
    table = Erasure({}, two_rankings()).table()
    assert list(table.columns[:5]) == ["ranking", "flips", "flips_low", "flips_high", "flips_documents"]
    assert list(table.ranking) == ["attention", "a_b|%$"]
    attention, never = table.iloc[0], table.iloc[1]
    assert attention[["flips", "flips_low", "flips_high"]].tolist() == pytest.approx([0.9, 0.9, 0.9])
    assert attention[["median_erased", "median_erased_low", "median_erased_high"]].tolist() == [0.5, 0.4, math.inf]
    assert (attention.extra, attention.matches, attention.matches_documents) == (1.5, 0.25, 40)
    assert math.isnan(attention.naopc)
    assert attention.naopc_documents == 0
    assert never[["median_erased", "median_erased_low", "median_erased_high"]].tolist() == [math.inf, 0.9, math.inf]
    assert never[["extra", "extra_low"]].isna().all()
    assert never.matches == 0.5
    assert never[["matches_low", "matches_high"]].isna().all()


def test_the_share_of_flips_turns_the_ends_of_never_around():
    ranking = full_ranking()
    outcomes = ranking.outcomes | {"never": estimate(0.1, 0.05, 0.3)}
    columns = table_columns(full_summary(rankings={"attention": replace(ranking, outcomes=outcomes)}))
    found = [columns[name][0] for name in ("flips", "flips_low", "flips_high")]
    assert found == pytest.approx([0.9, 0.7, 0.95])


def test_csv_and_json_hold_the_same_numbers():
    summary = two_rankings()
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](summary))))
    assert [row["ranking"] for row in rows] == ["attention", "a_b|%$"]
    assert [row["median_erased"] for row in rows] == ["0.5", "inf"]
    assert [row["extra"] for row in rows] == ["1.5", ""]
    read = pd.read_csv(io.StringIO(FORMATS["csv"](summary)))
    pd.testing.assert_frame_equal(read, pd.DataFrame(table_columns(summary)), check_dtype=False)
    first, second = json.loads(FORMATS["json"](summary))
    assert first["median_erased"] == {"value": 0.5, "low": 0.4, "high": None, "count": 40}
    assert second["extra"] == {"value": None, "low": None, "high": None, "count": 0}
    assert first["naopc"] is None


def test_people_see_percent_intervals_and_never():
    """No column of what no ranking has; foreign names stay text; the yardstick has its name."""
    markdown = FORMATS["markdown"](two_rankings())
    assert "| ranking | flips, % | median erased, % | extra over the minimum | matches the minimum, % |" in markdown
    assert "| attention | 90.0 | 50.0 [40.0, never] | 1.5 | 25.0 |" in markdown
    assert "never [90.0, never] | - | 50.0† (n=3) |" in markdown
    assert "NAOPC" not in markdown
    assert "imdb, split test, 10 documents of two tokens or more" in markdown
    inside = FORMATS["markdown"](full_summary(yardstick="best_found"))
    assert "extra over the smallest set found" in inside
    assert [measure.name for measure in shown_measures(full_summary())] == [each.name for each in MEASURES[:-1]]


def test_latex_escapes_what_others_wrote():
    summary = two_rankings(setup=replace(SETUP, model=replace(SETUP.model, name="x_1 & 100% \\input{y}")))
    text = main_latex(summary)
    assert r"a\_b\textbar{}\%\$ & 90.0 & never {\scriptsize {[}90.0,\,never]} & - & 50.0\textdagger{} (n=3) \\" in text
    assert r"x\_1 \& 100\% \textbackslash{}input\{y\}, site pooling" in text
    assert r" & \shortstack[r]{median\\erased, \%} & " in text
    assert text.count(" \\\\\n") == 3
    assert [found[1] for found in re.finditer(r"\\(toprule|midrule|bottomrule)", text)] == [
        "toprule", "midrule", "bottomrule",
    ]  # fmt: skip
    assert main_latex(summary, "My \\emph{caption}.", "tab:x").endswith(
        "\\caption{My \\emph{caption}.}\n\\label{tab:x}\n\\end{table*}\n"
    )


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("[x] y", "{[}x] y"),
        ("*a", "{*}a"),
        ("a~^", r"a\textasciitilde{}\textasciicircum{}"),
        ("a\nb", r"a\textbackslash{}nb"),
    ],
)
def test_latex_takes_no_command_from_a_text(text, escaped):
    assert latex(text) == escaped
