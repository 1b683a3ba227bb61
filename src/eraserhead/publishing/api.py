"""Pushing from Python."""

from collections.abc import Sequence
from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.pushing import push_to_hub
from eraserhead.publishing.target import MAIN, Pushed
from eraserhead.settings import as_list


def push(
    model: str | Path,
    repository: str | None = None,
    *,
    erasure: str | Path | Sequence[str | Path] | None = None,
    as_pull_request: bool = False,
    dataset: bool = False,
    examples: str | Sequence[str] | None = None,
    page: bool = False,
    include_texts: bool = False,
    private: bool = False,
    revision: str = MAIN,
    tag: str | None = None,
    license: str | None = None,
    license_name: str | None = None,
    license_link: str | None = None,
    language: str | Sequence[str] | None = None,
    trust_remote_code: bool = False,
    dry_run: bool = False,
) -> Pushed:
    """Push a classifier and its erasure results to the hub, with a card that says what its attention is worth.

    Args:
        model: Folder of a finished run, or folder or hub id of any classifier that `eraserhead.erase` takes. The
            repository of a hub id gets results and a section of its card; all else in it stays. With `dataset`, also a
            folder of erasure results.
        repository: Name on the hub (``user/name``); default: the hub id.
        erasure: Folder of the model's erasure results, or several, of which the first stand first in the card;
            default: ``erasure`` in its folder, if they are finished.
        as_pull_request: Open a pull request, which the repository's owner may merge.
        dataset: Push the results alone, as a data set.
        examples: Texts of yours, which become the widget's examples; the card explains the decision on the first.
        page: Push ``page.html`` too, on which one erases words by hand: of the examples, or of the documents with
            `include_texts`.
        include_texts: Publish the documents too, with their texts.
        private: Create a private repository.
        revision: Branch to push to; created from ``main`` if it does not exist.
        tag: Tag for the pushed commit, such as ``v1``.
        license: Licence of what is pushed, by the hub's identifier, such as ``apache-2.0``.
        license_name: Name of a licence that the hub has no identifier for (``license="other"``).
        license_link: Address of the text of that licence, or the name of its file in the repository.
        language: One or more languages of the documents, as ISO 639 codes, such as ``en``.
        trust_remote_code: Push a model that is Python code of its folder together with that code, which runs here to
            check it.
        dry_run: Push nothing; write the files into the folder ``hub`` in the model's folder, or beside the results
            where these alone are pushed (``erasure-hub``).

    Returns:
        The commit, whether it is new, and its address; after a dry run no commit, and the folder as the address.

    Raises:
        UserError: The model may not be published, or the hub refuses.
    """
    if not isinstance(model, (str, Path)):
        raise UserError(f"model is a {type(model).__name__}; give the folder that it is saved in")
    folders = [erasure] if isinstance(erasure, (str, Path)) else as_list(erasure)
    return push_to_hub(
        PushConfig(
            model=str(model),
            repository=repository,
            erasure=[str(each) for each in folders] if isinstance(folders, list) else folders,
            as_pull_request=as_pull_request,
            dataset=dataset,
            examples=[examples] if isinstance(examples, str) else as_list(examples),
            page=page,
            include_texts=include_texts,
            private=private,
            revision=revision,
            tag=tag,
            license=license,
            license_name=license_name,
            license_link=license_link,
            language=[language] if isinstance(language, str) else as_list(language),
            trust_remote_code=trust_remote_code,
            dry_run=dry_run,
        )
    )
