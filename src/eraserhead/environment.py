"""The package versions and the platform that a result was computed with."""

import platform
from dataclasses import dataclass
from importlib.metadata import version

PACKAGES = (
    "eraserhead",
    "torch",
    "transformers",
    "datasets",
    "accelerate",
    "tokenizers",
    "sentencex",
    "numpy",
    "pyarrow",
)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where something was computed.

    Attributes:
        python: Version of Python.
        platform: Operating system and processor architecture.
        versions: Versions of the packages by name.
    """

    python: str
    platform: str
    versions: dict[str, str]


def environment() -> Environment:
    """Return the environment of this process."""
    return Environment(
        python=platform.python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        versions={package: version(package) for package in PACKAGES},
    )
