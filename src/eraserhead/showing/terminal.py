"""Text, tables and estimates on the terminal; knows no command and no result."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eraserhead.method.statistics import Estimate
from eraserhead.showing.escapes import visible

WIDTH = 124  # where the output is not a terminal
NONE, NEVER = "-", "> all"  # there is no such number; it is larger than everything


def console() -> Console:
    """Return a console as wide as the terminal, and of a fixed width elsewhere; strings have no markup there."""
    found = Console(markup=False, emoji=False)
    return found if found.is_terminal else Console(width=WIDTH, markup=False, emoji=False)


def literal(text: str) -> Text:
    """Return a text that any console shows as it is: without markup, its control characters visible."""
    return Text(visible(text))


def new_table(title: str, *headings: str) -> Table:
    """Return an empty table: what the rows are on the left, numbers on the right."""
    table = Table(title=literal(title), title_justify="left", title_style="bold")
    for position, heading in enumerate(headings):
        table.add_column(literal(heading), justify="left" if position == 0 else "right")
    return table


def add_row(table: Table, *cells: str) -> None:
    """Add a row whose cells are shown as they are."""
    table.add_row(*map(literal, cells))


def interval(estimate: Estimate | None, absent: str = NONE, scale: float = 1, digits: int = 3) -> str:
    """Write an estimate with its interval.

    Args:
        estimate: The estimate; null, and one over no document, is written as `NONE`.
        absent: What stands for an end, or a value, that does not exist.
        scale: What it is multiplied with.
        digits: Digits behind the point.
    """
    if estimate is None or not estimate.count:
        return NONE
    value, low, high = (
        absent if number is None else f"{scale * number:.{digits}f}"
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return value if value == low == high else f"{value} [{low}, {high}]"


def percent(estimate: Estimate | None) -> str:
    """Write a share in percent, with its interval."""
    return interval(estimate, scale=100, digits=1)
