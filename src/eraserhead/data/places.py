"""Whether there is something at a path, told before any library is loaded."""

import stat
from pathlib import Path

from eraserhead.errors import Setting, UserError, nearest


def existing_place(path: str) -> Path:
    """Return an existing file or folder.

    Raises:
        UserError: There is none, or it is a device, which need not end.
    """
    setting = Setting("data.path", path)
    try:
        place = Path(path).expanduser()
        mode = place.stat().st_mode
    except FileNotFoundError:
        near = nearest_beside(Path(path).expanduser())
        raise UserError(setting, f": there is no such file or folder{near}") from None
    except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL inside, no such user, not permitted
        raise UserError(
            setting, f": no path of a file or folder ({getattr(error, 'strerror', None) or error})"
        ) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(setting, ": neither a file nor a folder, but a device or a pipe; write it to a file first")
    return place


def nearest_beside(place: Path) -> str:
    """Return the hint for the name that may have been meant by a path at which there is nothing."""
    siblings = [sibling.name for sibling in place.parent.iterdir()] if place.parent.is_dir() else []
    return nearest(place.name, siblings)
