"""The file of a page: its name is checked before any work, and it is written whole."""

from collections.abc import Iterable
from pathlib import Path

from eraserhead.errors import Setting, UserError
from eraserhead.files import replacing

ENDINGS = (".html", ".htm")


def page_file(setting: str, name: str) -> Path:
    """Return the path of a page that a setting names.

    Raises:
        UserError: No page can be there.
    """
    path, given = Path(name), Setting(setting, name)
    if "\0" in name:
        raise UserError(given, ": no path holds a NUL character")
    if path.suffix.lower() not in ENDINGS:
        raise UserError(given, f": the page is HTML; give the name of a file that ends in {ENDINGS[0]}")
    if path.is_dir():
        raise UserError(given, ": is a folder; give the name of a file")
    return path


def write_page(path: Path, parts: Iterable[str]) -> None:
    """Write a page of these parts."""
    with replacing(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)
