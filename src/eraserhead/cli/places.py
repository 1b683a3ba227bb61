"""What can be told of paths before the libraries are loaded, which takes seconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eraserhead.data.config import DataConfig
from eraserhead.data.places import existing_place, nearest_beside
from eraserhead.errors import Job, UserError

OF_RESULTS = ("results", "parts")  # positional options that are folders of results


def check_places(config: Any, positional: Sequence[str]) -> None:
    """Refuse folders of results, and documents, where there is nothing.

    Raises:
        UserError: It names the path, and what may have been meant.
    """
    for name in positional:
        given = getattr(config, name) if name in OF_RESULTS else ()
        for path in [given] if isinstance(given, str) else given:
            if not Path(path).exists():
                near = nearest_beside(Path(path))
                missing = f"{Path(path)}: there is no such folder"
                raise UserError(missing, near) if near else UserError(missing, "; run ", Job("erase"), " first")
    data = getattr(config, "data", None)
    if isinstance(data, DataConfig) and data.path is not None:
        existing_place(data.path)
