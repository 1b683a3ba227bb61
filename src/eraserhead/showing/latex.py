"""Tables in LaTeX."""

from collections.abc import Sequence

from eraserhead.showing.escapes import latex


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
        r"\centering\small",
        f"\\begin{{tabular}}{{{'l' * names}{'r' * (len(headings) - names)}}}",
        r"\toprule",
        _row(headings),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
        f"\\caption{{{caption}}}",
        f"\\label{{{label}}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(latex(cell) for cell in cells) + r" \\"
