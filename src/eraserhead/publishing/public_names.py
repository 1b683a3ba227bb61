"""What things of this machine are called in public."""

import os
import re
from collections.abc import Mapping
from typing import Any

PATHS = (  # keys whose values may be paths
    *("path", "name", "encoder", "_name_or_path", "name_or_path"),
    *("tokenizer_file", "vocab_file", "merges_file", "spm_file", "sp_model_file"),
)
LOCAL = ("output_dir", "is_local", "local_files_only")  # keys that mean something on this machine alone


def publishable(content: Any, names: Mapping[str, str], key: str = "") -> Any:
    """Return JSON content without local paths.

    Where a path may stand, one that has a public name is replaced by it, any other by its last part. All else stays: a
    class may well be called ``/r/news``.

    Args:
        content: What would be published.
        names: Public names of local paths.
        key: Under which key of a mapping the content stands.
    """
    if isinstance(content, Mapping):
        return {name: publishable(value, names, name) for name, value in content.items() if name not in LOCAL}
    if isinstance(content, (list, tuple)):
        return [publishable(value, names, key) for value in content]
    if not isinstance(content, str) or key not in PATHS:
        return content
    return names.get(content, last_part(content) if is_local(content) else content)


def is_local(value: str) -> bool:
    """Tell whether a value has the form of a path of a machine: absolute, or relative to a home or a working folder."""
    return os.path.isabs(value) or re.match(r"[A-Za-z]:[\\/]|\\\\|~|\.\.?([\\/]|$)", value) is not None


def last_part(path: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
