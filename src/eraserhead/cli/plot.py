"""``eraserhead plot``."""

from eraserhead.erasure.config import PlotConfig
from eraserhead.erasure.figure_files import plot_folders
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: PlotConfig) -> None:
    """Draw results and print the path of each file."""
    screen, saved = console(), plot_folders(config)
    for name, reason in saved.left_out.items():
        if name != "rankings" or len(config.results) > 1:  # of one result, nobody expects it
            screen.print(visible(f"not drawn: {name} ({reason})"), soft_wrap=True)
    for path in saved.files:
        screen.print(visible(str(path)), soft_wrap=True)
