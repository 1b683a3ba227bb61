"""Push one finished model to the hub, or only write the folder to push."""

import re
import tempfile
from pathlib import Path

from eraserhead.digests import changed_file
from eraserhead.errors import Setting, UserError
from eraserhead.files import replacing
from eraserhead.loading.waiting import waiting
from eraserhead.locks import holding
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.hub import Hub, Pushed, Target, check_name, check_reference
from eraserhead.publishing.model_folder import Source, check_source, find_results, source_of
from eraserhead.publishing.publication import Options, write_publication
from eraserhead.records import read_record
from eraserhead.seals import SEAL, Seal, is_sealed, seal
from eraserhead.settings import check_settings

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")
PUBLICATION = "hub"  # folder to push; a dry run leaves it in the model's folder


def push_to_hub(config: PushConfig) -> Pushed:
    """Push a model with its erasure results; with `dry_run`, only write the folder to push.

    Raises:
        UserError: A name is not valid, the model may not be published, or the hub refuses.
    """
    _check(config)
    folder = Path(config.model)
    options = Options(config.repository, config.license, tuple(config.language or ()), config.include_texts)
    with source_of(folder, find_results(folder, config.erasure)) as source:
        check_source(source)
        if config.dry_run:
            with waiting("writing the folder to push"):
                return _write(source, folder / PUBLICATION, options)
        with waiting("pushing"):
            return _push(source, options, Target(config.repository, config.private, config.revision, config.tag))


def _write(source: Source, folder: Path, options: Options) -> Pushed:
    """Write the folder to push, sealed; it takes the place of an earlier one as a dry run wrote it."""
    with holding(folder.with_name(f".{folder.name}.lock"), str(folder)):
        _refuse_changed(folder)
        with replacing(folder) as unfinished:
            write_publication(source, unfinished, options)
            seal(unfinished)
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


def _push(source: Source, options: Options, target: Target) -> Pushed:
    hub = Hub(target)
    hub.check_login()
    options = options.or_as_in(hub.card())
    with tempfile.TemporaryDirectory() as scratch:
        write_publication(source, Path(scratch) / PUBLICATION, options)
        hub.open()  # after the checks, so that a refused model leaves no empty repository
        return hub.push(Path(scratch) / PUBLICATION)


def _check(config: PushConfig) -> None:
    """Refuse names that are not valid, before any work is done."""
    check_settings(config)
    check_name(config.repository)
    check_reference(Setting("revision", config.revision))
    check_reference(Setting("tag", config.tag))
    wrong = [code for code in config.language or () if not LANGUAGE.fullmatch(code)]
    if wrong:
        raise UserError(Setting("language", wrong), ": give ISO 639 codes such as en")
