"""Tables in LaTeX."""

import re
import textwrap
from collections.abc import Iterable, Sequence

from eraserhead.showing.escapes import latex

HEADING = 13  # characters of a line of a heading, so that five columns with intervals fit on the page of an article
NEW_LINE = r"\\"
THIN_COMMA = r",\,"
INTERVAL = re.compile(r"(?<=\S) (\[[^\]]*\])$")


def latex_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str, names: int = 1
) -> str:
    r"""Return a table over both columns of a page, which needs ``\usepackage{booktabs}``.

    Args:
        headings: Headings of its columns, as plain text.
        rows: Its cells, as plain text.
        caption: Its caption, in LaTeX.
        label: Name to refer to it by.
        names: How many first columns name the rows; the others are numbers.
    """
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
        f"\\begin{{tabular}}{{@{{}}{'l' * names}{'r' * (len(headings) - names)}@{{}}}}",
        r"\toprule",
        _row(map(_heading, headings)),
        r"\midrule",
        *(_row(map(_cell, row)) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        f"\\caption{{{caption}}}",
        f"\\label{{{label}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _heading(text: str) -> str:
    """Break a long heading into lines above each other."""
    lines = [latex(line) for line in textwrap.wrap(text, HEADING, break_long_words=False)]
    return "".join(lines) if len(lines) < 2 else rf"\shortstack[r]{{{NEW_LINE.join(lines)}}}"


def _cell(text: str) -> str:
    """Write a number's interval in smaller type."""
    number, *interval = INTERVAL.split(text)
    if not interval:
        return latex(text)
    return rf"{latex(number)} {{\scriptsize {latex(interval[0]).replace(', ', THIN_COMMA)}}}"
