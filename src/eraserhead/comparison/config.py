"""Settings of a comparison; light imports alone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CompareConfig:
    """A comparison of results on the same documents.

    Attributes:
        results: Folders of finished erasure results, or of the runs that hold them, two or more: of other models,
            layers, heads or seeds.
        output: File that the comparison is written to, as JSON.
    """

    results: list[str]
    output: str = "compare.json"
