"""``eraserhead families``."""

from eraserhead.cli.config import FamiliesConfig
from eraserhead.patch.families import FAMILIES
from eraserhead.showing.terminal import console, families_view


def run(config: FamiliesConfig) -> None:
    """Print the table of model families."""
    console().print(families_view(FAMILIES))
