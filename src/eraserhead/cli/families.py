"""``eraserhead families``."""

from collections.abc import Mapping

from rich.console import RenderableType

from eraserhead.cli.config import FamiliesConfig
from eraserhead.patch.families import FAMILIES, Family
from eraserhead.showing.terminal import Grid, console


def run(config: FamiliesConfig) -> None:
    """Print the table of model families."""
    console().print(families_view(FAMILIES))


def families_view(families: Mapping[str, Family]) -> RenderableType:
    """Return the table of model families."""
    headings = ("family", "erased through", "decision read from", "erased tokens skipped at `all`")
    table = Grid("Model families in which attention can be erased", "model_type", *headings, left=True)
    for name, family in families.items():
        left_out = "yes" if family.positions is not None else "no"
        table.add_row(name, family.name, family.route.value, family.reads, left_out)
    return table
