"""Results in notebooks: fragments of HTML in which everything that comes from outside is text."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from eraserhead.showing.escapes import visible

FRAME = 760  # pixels, height of a page within a notebook
NUMBER = "text-align:right;white-space:nowrap;padding:.15em .6em"
NAME = "text-align:left;padding:.15em .6em"


def fragment(parts: Iterable[Markup]) -> str:
    """Return parts of a notebook's output, one below the other."""
    return str(Markup('<div style="max-width:60em">{}</div>').format(Markup("").join(parts)))


def paragraph(text: str, bold: bool = False, small: bool = False) -> Markup:
    """Return a paragraph of text, as what stands out or as a note."""
    style = "font-weight:600;" * bold + "font-size:85%;opacity:.75;" * small
    return Markup('<p style="margin:.4em 0;{}">{}</p>').format(style, _text(text))


def grid(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], names: int = 1) -> Markup:
    """Return a table whose first columns name its rows; the others are numbers."""
    styles = [NAME if column < names else NUMBER for column in range(len(headings))]
    body = Markup("").join(Markup("<tr>{}</tr>").format(_cells("td", styles, row)) for row in rows)
    return Markup(
        '<table><caption style="text-align:left;font-weight:600">{}</caption><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(_text(title), _cells("th", styles, headings), body)


def framed_page(page: str, title: str) -> Markup:
    """Return a whole page of HTML in a frame of its own, whose scripts reach nothing outside it."""
    return Markup(
        '<iframe srcdoc="{}" sandbox="allow-scripts" title="{}" style="width:100%;height:{}px;border:0"></iframe>'
    ).format(page, _text(title), FRAME)


def _cells(kind: str, styles: Sequence[str], texts: Sequence[str]) -> Markup:
    return Markup("").join(
        Markup('<{} style="{}">{}</{}>').format(kind, style, _text(text), kind)
        for style, text in zip(styles, texts, strict=True)
    )


def _text(text: str) -> Markup:
    return escape(visible(text))
