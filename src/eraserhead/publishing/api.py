"""Pushing from Python."""

from collections.abc import Sequence
from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.hub import MAIN, Pushed
from eraserhead.publishing.pushing import push_to_hub
from eraserhead.settings import as_list


def push(
    model: str | Path,
    repository: str,
    *,
    erasure: str | Path | None = None,
    private: bool = False,
    revision: str = MAIN,
    tag: str | None = None,
    include_texts: bool = False,
    license: str | None = None,
    language: str | Sequence[str] | None = None,
    dry_run: bool = False,
) -> Pushed:
    """Push a classifier and its erasure results to the hub, with a card that says what its attention is worth.

    Args:
        model: Folder of a finished run, or of any classifier that `eraserhead.erase` takes.
        repository: Name on the hub (``user/name``).
        erasure: Folder of the model's erasure results; default: ``erasure`` in its folder, if they are finished.
        private: Create a private repository.
        revision: Branch to push to; created from ``main`` if it does not exist.
        tag: Tag for the pushed commit, such as ``v1``.
        include_texts: Publish the documents too, with their texts.
        license: Licence of the model, by the hub's identifier, such as ``apache-2.0``.
        language: One or more languages of the documents, as ISO 639 codes, such as ``en``.
        dry_run: Push nothing; write the files into the folder ``hub`` in the model's folder.

    Returns:
        The commit, whether it is new, and its address; after a dry run no commit, and the folder as the address.

    Raises:
        UserError: The model may not be published, or the hub refuses.
    """
    if not isinstance(model, (str, Path)):
        raise UserError(f"model is a {type(model).__name__}; give the folder that it is saved in")
    return push_to_hub(
        PushConfig(
            model=str(model),
            repository=repository,
            erasure=None if erasure is None else str(erasure),
            private=private,
            revision=revision,
            tag=tag,
            include_texts=include_texts,
            license=license,
            language=[language] if isinstance(language, str) else as_list(language),
            dry_run=dry_run,
        )
    )
