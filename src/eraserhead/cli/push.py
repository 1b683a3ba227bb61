"""``eraserhead push``."""

from pathlib import Path

from eraserhead.publishing.card import CARD
from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.hub import Target, pushed_line
from eraserhead.publishing.pushing import push_to_hub
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: PushConfig) -> None:
    """Push a model with its erasure results; a dry run writes the folder instead and prints the card."""
    pushed = push_to_hub(config)
    line = pushed_line(pushed, Target(config.repository, config.private, config.revision, config.tag))
    screen = console()
    if config.dry_run:
        card = (Path(pushed.address) / CARD).read_text(encoding="utf-8")
        screen.print(visible(card, keep="\n"), soft_wrap=True)
        line = f"nothing was pushed; the folder to push is {pushed.address}"
    screen.print(visible(line), soft_wrap=True)
