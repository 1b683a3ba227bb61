"""``eraserhead push``."""

import re
import tempfile
from pathlib import Path

from eraserhead.errors import UserError
from eraserhead.loading.layout import RUN
from eraserhead.publishing.card import CARD
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.facts import Options
from eraserhead.publishing.hub import Hub, Target, check_name, check_reference, pushed_line
from eraserhead.publishing.model_folder import check_source, find_results, read_source
from eraserhead.publishing.publication import write_publication
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual")


def run(config: PushConfig) -> None:
    """Push a model with its erasure results, or write what would be pushed."""
    _check(config)
    folder = Path(config.model)
    source = read_source(folder, find_results(folder, config.erasure))
    check_source(source)
    options = Options(config.repository, config.license, tuple(config.language or ()), config.include_texts)
    screen = console()
    if config.dry_run:
        write_publication(source, folder / RUN.hub, options)
        card = (folder / RUN.hub / CARD).read_text(encoding="utf-8")
        screen.print(visible(card, keep="\n"), soft_wrap=True)
        screen.print(visible(f"what would be pushed is in {folder / RUN.hub}"), soft_wrap=True)
        return
    target = Target(config.repository, config.private, config.revision, config.tag)
    hub = Hub(target)
    hub.check_login()
    options = options.or_as_in(hub.card())
    with tempfile.TemporaryDirectory() as scratch:
        write_publication(source, Path(scratch) / RUN.hub, options)
        hub.open()  # only now: what may not be published leaves no empty repository behind
        pushed = hub.push(Path(scratch) / RUN.hub)
    screen.print(visible(pushed_line(pushed, target)), soft_wrap=True)


def _check(config: PushConfig) -> None:
    """Refuse names that cannot be, before any work is done."""
    check_name(config.repository)
    check_reference(config.revision, "--revision")
    check_reference(config.tag, "--tag")
    wrong = [code for code in config.language or () if not LANGUAGE.fullmatch(code)]
    if wrong:
        raise UserError(f"--language {','.join(wrong)}: give ISO 639 codes such as en, separated by commas")
