"""Find the erasure results that a folder means: its own, or those inside a run."""

from pathlib import Path

from eraserhead.erasure.results import RESULTS, ResultsFolder
from eraserhead.errors import UserError, listed

ATLAS_SETUP = "atlas-setup.json"  # marks the folder of an atlas


def found_results(folder: Path) -> ResultsFolder:
    """Return the results in a folder, or the only ones in the folders inside it, as in that of a run, else in theirs.

    Where there are none, those of the folder itself are returned, for whoever reads them to say so. What a dry run of
    `push` has left has no setup, and is passed over.

    Raises:
        UserError: There are several, or the folder is that of an atlas.
    """
    if _has_results(folder) or not folder.is_dir():
        return ResultsFolder(folder)
    if (folder / ATLAS_SETUP).is_file():
        raise UserError(
            f"{folder}: holds an atlas, and no erasure results; the atlas has its picture and its page there already"
        )
    inside = _inside(folder, "*") or _inside(folder, "*/*")
    if len(inside) > 1:
        raise UserError(f"{folder}: holds several erasure results; give one of {listed(map(str, inside))}")
    return ResultsFolder(inside[0] if inside else folder)


def _inside(folder: Path, pattern: str) -> list[Path]:
    found = (each for each in folder.glob(pattern) if _has_results(each))
    return sorted(each for each in found if (each / RESULTS.setup).is_file())


def _has_results(folder: Path) -> bool:
    """Tell whether a folder holds erasure results, finished or unfinished; that of a run has a setup too."""
    return (folder / RESULTS.summary).is_file() or (folder / RESULTS.shards).is_dir()
