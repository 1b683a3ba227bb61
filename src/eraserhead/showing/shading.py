"""Shade words on a terminal: in steps away from its own background, and by small bars where that is not known."""

import os
import re
import select
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from rich.console import Console

Colour = tuple[int, int, int]  # red, green, blue, from 0 to 255

FAINT = 0.05  # share of the strongest below which nothing is shaded
LEAST = 0.15  # how far from the background to the strongest colour the weakest shade lies
STRONGEST: Colour = (240, 125, 25)  # orange, which stands out from black and from white
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
BARS = "▁▂▃▄▅▆▇█"
MANY_COLOURS = ("truecolor", "256")  # what a scale takes
LIGHT = (7, *range(9, 16))  # numbers of light backgrounds in COLORFGBG
# A question that terminals which know it answer with their background, and one that all of them answer.
BACKGROUND, WHO = "\x1b]11;?\x1b\\", "\x1b[c"
ANSWER = re.compile(r"\x1b\]11;rgba?:([0-9a-f]+)/([0-9a-f]+)/([0-9a-f]+)", re.IGNORECASE)
LAST = re.compile(r"\x1b\[\?[\d;]*c")
PATIENCE = 0.2  # seconds for each part of an answer


@dataclass(frozen=True)
class Shading:
    """How the strength of a word is shown.

    Attributes:
        ground: The terminal's background; null where it is not known, or where there are no colours.
        underlined: Whether strong words are underlined, where `ground` is null; off where the output is no terminal.
    """

    ground: Colour | None = None
    underlined: bool = False

    @classmethod
    def on(cls, console: Console) -> Self:
        """Return the shading for a console."""
        if not console.is_terminal:
            return cls()
        if console.no_color or console.color_system not in MANY_COLOURS:
            return cls(underlined=True)
        ground = background()
        return cls(ground, underlined=ground is None)

    def style(self, strength: float, bold: bool) -> str:
        """Return the style of a word.

        Args:
            strength: From 0 to 1, the strongest word's; above 1 counts as 1.
            bold: Whether it is bold, too.
        """
        parts = ["bold"] * bold
        if strength >= FAINT and self.ground is not None:
            colour = mixed(self.ground, STRONGEST, LEAST + (1 - LEAST) * min(strength, 1.0))
            text = max((BLACK, WHITE), key=lambda each: contrast(each, colour))
            parts.append(f"{_written(text)} on {_written(colour)}")
        elif strength >= 0.5 and self.underlined:
            parts.append("underline")
        return " ".join(parts)

    def mark(self, strength: float) -> str:
        """Return what stands behind a word where no colour shows its strength: a bar, or nothing."""
        if self.ground is not None or strength < FAINT:
            return ""
        return BARS[min(int(strength * len(BARS)), len(BARS) - 1)]


def background() -> Colour | None:
    """Return the colour of the terminal's background: as COLORFGBG says, else as the terminal answers; null if not."""
    said = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    if said.isdigit():
        return WHITE if int(said) in LIGHT else BLACK
    if os.name != "posix" or os.environ.get("TERM") == "dumb" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    with suppress(OSError):  # it is not ours to ask, as in a background job
        return read_colour(_asked())
    return None


def read_colour(answer: str) -> Colour | None:
    """Read a terminal's answer, ``rgb:1e1e/1e1e/1e1e`` after its escape; null where there is no colour in it."""
    found = ANSWER.search(answer)
    if found is None:
        return None
    red, green, blue = (round(255 * int(part, 16) / (16 ** len(part) - 1)) for part in found.groups())
    return red, green, blue


def _asked() -> str:
    """Ask the terminal, and return what it answers."""
    import termios  # noqa: PLC0415 - not on Windows
    import tty  # noqa: PLC0415

    descriptor, answer = sys.stdin.fileno(), ""
    if os.tcgetpgrp(descriptor) != os.getpgrp():
        return answer
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSAFLUSH)
        os.write(sys.stdout.fileno(), (BACKGROUND + WHO).encode())
        while not LAST.search(answer) and select.select([descriptor], [], [], PATIENCE)[0]:
            answer += os.read(descriptor, 256).decode(errors="replace")
    except termios.error:
        return ""
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    return answer


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour that lies this share of the way from the first to the second."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(first, second, strict=True))
    return red, green, blue


def contrast(first: Colour, second: Colour) -> float:
    """Return how much two colours differ in brightness: from 1 to 21, and 4.5 is enough to read (WCAG 2)."""
    dark, light = sorted(map(_luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (x / 255 for x in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _written(colour: Colour) -> str:
    return f"rgb({','.join(map(str, colour))})"
