"""Tables in Markdown."""

from collections.abc import Sequence

from eraserhead.showing.escapes import markdown


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first column, untrusted text, is escaped and left-aligned, and the others right-aligned."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *([markdown(name), *cells] for name, *cells in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
