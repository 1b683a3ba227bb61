"""Push one finished model or its results to the hub, or only write the folder to push."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eraserhead.digests import changed_file
from eraserhead.errors import Setting, UserError
from eraserhead.files import replacing
from eraserhead.loading.waiting import waiting
from eraserhead.locks import holding
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.dataset_publication import results_to_publish, write_dataset
from eraserhead.publishing.facts import Options
from eraserhead.publishing.hub import Hub
from eraserhead.publishing.layout import CARD_ALONE, OWN_FILES
from eraserhead.publishing.model_folder import Results, Source, check_source, find_results, read_source, source_of
from eraserhead.publishing.publication import write_amendment, write_publication
from eraserhead.publishing.push_checks import checked_options, is_hub_id, target_of
from eraserhead.publishing.target import MAIN, Pushed
from eraserhead.records import read_record
from eraserhead.remote.downloads import locate_model
from eraserhead.seals import SEAL, Seal, is_sealed, seal

PUBLICATION = "hub"  # folder to push; a dry run leaves it in the model's folder, or beside the results


@dataclass(frozen=True)
class _Work:
    """What is pushed.

    Attributes:
        write: Writes the folder to push, with these options.
        left_by_dry_run: Where a dry run leaves that folder.
        owned: Files in the repository that a push may remove, beside those that an earlier push wrote.
        base: The commit that the folder amends; null where it does not amend any.
    """

    write: Callable[[Path, Options], None]
    left_by_dry_run: Path
    owned: re.Pattern[str] = OWN_FILES
    base: str | None = None


def push_to_hub(config: PushConfig) -> Pushed:
    """Push a model with its erasure results, or these alone; with `dry_run`, only write the folder to push.

    Raises:
        UserError: A name is not valid, the model may not be published, or the hub refuses.
    """
    options = checked_options(config)
    hub = Hub(target_of(config))
    with _work(config, hub, options) as work:
        if config.dry_run:
            with waiting("writing the folder to push"):
                return _write(work, work.left_by_dry_run, options)
        with waiting("pushing"):
            return _push(work, hub, options)


@contextmanager
def _work(config: PushConfig, hub: Hub, options: Options) -> Iterator[_Work]:
    folder = Path(config.model)
    if config.dataset:
        results = results_to_publish(config.model, config.erasure)
        yield _Work(lambda to, options: write_dataset(results, to, options), _beside(results[0]), CARD_ALONE)
    elif is_hub_id(config):
        yield _amendment(config, hub)
    else:
        with source_of(folder, find_results(folder, config.erasure), config.trust_remote_code) as source:
            check_source(source)
            _check_shown(source, options)
            yield _Work(lambda to, options: write_publication(source, to, options), folder / PUBLICATION)


def _amendment(config: PushConfig, hub: Hub) -> _Work:
    """Return what is pushed to a model on the hub, whose card is read at the commit that is amended."""
    located = locate_model(config.model, None if config.revision == MAIN else config.revision)
    assert located.commit is not None
    results = find_results(Path(config.model), config.erasure)
    if not results:
        raise UserError(f"{config.model}: no document could be analysed; there is nothing to publish")
    source = read_source(Path(located.folder), results, config.trust_remote_code, config.model)
    check_source(source)
    card = hub.card_at(located.commit)
    return _Work(
        lambda to, options: write_amendment(source, to, options, card),
        _beside(results[0]),
        CARD_ALONE,
        located.commit,
    )


def _beside(results: Results) -> Path:
    folder = results.folder.path
    return folder.with_name(f"{folder.name}-{PUBLICATION}")


def _check_shown(source: Source, options: Options) -> None:
    """Refuse examples and a page that cannot be made."""
    run = source.run
    if options.examples and run is not None and run.data.pair_column is not None:
        raise UserError(
            Setting("examples", list(options.examples)), ": the model reads pairs of texts, and these are single ones"
        )
    if options.page and not options.examples and not source.results:
        raise UserError(
            Setting("page", True), ": there are no results to show documents of; give ", Setting("examples")
        )


def _write(work: _Work, folder: Path, options: Options) -> Pushed:
    """Write the folder to push, sealed; it takes the place of an earlier one as a dry run wrote it."""
    with holding(folder.with_name(f".{folder.name}.lock"), str(folder)):
        _refuse_changed(folder)
        with replacing(folder) as unfinished:
            work.write(unfinished, options)
            seal(unfinished, nested=True)
    return Pushed(None, False, str(folder))


def _refuse_changed(folder: Path) -> None:
    """Refuse to replace a folder with anything in it that no dry run has written.

    Raises:
        UserError: Naming a file.
    """
    if folder.is_file():
        raise UserError(f"{folder}: is a file, and a dry run writes a folder there; move it")
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    written = read_record(Seal, folder / SEAL, "").files if is_sealed(folder) else {}
    changed = changed_file(folder, {name: written[name] for name in there & written.keys()})
    foreign = sorted(there - written.keys() - {SEAL}) + ([] if changed is None else [changed[0]])
    if foreign:
        raise UserError(
            f"{folder / foreign[0]}: not as a dry run writes it, and a dry run would replace it; move or delete it"
        )


def _push(work: _Work, hub: Hub, options: Options) -> Pushed:
    hub.check_login()
    if work.base is None:
        options = options.or_as_in(hub.card())
    with tempfile.TemporaryDirectory() as scratch:
        work.write(Path(scratch) / PUBLICATION, options)
        if work.base is None:
            hub.open()  # after the checks, so that a refused model leaves no empty repository
        return hub.push(Path(scratch) / PUBLICATION, work.owned, work.base)
