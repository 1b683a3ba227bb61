"""Text, tables and estimates on the terminal; independent of commands and results."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from eraserhead.method.statistics import FEW, Estimate
from eraserhead.showing.escapes import visible

WIDTH = 124  # columns, where the output is not a terminal and COLUMNS says nothing
PROSE = 120  # columns that sentences take at most: longer lines are hard to read
BETWEEN = 4  # columns between two tables
WIDER_THAN_ALL = 10_000  # columns
LINED: dict[str, Any] = {"box": box.HEAVY_HEAD}
OF_A_NUMBER = re.compile(r" (\[|\(n=)")  # what stands behind a number: its interval, or how many it is over
ENDS = re.compile(r"\[([^\[\], ]+), ([^\[\], ]+)\]")
NONE, NEVER = "-", "never"  # a missing number; a number larger than everything, of what never happens
OF_FEW = "†"  # behind a number over few documents
FEW_NOTE = f"{OF_FEW}: over fewer than {FEW} documents; without an interval where they are too few for one."


class Screen(Console):
    """A console that prints strings without markup, and no blanks at the ends of lines."""

    def print(self, *objects: Any, **named: Any) -> None:
        """Print texts, tables and groups of them."""
        super().print(*(each if isinstance(each, str) else Trimmed(each) for each in objects), **named)


def console() -> Screen:
    """Return a console as wide as the terminal; elsewhere as wide as COLUMNS says, else `WIDTH` columns."""
    found = Screen(markup=False, emoji=False)
    if found.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return found
    return Screen(width=WIDTH, markup=False, emoji=False)


@dataclass(frozen=True)
class Trimmed:
    """What is drawn without blanks at the ends of lines.

    Attributes:
        inner: What is drawn.
    """

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its lines, each up to its last character that can be seen."""
        for line in console.render_lines(self.inner, options, pad=False):
            yield from _trimmed(line)
            yield Segment.line()


class Grid:
    """A table of texts: the first column names its rows. It is drawn as wide as the terminal allows.

    Where an interval does not fit behind its number, it stands below it; where that does not fit either, there are no
    lines between columns, and then each end has a line of its own. In a terminal that is still narrower cells take
    several lines, and nothing is cut.

    Args:
        title: What it shows.
        headings: Headings of its columns.
        names_wrap: Whether names may take several lines; else numbers do so first.
        left: Whether all columns are left-aligned, not the first alone.
    """

    def __init__(self, title: str, *headings: str, names_wrap: bool = False, left: bool = False) -> None:
        self.title, self.headings, self.names_wrap, self.left = title, headings, names_wrap, left
        self._sections: list[list[tuple[str, ...]]] = [[]]

    @property
    def row_count(self) -> int:
        """Number of its rows."""
        return sum(map(len, self._sections))

    def add_row(self, *cells: str) -> None:
        """Add a row; control characters are visible, and there is no markup."""
        self._sections[-1].append(cells)

    def add_section(self) -> None:
        """Draw a line below the rows so far, if more follow."""
        self._sections.append([])

    def drawn(self, written: Callable[[str], str] = str, tight: bool = False) -> Table:
        """Return it with its cells as `written` writes them; a `tight` one has no lines between its columns."""
        style: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False, "show_edge": False}
        table = Table(**(style if tight else LINED))
        for place, heading in enumerate(self.headings):
            wraps = place > 0 or self.names_wrap
            side: Any = "left" if place == 0 or self.left else "right"
            table.add_column(literal(heading), justify=side, no_wrap=not wraps, overflow="fold")
        for rows in self._sections:
            for row in rows:
                name, *numbers = map(visible, row)
                table.add_row(Text(name), *(Text(written(number)) for number in numbers))
            table.add_section()
        return table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table in the first way that fits, else in the last."""
        yield Text(visible(self.title), style="bold")
        ways = (
            self.drawn(),
            self.drawn(_stacked),
            self.drawn(_squeezed, tight=True),
            self.drawn(_broken, tight=True),
        )
        wide = options.update(max_width=WIDER_THAN_ALL)
        for table in ways[:-1]:
            if Measurement.get(console, wide, table).maximum <= options.max_width:
                yield table
                return
        yield ways[-1]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width that it has where there is room."""
        wide = options.update(max_width=WIDER_THAN_ALL)
        width = max(len(self.title), Measurement.get(console, wide, self.drawn()).maximum)
        return Measurement(min(width, options.max_width), min(width, options.max_width))


@dataclass(frozen=True)
class Beside:
    """Two tables: beside each other where they fit, else below each other.

    Attributes:
        first: The left one.
        second: The right one.
    """

    first: Grid
    second: Grid

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield them."""
        wide = options.update(max_width=WIDER_THAN_ALL)
        widths = [Measurement.get(console, wide, each).maximum for each in (self.first, self.second)]
        if sum(widths) + BETWEEN <= options.max_width:
            both = Table.grid(padding=(0, BETWEEN, 0, 0))
            both.add_row(self.first, self.second)
            yield both
        else:
            yield from (self.first, Text(), self.second)


def _trimmed(line: Iterable[Segment]) -> list[Segment]:
    """Return the segments of a line without blanks at its end, unless they are coloured."""
    kept = list(line)
    while kept and not kept[-1].text.strip() and not (kept[-1].style and kept[-1].style.bgcolor):
        kept.pop()
    if kept and not (kept[-1].style and kept[-1].style.bgcolor):
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return kept


def prose(text: str, style: str = "") -> RenderableType:
    """Return sentences, which take `PROSE` columns at most; control characters are visible."""
    return Narrow(Text(visible(text), style=style))


def answer(text: str) -> RenderableType:
    """Return sentences below an empty line, of which the first is the answer and stands out."""
    first, dot, rest = text.partition(". ")
    return Narrow(Text("\n").append(visible(first + dot), style="bold").append(visible(rest)))


@dataclass(frozen=True)
class Narrow:
    """What takes `PROSE` columns at most.

    Attributes:
        inner: What is drawn.
    """

    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Any]:
        """Yield it, with less room."""
        yield from console.render(self.inner, options.update(max_width=min(PROSE, options.max_width)))


def literal(text: str) -> Text:
    """Return a text that every console shows literally, without markup and with visible control characters."""
    return Text(visible(text))


def _stacked(cell: str) -> str:
    """Return a cell with its interval, or its count, on a line of its own."""
    return OF_A_NUMBER.sub(r"\n\1", cell, count=1)


def _squeezed(cell: str) -> str:
    """Return the same with a shorter interval: ``[8.7,66.3]``."""
    return ENDS.sub(r"[\1,\2]", _stacked(cell))


def _broken(cell: str) -> str:
    """Return the same with each end of the interval on a line of its own."""
    return ENDS.sub(r"[\1,\n\2]", _stacked(cell))


def interval(estimate: Estimate | None, absent: str = NONE, scale: float = 1, digits: int = 3) -> str:
    """Write an estimate with its interval, and a dagger if it is over few documents; with its count if it has none.

    Args:
        estimate: The estimate; null, or an estimate over no documents, is written as `NONE`.
        absent: Text for a value or an end of the interval that does not exist.
        scale: Factor for the value and the interval.
        digits: Digits after the decimal point.
    """
    if estimate is None or not estimate.count:
        return NONE
    value, low, high = (
        absent if number is None else f"{scale * number:.{digits}f}"
        for number in (estimate.value, estimate.low, estimate.high)
    )
    marked = f"{value}{OF_FEW}" if estimate.of_few else value
    if not estimate.has_interval:
        return f"{marked} (n={estimate.count})"
    return marked if value == low == high else f"{marked} [{low}, {high}]"


def percent(estimate: Estimate | None) -> str:
    """Write a share in percent, with its interval."""
    return interval(estimate, scale=100, digits=1)
