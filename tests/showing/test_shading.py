"""Shades: readable on every background, stronger the more there is to show, and asked of real terminals alone."""

import os
import select
import sys
import time

import pytest
from rich.console import Console

from eraserhead.showing.shading import BARS, BLACK, FAINT, WHITE, Shading, background, contrast, mixed, read_colour

GROUNDS = [BLACK, WHITE, (30, 30, 46), (0, 43, 54), (253, 246, 227), (128, 128, 128)]


def colours(style: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the colours of the text and of what is behind it."""
    text, behind = style.removeprefix("bold ").split(" on ")
    first, second = (tuple(map(int, each[4:-1].split(","))) for each in (text, behind))
    return first, second


@pytest.mark.parametrize("ground", GROUNDS)
def test_the_stronger_a_word_the_further_its_shade_is_from_the_background_and_all_can_be_read(ground):
    shading = Shading(ground)
    shades = [colours(shading.style(step / 20, False)) for step in range(1, 21)]
    away = [sum(abs(a - b) for a, b in zip(behind, ground, strict=True)) for _, behind in shades]
    assert away == sorted(away)
    assert away[0] > 20
    assert min(contrast(text, behind) for text, behind in shades) >= 4.5
    assert shading.style(0.9 * FAINT, False) == ""
    assert shading.style(7.0, True) == f"bold {shading.style(1.0, False)}"
    assert shading.mark(1.0) == ""


def test_bars_grow_with_strength():
    """An eighth of the scale is one bar."""
    assert [Shading().mark(share / 8 + 0.06) for share in range(8)] == list(BARS)
    assert (Shading().mark(1.0), Shading().mark(3.0), Shading().mark(0.9 * FAINT)) == (BARS[-1], BARS[-1], "")


def test_contrast_is_that_of_the_web():
    """21 between black and white; #777777 on white has 4.48."""
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.005)
    assert mixed(BLACK, (200, 100, 50), 0.5) == (100, 50, 25)


@pytest.mark.parametrize(
    ("answer", "colour"),
    [
        ("\x1b]11;rgb:ffff/8000/0000\x1b\\", (255, 128, 0)),
        ("\x1b]11;rgb:ff/80/00\x07\x1b[?62;c", (255, 128, 0)),
        ("\x1b[?62;c", None),
        ("", None),
    ],
)
def test_answers_of_terminals(answer, colour):
    assert read_colour(answer) == colour


def test_colorfgbg_is_believed(monkeypatch):
    for said, colour in (("15;0", BLACK), ("0;15", WHITE), ("0;default;7", WHITE), ("7;8", BLACK)):
        monkeypatch.setenv("COLORFGBG", said)
        assert background() == colour


def test_without_colours_there_is_no_question(monkeypatch):
    monkeypatch.setattr("eraserhead.showing.shading.background", lambda: pytest.fail("asked"))
    plain = Console(file=open(os.devnull, "w"))  # noqa: SIM115
    assert Shading.on(plain) == Shading()
    for named in ({"no_color": True}, {"color_system": "standard"}):
        assert Shading.on(Console(force_terminal=True, **({"color_system": "truecolor"} | named))).underlined


PROGRAM = "from eraserhead.showing.shading import background; print('found', background(), flush=True)"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\\x1b[?62;c", "found (30, 30, 46)"),
        (b"\x1b[?62;c", "found None"),
        (b"", "found None"),
    ],
    ids=["knows", "does not know", "is silent"],
)
def test_a_terminal_is_asked(answer, found):
    """A real pseudo-terminal whose other end answers, or does not; nothing of the answer is left to be read."""
    pty = pytest.importorskip("pty")
    child, terminal = pty.fork()
    if child == 0:
        environment = {name: value for name, value in os.environ.items() if name not in ("COLORFGBG", "TERM")}
        environment |= {"TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(sys.path)}
        os.execve(sys.executable, [sys.executable, "-c", PROGRAM], environment)
    said, until = b"", time.monotonic() + 60
    while b"found" not in said and time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 4096)
            except OSError:  # the other end is closed
                break
        if b"\x1b]11;?" in said and answer:
            os.write(terminal, answer)
            answer = b""
    os.waitpid(child, 0)
    os.close(terminal)
    assert found in said.decode()
