"""Where documents come from, as results keep it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Provenance:
    """Where documents come from; `dataclasses.asdict` makes it fit for JSON.

    Attributes:
        name: Named set or hub id, if any.
        path: Folder or file that was read, if any.
        subset: Configuration of the hub data set.
        revision: Commit of the hub data set where it is known, else the revision asked for.
        split: Split that the rows come from, as in the ids.
        text_columns: Columns joined into the text.
        pair_column: Column of the second sequence, if any.
        label_column: Column of the gold class; None where the source has none.
        cleaned: Whether the named set's escapes were undone.
        documents: Documents used.
        available: Rows of the split.
        seed: Seed of the sample.
    """

    name: str | None
    path: str | None
    subset: str | None
    revision: str | None
    split: str
    text_columns: list[str]
    pair_column: str | None
    label_column: str | None
    cleaned: bool
    documents: int
    available: int
    seed: int
