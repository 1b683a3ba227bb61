r"""Text of others made harmless where it is shown; what is stored stays as it was.

Documents, class names, column names, the names of data sets and models, and whatever an error message quotes of them
come from files that anyone may have written. A terminal obeys control characters in them, a Markdown page its markup.
"""

import re

# C0 with the newline and DEL; C1; the marks, overrides and isolates that change the direction of writing, with the
# deprecated controls behind them; Unicode's own line and paragraph ends; lone surrogates, which no file can hold.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
# HTML by entities, which every dialect of Markdown knows; an ampersand that begins no entity means itself.
HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
HTML_MARKS = re.compile(r"[<>]|&(?=#?\w+;)")
# An underscore between letters or digits emphasises nothing. GitHub makes links of :// and www. without any markup.
MARKS = re.compile(r"[\\`*\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
OPENING = re.compile(r"([-+=]+|\d+[.)])(?=\s|$)")  # of a list, a heading's underline, a rule


def visible(text: str, keep: str = "") -> str:
    r"""Return a text whose control characters are escapes that can be read, such as ``\x1b``, ``\n`` and ``\u202e``.

    What is returned moves no cursor, changes no colour, title, clipboard or direction of writing, and is one line. All
    other characters are as they were. Done twice, it is as done once.

    Args:
        text: Any text.
        keep: Control characters that stay, such as the newline where the text may have lines of its own.
    """
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def markdown(text: str) -> str:
    r"""Return a text as Markdown that shows it: one line, inside a cell of a table, a heading or a link's text too.

    It holds no HTML, link, image, code, formula or emphasis, begins no list, heading, quotation or block of code, and
    ends no cell and no link's text, by the rules of CommonMark and of GitHub's tables and formulas. White space
    is one blank, as Markdown shows it anyway; other control characters are `visible`. Text without marks of Markdown,
    such as ``Society & Culture`` or ``snake_case``, is as it was. What is returned is Markdown, and is not to be
    escaped again.
    """
    line = MARKS.sub(lambda found: f"\\{found[0]}", visible(" ".join(text.split())))
    line = HTML_MARKS.sub(lambda found: HTML[found[0]], line)
    opening = OPENING.match(line)
    return f"{line[: opening.end() - 1]}\\{line[opening.end() - 1 :]}" if opening else line


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
