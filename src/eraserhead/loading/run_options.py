"""Write and read the options of a run in its folder; light imports only, as in `config`.

The first line is a comment with the digest of the others: a damaged file is refused. Who changes the file removes it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import yaml

from eraserhead.digests import CHANGED, digest
from eraserhead.errors import UserError
from eraserhead.files import damaged, read_mapping, write_text
from eraserhead.loading.run_layout import RUN
from eraserhead.records import checked

DIGEST = b"# digest: "  # what the first line begins with
MOVE_IT = "move it out of the model's folder"  # advice about a file that no run wrote

Kind = TypeVar("Kind")


def write_options(folder: Path, config: Any) -> None:
    """Write a command's dataclass of options, in the format that ``--config`` takes."""
    text = yaml.safe_dump(asdict(config), sort_keys=False)
    write_text(folder / RUN.run, f"{DIGEST.decode()}{digest(text.encode())}\n{text}")


def read_options(kind: type[Kind], folder: Path, mend: str = MOVE_IT, section: str | None = None) -> Kind | None:
    """Return the options in a folder, or a section of them, as a dataclass; null if the folder has none.

    Raises:
        UserError: The file is damaged, or contains no options; `mend` says what to do then.
    """
    path = folder / RUN.run
    if not path.is_file():
        return None
    content = read_mapping(path, mend)
    first, _, others = path.read_bytes().partition(b"\n")
    if first.startswith(DIGEST) and first.removeprefix(DIGEST) != digest(others).encode():
        raise UserError(damaged(path, CHANGED, f"if you changed it yourself, remove its first line, else {mend}"))
    return checked(kind, content if section is None else content.get(section), path, mend)
