"""Default folders of runs and results; light imports only, as in `config`.

Two models, data sets or sites never share a folder: a hub id keeps its owner (``owner--name``; no id can contain
``--``), and a path gets a digest of its location.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from eraserhead.loading.run_layout import RUN

RUNS = "runs"  # parent of folders that are not inside a model's folder
OWNER, REVISION, SUBSET, RESULTS = "--", "@", "+", "+"  # hub ids cannot contain these
DIGEST = 8  # hexadecimal digits


def run_folder(pushed_to: str | None, name: str | None, subset: str | None, path: str | None) -> Path:
    """Return the folder of a training run, named after its repository on the hub, or after its data."""
    if pushed_to is not None:
        return Path(RUNS) / _hub_name(pushed_to)
    if name is not None:
        return Path(RUNS) / "".join([_hub_name(name), *([SUBSET, _safe(subset)] if subset else [])])
    return Path(RUNS) / ("unnamed" if path is None else _path_name(path))


def results_folder(
    model: str,
    revision: str | None,
    site: str | None,
    heads: Sequence[int] | None,
    special_tokens: bool | None,
) -> Path:
    """Return the folder of erasure results, in the model's folder or in ``runs``; its name says what is erased."""
    parts = [RUN.erasure]
    if site is not None:
        parts += [_from_the_end(part) for part in site.split(":")]
    if heads is not None:
        parts += ["heads", *map(str, sorted(set(heads)))]
    if special_tokens is False:
        parts += ["without-special-tokens"]
    name = "-".join(map(_safe, parts))
    if Path(model).is_dir():
        return Path(model) / name
    return Path(RUNS) / "".join([_hub_name(model), *([REVISION, _safe(revision)] if revision else []), RESULTS, name])


def _from_the_end(part: str) -> str:
    """Write -1 as ``last`` and -2 as ``last-1``: a minus sign would look like one of the hyphens."""
    if not re.fullmatch(r"-\d+", part):
        return part
    before = -int(part) - 1
    return f"last-{before}" if before else "last"


def _hub_name(name: str) -> str:
    return OWNER.join(map(_safe, name.strip("/").split("/")))


def _path_name(path: str) -> str:
    place = Path(path).expanduser().absolute()
    return f"{_safe(place.stem)}-{sha256(str(place).encode()).hexdigest()[:DIGEST]}"


def _safe(part: str) -> str:
    """Replace characters that some file systems refuse in a name."""
    return re.sub(r"[^\w.-]", "_", part)
