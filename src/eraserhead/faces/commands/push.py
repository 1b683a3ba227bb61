"""``eraserhead push``."""

import tempfile
from pathlib import Path

from eraserhead.faces.card import CARD
from eraserhead.faces.escapes import visible
from eraserhead.faces.hub import Hub, Target, check_name, pushed_line
from eraserhead.faces.publication import Options, write_publication
from eraserhead.faces.source import check_source, find_results, read_source
from eraserhead.faces.tables import console
from eraserhead.runs.config import PushConfig

DRY_RUN = "hub"  # folder of a dry run, in the model's


def run(config: PushConfig) -> None:
    """Push a model with its erasure results, or write what would be pushed."""
    check_name(config.repository)
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
    hub = Hub(Target(config.repository, config.private, config.revision, config.tag))
    hub.check_login()
    with tempfile.TemporaryDirectory() as scratch:
        write_publication(source, Path(scratch) / DRY_RUN, options)
        hub.open()  # only now: what may not be published leaves no empty repository behind
        pushed = hub.push(Path(scratch) / DRY_RUN)
    screen.print(visible(pushed_line(pushed, config.tag)), soft_wrap=True)
