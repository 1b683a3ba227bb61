"""Commands without options of their own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FamiliesConfig:
    """The table of model families; it has no options."""
