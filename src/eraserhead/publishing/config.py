"""Options of `push`; light imports only, so that ``--help`` stays quick."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PushConfig:
    """What is pushed to the hub, and how.

    Attributes:
        model: Folder of a finished run, or folder or hub id of any classifier that `erase` takes. The repository of a
            hub id gets results and a section of its card; all else in it stays. With `dataset`, also a folder of
            erasure results.
        repository: Name on the hub (``user/name``); default: the hub id.
        erasure: Folders of the model's erasure results, at several sites or on several data sets; the first stand first
            in the card. Default: ``erasure`` in its folder, if they are finished.
        as_pull_request: Open a pull request, which the repository's owner may merge.
        dataset: Push the results alone, as a data set.
        examples: Texts of yours, which become the widget's examples. The card explains the decision on the first.
        page: Push ``page.html`` too, on which one erases words by hand: of the examples, or of the documents with
            `include_texts`.
        include_texts: Publish the documents too, with their texts (``documents.parquet``).
        private: Create a private repository.
        revision: Branch to push to; created from ``main`` if it does not exist.
        tag: Tag for the pushed commit, such as ``v1``.
        license: Licence of what is pushed, by the hub's identifier, such as ``apache-2.0``.
        license_name: Name of a licence that the hub has no identifier for (``license other``).
        license_link: Address of the text of that licence, or the name of its file in the repository.
        language: Languages of the documents, as ISO 639 codes, such as ``en``.
        trust_remote_code: Push a model that is Python code of its folder together with that code, which runs here to
            check it, with all your rights on this machine; read it first.
        dry_run: Push nothing; write the files into the folder ``hub`` in the model's folder, or beside the results
            where these alone are pushed (``erasure-hub``), and print the card.
    """

    model: str
    repository: str | None = None
    erasure: list[str] | None = None
    as_pull_request: bool = False
    dataset: bool = False
    examples: list[str] | None = None
    page: bool = False
    include_texts: bool = False
    private: bool = False
    revision: str = "main"
    tag: str | None = None
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    language: list[str] | None = None
    trust_remote_code: bool = False
    dry_run: bool = False
