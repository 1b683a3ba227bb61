"""``eraserhead push``."""

import re
import tempfile
from pathlib import Path

from eraserhead.errors import Setting, UserError
from eraserhead.publishing.card import CARD
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.hub import Hub, Target, check_name, check_reference, pushed_line
from eraserhead.publishing.model_folder import check_source, find_results, read_source
from eraserhead.publishing.publication import Options, write_publication
from eraserhead.settings import check_settings
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")
DRY_RUN = "hub"  # folder of a dry run, in the model's


def run(config: PushConfig) -> None:
    """Push a model with its erasure results, or write what would be pushed."""
    _check(config)
    folder = Path(config.model)
    source = read_source(folder, find_results(folder, config.erasure))
    check_source(source)
    options = Options(config.repository, config.license, tuple(config.language or ()), config.include_texts)
    screen = console()
    if config.dry_run:
        write_publication(source, folder / DRY_RUN, options)
        card = (folder / DRY_RUN / CARD).read_text(encoding="utf-8")
        screen.print(visible(card, keep="\n"), soft_wrap=True)
        screen.print(visible(f"what would be pushed is in {folder / DRY_RUN}"), soft_wrap=True)
        return
    target = Target(config.repository, config.private, config.revision, config.tag)
    hub = Hub(target)
    hub.check_login()
    options = options.or_as_in(hub.card())
    with tempfile.TemporaryDirectory() as scratch:
        write_publication(source, Path(scratch) / DRY_RUN, options)
        hub.open()  # only now: what may not be published leaves no empty repository behind
        pushed = hub.push(Path(scratch) / DRY_RUN)
    screen.print(visible(pushed_line(pushed, target)), soft_wrap=True)


def _check(config: PushConfig) -> None:
    """Refuse names that cannot be, before any work is done."""
    check_settings(config)
    check_name(config.repository)
    check_reference(Setting("revision", config.revision))
    check_reference(Setting("tag", config.tag))
    wrong = [code for code in config.language or () if not LANGUAGE.fullmatch(code)]
    if wrong:
        raise UserError(Setting("language", wrong), ": give ISO 639 codes such as en")
