"""Options of `push`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushConfig:
    """A trained classifier to push to the hub.

    Attributes:
        model: Folder of a finished run, or of any classifier that `erase` takes.
        repository: Name on the hub (``user/name``).
        erasure: Folder of the model's erasure results; default: ``erasure`` in its folder, if they are finished.
        private: Create a private repository.
        revision: Branch to push to; created from ``main`` if it does not exist.
        tag: Tag for the pushed commit, such as ``v1``.
        include_texts: Publish the documents too, with their texts (``documents.parquet``).
        license: Licence of the model, by the hub's identifier, such as ``apache-2.0``.
        language: Languages of the documents, as ISO 639 codes, such as ``en``.
        dry_run: Push nothing; write the files into the folder ``hub`` in the model's folder, and print the card.
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
