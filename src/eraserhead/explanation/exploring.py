"""Make the page on which one erases by hand, of one or two folders of results."""

import logging
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator

from eraserhead.erasure.finding import found_results
from eraserhead.erasure.results import RESULTS
from eraserhead.erasure.summary import Summary
from eraserhead.errors import Setting, UserError
from eraserhead.explanation.config import MOST_DOCUMENTS, ExploreConfig
from eraserhead.explanation.decision_numbers import CLOSED_FORM_ELSEWHERE, DecisionNumbers
from eraserhead.explanation.page import NAMES, PageResults, of_summary, results_page
from eraserhead.explanation.page_file import page_file, write_page
from eraserhead.explanation.read_again import with_affine_numbers
from eraserhead.explanation.stored_decisions import stored_decisions
from eraserhead.loading import devices
from eraserhead.settings import check_settings
from eraserhead.sites.site import POOLING

logger = logging.getLogger("eraserhead")

MANY_BYTES = 60e6  # of a page, above which browsers are slow to open it
NOT_READ = "The model could not be read again: the page shows stored erasures, and words cannot be erased by hand."


def explore(
    results: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    documents: int = MOST_DOCUMENTS,
    cpu: bool = False,
) -> Path:
    """Write the page on which one erases by hand: one HTML file, which needs no server and no network.

    Args:
        results: Folder of finished erasure results, or of a run that holds them; or two of them, on the same documents,
            whose decisions then stand side by side.
        output: The file; default: ``page.html`` in the folder of the (first) results.
        documents: Most documents on the page.
        cpu: Use the CPU even where there is an accelerator.

    Returns:
        The file.

    Raises:
        UserError: Results are unfinished or damaged, or on other documents.
    """
    folders = [results] if isinstance(results, (str, Path)) else list(results)
    return explore_folders(
        ExploreConfig(list(map(str, folders)), None if output is None else str(output), documents, False, cpu)
    )


def explore_folders(config: ExploreConfig) -> Path:
    """Write the page that the options describe; see `explore`."""
    check_settings(config)
    if not 1 <= len(config.results) <= len(NAMES):
        raise UserError(Setting("results", config.results), ": give one folder of results, or two")
    folders = [found_results(Path(each)) for each in config.results]
    output = page_file("output", config.output or str(folders[0].path / RESULTS.page))
    summaries = [folder.checked_summary() for folder in folders]
    accelerator = devices.start(config.cpu)
    stored = [stored_decisions(folders[0], config.documents)]
    if not stored[0]:
        raise UserError(f"{folders[0].path}: has no documents; erase some")
    if len(folders) > 1:
        ids = {each.id for each in stored[0]}
        second = stored_decisions(folders[1], len(ids), ids)
        stored.append(_same_documents(config.results, stored[0], second))
    found = []
    for summary, decisions in zip(summaries, stored, strict=True):
        found.append(of_summary(summary, *_with_numbers(summary, decisions, accelerator)))
    if accelerator.is_main_process:
        _write(output, found, config)
    return output


def _same_documents(
    results: Sequence[str], first: list[DecisionNumbers], second: list[DecisionNumbers]
) -> list[DecisionNumbers]:
    """Return the second results' decisions, which are on documents that the first ones have.

    Raises:
        UserError: There are none, or a text differs.
    """
    texts = {each.id: each.text for each in first}
    other = next((each.id for each in second if each.text != texts[each.id]), None)
    if other is not None:
        raise UserError(f"{' and '.join(results)}: document {other} has another text; erase the same documents")
    if not second:
        raise UserError(f"{' and '.join(results)}: have no document in common; erase the same documents with both")
    return second


def _with_numbers(
    summary: Summary, decisions: list[DecisionNumbers], accelerator: Accelerator
) -> tuple[list[DecisionNumbers], str]:
    """Add the numbers of affine heads, where there are any; return also why there are none."""
    setup = summary.setup
    if setup.site.site != POOLING:
        return decisions, CLOSED_FORM_ELSEWHERE
    try:
        return with_affine_numbers(decisions, setup, accelerator), ""
    except UserError as error:
        logger.info("%s: words cannot be erased by hand on the page, which shows stored erasures alone", error)
        return decisions, NOT_READ


def _write(output: Path, results: Sequence[PageResults], config: ExploreConfig) -> None:
    write_page(output, results_page(results, "eraserhead"))
    size, shown, total = output.stat().st_size, len({each.id for each in results[0].decisions}), results[0].total
    if shown < total:
        logger.info("the first %d of %d documents are on the page", shown, total)
    if size > MANY_BYTES:
        logger.info("the page has %d MB; ask for fewer with %s", size // 10**6, Setting("documents"))
    if config.open:
        webbrowser.open(output.resolve().as_uri())
