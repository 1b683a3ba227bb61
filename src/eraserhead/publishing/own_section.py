"""Our section in a card: how a push marks it, and how the next push finds it again, with the files that it wrote."""

import io
import re
from collections.abc import Iterator, Sequence

from eraserhead.publishing.layout import FRACTIONS_FILE, FURTHER, OF_RESULTS, RESULT_FILES

HEADING = "## What its attention is worth"
OWN_HEADINGS = (HEADING, "### Further results", "### One decision")
# Markers of the section in the owner's card; the files in the first are those that a later push may replace or remove.
BEGIN = "<!-- Begin of what eraserhead wrote; its next push replaces this section, and these files:"
END = "<!-- End of what eraserhead wrote -->"

OPENING_FENCE = re.compile(r"^ {0,3}(`{3,}(?=[^`]*$)|~{3,})")
CLOSING_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*$")
HASH_HEADING = re.compile(r"^ {0,3}#{1,6}(\s|$)")
HTML_BREAK = re.compile(r"^ {0,3}<[a-z!]", re.IGNORECASE)
RULE = re.compile(r"^ {0,3}((\*[ \t]*){3,}|(_[ \t]*){3,})\s*$")  # across the page
OWN_FILE = re.compile(rf"(?<![\w./-])({RESULT_FILES.pattern})(?![\w-]|\.\w)")
FOLDER = re.compile(rf"`({FURTHER}/[\w.-]+/)`")  # of further results
UNDERLINE = re.compile(r"^ {0,3}(=+|(-[ \t]*)+)\s*$")  # of a heading, or a line across the page


def between_markers(section: str, files: Sequence[str]) -> str:
    """Return a section between its markers.

    Args:
        section: The section, its heading first.
        files: The files of the same push, as `RESULT_FILES` knows them.
    """
    return f"{BEGIN} {' '.join(files) or 'none'} -->\n\n{section}\n\n{END}"


def earlier_files(card: str) -> frozenset[str] | None:
    """Return the files that an earlier push wrote, as its section of the card says; null where there is no section."""
    lines = lines_of(card)
    place = _find(lines)
    if place is None:
        return None
    told = lines[place.start]
    if not told.startswith(BEGIN):  # without markers, the section names these files, or the folders that they are in
        section = "".join(lines[place])
        inside = [f"{folder}{name}" for folder in FOLDER.findall(section) for name in OF_RESULTS]
        told = " ".join([section, FRACTIONS_FILE, *inside])
    return frozenset(found[0] for found in OWN_FILE.finditer(told))


def with_section(body: str, section: str, line_end: str) -> str:
    """Return a card's text with a marked section, in the place of an earlier one, else at the end.

    The rest stays to the byte.

    Args:
        body: The text, without the metadata.
        section: The section, between its markers.
        line_end: What ends the section's lines.
    """
    lines, section = lines_of(body), section.replace("\n", line_end)
    place = _find(lines)
    if place is None:
        last = lines[-1] if lines else "\n"
        ended = "" if last.endswith(("\n", "\r")) else line_end
        apart = line_end if ended or last.strip() else ""
        return f"{body}{ended}{apart}{section}{line_end}"
    last = lines[place.stop - 1]
    return "".join([*lines[: place.start], section, last[len(last.rstrip("\r\n")) :], *lines[place.stop :]])


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each with what ends it."""
    return list(io.StringIO(text, newline=""))


def _find(lines: Sequence[str]) -> slice | None:
    """Return the lines of our section: between its markers, or up to where something else begins if they are gone."""
    code = _in_code(lines)
    begin = next((place for place, line in enumerate(lines) if line.startswith(BEGIN)), None)
    if begin is None:  # a marker counts in code too, for a block that is never closed takes in all that follows
        begin = next((place for place, line in enumerate(lines) if line.strip() == HEADING and not code[place]), None)
    if begin is None:
        return None
    end = next((place for place in range(begin, len(lines)) if lines[place].strip() == END), len(lines))
    stop = min((place for place in _breaks(lines, code) if place > begin), default=len(lines))
    if end <= stop and end < len(lines):
        return slice(begin, end + 1)
    while not lines[stop - 1].strip():
        stop -= 1
    return slice(begin, stop)


def _breaks(lines: Sequence[str], code: Sequence[bool]) -> Iterator[int]:
    """Yield where something begins that no section of ours contains: a heading of others, a rule, or HTML."""
    for place, line in enumerate(lines):
        if code[place]:
            continue
        heading = HASH_HEADING.match(line) and line.strip() not in OWN_HEADINGS
        if heading or HTML_BREAK.match(line) or RULE.match(line):
            yield place
        elif UNDERLINE.match(line):
            before = range(place - 1, -1, -1)
            yield next((above + 1 for above in before if code[above] or not _is_text(lines[above])), 0)


def _is_text(line: str) -> bool:
    return bool(line.strip()) and not HASH_HEADING.match(line)


def _in_code(lines: Sequence[str]) -> list[bool]:
    """Tell of each line whether it belongs to a fenced block of code."""
    found, fence = [], ""
    for line in lines:
        if not fence:
            opening = OPENING_FENCE.match(line.rstrip("\r\n"))
            fence = opening[1] if opening else ""
            found.append(bool(fence))
        else:
            found.append(True)
            closing = CLOSING_FENCE.match(line)
            if closing and closing[1].startswith(fence):
                fence = ""
    return found
