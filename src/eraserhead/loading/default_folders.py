"""Default folders of runs and results; light imports only, as in `config`.

Two models, data sets, sites, choices of labels or thresholds never share a folder: a hub id keeps its owner
(``owner--name``; no id can contain ``--``), and a path gets a digest of its location.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from eraserhead.loading.config import EACH_HEAD, ReadingConfig, SiteConfig
from eraserhead.loading.run_layout import RUN

RUNS = "runs"  # parent of folders that are not inside a model's folder
OWNER, REVISION, SUBSET, RESULTS = "--", "@", "+", "+"  # hub ids cannot contain these
DIGEST = 8  # hexadecimal digits
LONGEST = 60  # characters of the names of labels


def run_folder(pushed_to: str | None, name: str | None, subset: str | None, path: str | None) -> Path:
    """Return the folder of a training run, named after its repository on the hub, or after its data."""
    if pushed_to is not None:
        return Path(RUNS) / _hub_name(pushed_to)
    if name is not None:
        return Path(RUNS) / "".join([_hub_name(name), *([SUBSET, _safe(subset)] if subset else [])])
    return Path(RUNS) / ("unnamed" if path is None else _path_name(path))


def results_folder(model: str, options: SiteConfig) -> Path:
    """Return the folder of erasure results, in the model's folder or in ``runs``; its name says what is erased."""
    return _of_model(model, options, [RUN.erasure, *_what_is_erased(options)])


def atlas_folder(model: str, options: ReadingConfig, layers: Sequence[int] | None, heads: str) -> Path:
    """Return the folder of an atlas, likewise; of some layers, and of heads otherwise than each, its name says so."""
    some = [] if layers is None else ["layers", *(_from_the_end(str(layer)) for layer in sorted(set(layers)))]
    some += [] if heads == EACH_HEAD else ["heads", heads]
    return _of_model(model, options, [RUN.atlas, *some, *_components(options)])


def onnx_folder(model: str, revision: str | None) -> Path:
    """Return the folder of a model's ONNX graph, likewise."""
    return _of_model(model, ReadingConfig(revision=revision), [RUN.onnx])


def _of_model(model: str, options: ReadingConfig, parts: Sequence[str]) -> Path:
    name = "-".join(map(_safe, [*parts, *_what_is_decided(options)]))
    if Path(model).is_dir():
        return Path(model) / name
    revision = [REVISION, _safe(options.revision)] if options.revision else []
    return Path(RUNS) / "".join([_hub_name(model), *revision, RESULTS, name])


def _what_is_erased(options: SiteConfig) -> list[str]:
    parts = [] if options.site is None else [_from_the_end(part) for part in options.site.split(":")]
    heads = [] if options.heads is None else ["heads", *map(str, sorted(set(options.heads)))]
    return parts + _components(options, heads)


def _components(options: ReadingConfig, heads: Sequence[str] = ()) -> list[str]:
    parts = [] if options.components is None else ["by", options.components]
    return [*parts, *heads, *(["without-special-tokens"] if options.special_tokens is False else [])]


def _what_is_decided(options: ReadingConfig) -> list[str]:
    """Return which labels are looked at, of a model that decides label by label, and when one is on."""
    parts = [] if options.target is None else ["target", _label_names(sorted(set(options.target)))]
    if options.threshold is not None:
        on_logit = ["logit"] if options.threshold_on == "logit" else []
        parts += ["threshold", *on_logit, repr(float(options.threshold)).replace("-", "minus", 1)]
    return parts


def _label_names(labels: Sequence[str]) -> str:
    """Join the names of labels; those that are long, or no plain words, get a digest behind them."""
    joined = "-".join(map(_safe, labels))
    if len(joined) <= LONGEST and all(re.fullmatch(r"\w+", label) for label in labels):
        return joined
    return f"{joined[:LONGEST]}-{_digest(repr(labels))}"


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
    return f"{_safe(place.stem)}-{_digest(str(place))}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:DIGEST]


def _safe(part: str) -> str:
    """Replace characters that some file systems refuse in a name."""
    return re.sub(r"[^\w.-]", "_", part)
