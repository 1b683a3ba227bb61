"""Every figure of erasure results, saved into a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eraserhead.erasure.config import PlotConfig
from eraserhead.erasure.finding import found_results
from eraserhead.erasure.held import Erasure
from eraserhead.erasure.in_memory import TablesInMemory
from eraserhead.erasure.plotted import Plotted
from eraserhead.erasure.plotting import FIGURES, NothingToDrawError, draw
from eraserhead.erasure.results import RESULTS, ResultsFolder, ResultTables
from eraserhead.erasure.summary import Summary
from eraserhead.errors import Setting, UserError

MOST = 9  # results side by side


@dataclass(frozen=True)
class Opened:
    """Results to draw.

    Attributes:
        place: Their folder, or words for results in memory.
        summary: Their summary.
        tables: Their tables.
    """

    place: str
    summary: Summary
    tables: ResultTables


@dataclass(frozen=True)
class Saved:
    """What was drawn.

    Attributes:
        files: The files, three of each figure.
        left_out: Why figures were not drawn, by their names.
    """

    files: list[Path]
    left_out: dict[str, str]


def opened_folder(folder: ResultsFolder) -> Opened:
    """Open a folder of results.

    Raises:
        UserError: They are unfinished or damaged.
    """
    return Opened(str(folder.path), folder.checked_summary(), folder)


def plot_folders(config: PlotConfig) -> Saved:
    """Draw the results in folders.

    Raises:
        UserError: Results are unfinished or damaged, have no numbers for any figure, or the output is a file.
    """
    folders = [found_results(Path(each)) for each in config.results]
    default = Path(RESULTS.figures) if len(folders) > 1 else folders[0].path / RESULTS.figures
    opened = [opened_folder(folder) for folder in folders]
    return save_figures(opened, Path(config.output or default))


def save_figures(results: Sequence[Opened], folder: Path) -> Saved:
    """Draw results, several side by side, and save each of `FIGURES` that they have numbers for.

    Raises:
        UserError: They have numbers for none, are none or too many, or the folder is a file.
    """
    if not 1 <= len(results) <= MOST:
        raise UserError(f"results: give from one to {MOST}")
    if folder.is_file():
        raise UserError(f"{folder}: is a file; ", Setting("output"), " names a folder")
    plotted = [Plotted(name, each.summary, each.tables) for name, each in zip(_names(results), results, strict=True)]
    drawings, left_out = [], {}
    for name in FIGURES:
        try:
            drawings.append(draw(name, plotted))
        except NothingToDrawError as reason:
            left_out[name] = str(reason)
    if not drawings:
        raise UserError(f"{results[0].place}: there is nothing to draw ({'; '.join(left_out.values())})")
    return Saved([path for drawing in drawings for path in drawing.save(folder)], left_out)


def _names(results: Sequence[Opened]) -> list[str]:
    """Return names that tell results apart: their models', with the site, the data and the folder where needed."""
    parts: tuple[Callable[[Opened], str], ...] = (
        lambda each: each.summary.setup.model.name,
        lambda each: each.summary.setup.site.site,
        lambda each: each.summary.setup.data.named,
        lambda each: each.place,
    )
    numbers = [f"results {number}" for number in range(1, len(results) + 1)]
    named = (
        [", ".join(part(each) for part in parts[:count]) for each in results] for count in range(1, len(parts) + 1)
    )
    return next((names for names in named if len(set(names)) == len(names)), numbers)


def plot(results: Sequence[Erasure | str | Path] | Erasure | str | Path, output: str | Path) -> list[Path]:
    """Draw results, several side by side, and save each figure as an SVG, a PNG and a CSV file of its numbers.

    Args:
        results: What `erase` returns, or its folder, or a list of these.
        output: Folder of the figures.

    Returns:
        The files. A figure that the results have no numbers for is left out.

    Raises:
        UserError: Results are unfinished or damaged, or have no numbers for any figure.
    """
    several = [results] if isinstance(results, (str, Path, Erasure)) else results
    return save_figures([_opened(each) for each in several], Path(output)).files


def _opened(results: Erasure | str | Path) -> Opened:
    if isinstance(results, Erasure):
        return Opened("given results", results.summary, TablesInMemory(results.tables))
    if not isinstance(results, (str, Path)):
        raise UserError(f"results: a {type(results).__name__}; give what erase returns, or its folder")
    return opened_folder(found_results(Path(results)))
