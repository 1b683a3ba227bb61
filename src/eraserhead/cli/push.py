"""``eraserhead push``."""

from pathlib import Path

from datasets import disable_progress_bars

from eraserhead.publishing.config import PushConfig
from eraserhead.publishing.layout import CARD
from eraserhead.publishing.push_checks import target_of
from eraserhead.publishing.pushing import push_to_hub
from eraserhead.publishing.target import pushed_line
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: PushConfig) -> None:
    """Push a model with its erasure results; a dry run writes the folder instead and prints the card."""
    disable_progress_bars()
    pushed = push_to_hub(config)
    line = pushed_line(pushed, target_of(config))
    screen = console()
    if config.dry_run:
        card = (Path(pushed.address) / CARD).read_text(encoding="utf-8")
        screen.print(visible(card, keep="\n"), soft_wrap=True)
        line = f"nothing was pushed; the folder to push is {pushed.address}"
    screen.print(visible(line), soft_wrap=True)
