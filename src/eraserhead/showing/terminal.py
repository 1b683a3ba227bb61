"""Text, tables and estimates on the terminal; independent of commands and results."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eraserhead.method.statistics import FEW, Estimate
from eraserhead.showing.escapes import visible

WIDTH = 124  # columns, where the output is not a terminal
NONE, NEVER = "-", "> all"  # a missing number; a number larger than everything
OF_FEW = "†"  # behind a number over few documents
FEW_NOTE = f"{OF_FEW}: over fewer than {FEW} documents; without an interval where they are too few for one."


def console() -> Console:
    """Return a console as wide as the terminal, else `WIDTH` columns wide; strings are printed without markup."""
    found = Console(markup=False, emoji=False)
    return found if found.is_terminal else Console(width=WIDTH, markup=False, emoji=False)


def literal(text: str) -> Text:
    """Return a text that every console shows literally, without markup and with visible control characters."""
    return Text(visible(text))


def new_table(title: str, *headings: str, names_wrap: bool = False) -> Table:
    """Return an empty table: the first column, which names the rows, is left-aligned, the others right-aligned.

    Where the terminal is narrow, cells take several lines; names do so only if `names_wrap`, and nothing is cut.
    """
    table = Table(title=literal(title), title_justify="left", title_style="bold")
    for position, heading in enumerate(headings):
        names = position == 0
        table.add_column(
            literal(heading), justify="left" if names else "right", no_wrap=names and not names_wrap, overflow="fold"
        )
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row whose cells are shown literally."""
    table.add_row(*map(literal, cells))


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
