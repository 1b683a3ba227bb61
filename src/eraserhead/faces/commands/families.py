"""``eraserhead families``."""

from eraserhead.faces.tables import console, families_view
from eraserhead.models.families import FAMILIES
from eraserhead.runs.config import FamiliesConfig


def run(config: FamiliesConfig) -> None:
    """Print the table of model families."""
    console().print(families_view(FAMILIES))
