"""Configs of commands that have no options."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FamiliesConfig:
    """`families` has no options."""
