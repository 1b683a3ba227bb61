"""``eraserhead atlas``."""

import shlex

from accelerate import PartialState

from eraserhead.mapping.config import AtlasConfig
from eraserhead.mapping.folder import ATLAS, AtlasFolder
from eraserhead.mapping.mapping import map_to_folder
from eraserhead.mapping.view import atlas_view
from eraserhead.showing.escapes import visible
from eraserhead.showing.terminal import console


def run(config: AtlasConfig) -> None:
    """Map a checkpoint and print its strongest places."""
    folder = map_to_folder(config)
    if PartialState().is_main_process:
        print_atlas(folder)


def print_atlas(folder: AtlasFolder, details: bool = False) -> None:
    """Print a finished atlas, and where it is."""
    screen = console()
    screen.print(atlas_view(folder.summary(), details))
    if not details:
        screen.print(visible(f"all places: eraserhead show {shlex.quote(str(folder.path))} --details"), soft_wrap=True)
    screen.print(visible(f"page: {folder.path / ATLAS.page}; atlas in {folder.path}"), soft_wrap=True)
