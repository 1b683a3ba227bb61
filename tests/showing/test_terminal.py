"""What terminals of several widths show: tables in the first way that fits, and no blanks at the ends of lines."""

import io
import re

import pytest
from rich.console import Group
from rich.text import Text

from eraserhead.showing.terminal import PROSE, WIDTH, Grid, Screen, answer, console, prose


def grid(columns: int) -> Grid:
    table = Grid("A title that is longer than the table is wide", "ranking", *(f"n{each}" for each in range(columns)))
    table.add_row("attention", *["0.294 [0.087, 0.663]"] * columns)
    table.add_section()
    table.add_row("minimum", *["never [90.0, never]"] * columns)
    return table


def shown(what, width: int, **named) -> list[str]:
    written = io.StringIO()
    Screen(width=width, file=written, markup=False, emoji=False, **named).print(what)
    return written.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (59, "│ attention │ 0.294 [0.087, 0.663] │ 0.294 [0.087, 0.663] │"),
        (58, "│           │ [0.087, 0.663] │ [0.087, 0.663] │"),
        (47, "│           │ [0.087, 0.663] │ [0.087, 0.663] │"),
        (46, "           [0.087,0.663]  [0.087,0.663]"),
        (37, "           [0.087,  [0.087,"),
        (27, "           [0.087,  [0.087,"),
    ],
)
def test_a_table_is_drawn_in_the_first_way_that_fits(width, expected):
    """Two columns of 20 characters: 13 + 2 * 23 = 59 with lines; of 14: 47; of 13 with a blank: 10 + 28 = 38."""
    lines = shown(grid(2), width)
    assert expected in [line.rstrip() for line in lines]
    assert max(map(len, lines)) <= width
    text = re.sub(r"[^\w.]", "", "".join(lines))
    assert text.count("0.087") == text.count("0.663") == 2
    assert text.count("never") == 4


def test_a_title_is_not_folded_to_the_width_of_its_table():
    assert shown(grid(1), 80)[0] == "A title that is longer than the table is wide"


def test_no_line_ends_in_blanks_unless_they_are_coloured():
    group = Group(Text("word   "), grid(1), Text("  \n\n  x "), Text("shaded  ", style="on red"))
    for width in (30, 80, 200):
        lines = shown(group, width)
        assert [line for line in lines if line != line.rstrip()] in ([], ["shaded  "])
        assert "  x" in lines
    coloured = shown(Text("shaded  ", style="on red"), 80, force_terminal=True, color_system="truecolor")
    assert "shaded  " in coloured[0]


def test_sentences_take_no_more_columns_than_can_be_read():
    text = "word " * 100
    for drawn in (prose(text), answer(text)):
        assert max(map(len, shown(drawn, 200))) in range(PROSE - 5, PROSE + 1)
        assert max(map(len, shown(drawn, 60))) <= 60


def test_the_first_sentence_of_an_answer_stands_out():
    (line,) = [
        line for line in shown(answer("It is 0.5. More."), 80, force_terminal=True, color_system="standard") if line
    ]
    assert line == "\x1b[1mIt is 0.5. \x1b[0mMore."


def test_piped_output_is_as_wide_as_columns_says(monkeypatch):
    for said, width in (("80", 80), ("200", 200), (None, WIDTH), ("wide", WIDTH), ("", WIDTH)):
        if said is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", said)
        assert console().width == width


def test_texts_in_tables_are_shown_literally():
    table = Grid("[red]t", "na\x1bme", "n")
    table.add_row("[bold]x[/]", "\x1b[31m1")
    text = "\n".join(shown(table, 80))
    assert "[red]t" in text
    assert "[bold]x[/]" in text
    assert "\x1b" not in text
    assert r"na\x1bme" in text
