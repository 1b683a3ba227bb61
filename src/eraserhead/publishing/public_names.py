"""Replace local paths by public names."""

import os
import re
from collections.abc import Mapping
from typing import Any

PATHS = (  # keys whose values may be paths
    *("path", "name", "encoder", "_name_or_path", "name_or_path"),
    *("tokenizer_file", "vocab_file", "merges_file", "spm_file", "sp_model_file"),
)
LOCAL = ("output_dir", "is_local", "local_files_only")  # keys that only mean something on this machine


def publishable(content: Any, names: Mapping[str, str], key: str = "") -> Any:
    """Return JSON content without local paths.

    Under the keys in `PATHS`, a path becomes its public name, or its last part if it has none. Everything else stays
    the same, since a class may be called ``/r/news``.

    Args:
        content: The content to publish.
        names: Public names of local paths.
        key: Key of the content in its mapping.
    """
    if isinstance(content, Mapping):
        return {name: publishable(value, names, name) for name, value in content.items() if name not in LOCAL}
    if isinstance(content, (list, tuple)):
        return [publishable(value, names, key) for value in content]
    if not isinstance(content, str) or key not in PATHS:
        return content
    return names.get(content, last_part(content) if is_local(content) else content)


def is_local(value: str) -> bool:
    """Tell whether a value looks like a local path: absolute, or relative to a home or working folder."""
    return os.path.isabs(value) or re.match(r"[A-Za-z]:[\\/]|\\\\|~|\.\.?([\\/]|$)", value) is not None


def last_part(path: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]
