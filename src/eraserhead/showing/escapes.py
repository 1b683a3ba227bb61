r"""Escape untrusted text where it is shown; stored text is not changed.

Documents, class names, column names, names of data sets and models, and error messages that quote them come from files
that anyone may have written. A terminal would obey their control characters, and a Markdown page or a LaTeX table their
markup.
"""

import re

# C0 with the newline and DEL; C1; marks, overrides and isolates that change the direction of writing, and the
# deprecated controls that follow them; Unicode's line and paragraph separators; lone surrogates, which UTF-8 lacks.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")
# HTML marks become entities, which every dialect of Markdown knows; an ampersand that starts no entity needs no escape.
HTML = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
HTML_MARKS = re.compile(r"[<>]|&(?=#?\w+;)")
# An underscore between letters or digits is not emphasis. GitHub turns :// and www. into links without any markup.
MARKS = re.compile(r"[\\`*\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "†": r"\textdagger{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
LATEX_MARKS = re.compile("|".join(map(re.escape, LATEX)))
OPENING = re.compile(r"([-+=]+|\d+[.)])(?=\s|$)")  # start of a list, underline of a heading, or a rule


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with its control characters written as readable escapes, such as ``\x1b``, ``\n`` and ``\u202e``.

    The result is one line, and cannot move the cursor or change colour, title, clipboard or direction of writing. All
    other characters stay the same. Applying it twice changes nothing more.

    Args:
        text: Any text.
        keep: Control characters to keep, such as the newline in a text of several lines.
    """
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def markdown(text: str) -> str:
    r"""Escape a text for one line of Markdown, also in a table cell, a heading or the text of a link.

    By the rules of CommonMark and of GitHub's tables and formulas, the result contains no HTML, link, image, code,
    formula or emphasis, starts no list, heading, quotation or code block, and ends no cell and no link text. Each run
    of white space becomes one blank, as Markdown shows it anyway; other control characters become `visible`. Text
    without Markdown marks, such as ``Society & Culture`` or ``snake_case``, stays the same. Do not escape the result
    again.
    """
    line = MARKS.sub(lambda found: f"\\{found[0]}", visible(" ".join(text.split())))
    line = HTML_MARKS.sub(lambda found: HTML[found[0]], line)
    opening = OPENING.match(line)
    return f"{line[: opening.end() - 1]}\\{line[opening.end() - 1 :]}" if opening else line


def latex(text: str) -> str:
    r"""Escape a text for one line of LaTeX, also in a cell of a table or a caption.

    The result contains no command, group, formula, comment or column mark of the text's own. A bracket or star at its
    start is put into braces, since a line break before it would take it for an argument. Do not escape the result
    again.
    """
    line = LATEX_MARKS.sub(lambda found: LATEX[found[0]], visible(text))
    return f"{{{line[0]}}}{line[1:]}" if line[:1] in {"[", "*"} else line


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
