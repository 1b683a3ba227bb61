"""A classifier on its way to the hub; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushConfig:
    """A trained classifier on its way to the hub.

    Attributes:
        model: Folder of a finished run, or of any classifier that `erase` takes.
        repository: Name on the hub (``user/name``).
        erasure: Folder of the model's erasure results; default: ``erasure`` in its folder, if they are finished.
        private: Create the repository so that nobody else sees it.
        revision: Branch to push to; made from ``main`` where there is none.
        tag: Name to give to what was pushed, such as ``v1``.
        include_texts: Publish the documents too, with their texts (``documents.parquet``).
        license: Licence of the model, by the hub's identifier, such as ``apache-2.0``.
        language: Languages of the documents, as ISO 639 codes, such as ``en``.
        dry_run: Write what would be pushed into the folder ``hub`` in the model's, print the card, and push nothing.
    """

    model: str
    repository: str
    erasure: str | None = None
    private: bool = False
    revision: str = "main"
    tag: str | None = None
    include_texts: bool = False
    license: str | None = None
    language: list[str] | None = None
    dry_run: bool = False
