"""Comparison from Python, and of folders."""

import string
from collections.abc import Sequence
from pathlib import Path

from eraserhead.comparison.compared import Comparison
from eraserhead.comparison.comparing import compare_sources
from eraserhead.comparison.config import CompareConfig
from eraserhead.comparison.sources import Source
from eraserhead.erasure.finding import found_results
from eraserhead.erasure.held import Erasure
from eraserhead.errors import UserError
from eraserhead.records import read_record, write_record

MOST = len(string.ascii_uppercase)
MEND = "choose another file"


def compare(results: Sequence[Erasure | str | Path]) -> Comparison:
    """Compare results on the same documents, in pairs: of other models, layers, heads or seeds.

    Args:
        results: Results of `erase`, or the folders that they are in; two or more.

    Raises:
        UserError: Results are unfinished or damaged, on other documents, or have no ranking in common.
    """
    if isinstance(results, (str, Path, Erasure)) or not 2 <= len(results) <= MOST:
        raise UserError(f"results: give a list of two results or more, up to {MOST}")
    return compare_sources([_source(*each) for each in zip(string.ascii_uppercase, results, strict=False)])


def compare_folders(config: CompareConfig) -> Comparison:
    """Compare the results in folders, and write the comparison.

    Raises:
        UserError: See `compare`; or there is another file in the output's place.
    """
    output = Path(config.output)
    if output.exists():
        read_record(Comparison, output, MEND)  # nothing but an earlier comparison is replaced
    found = compare(config.results)
    write_record(output, found)
    return found


def _source(name: str, results: Erasure | str | Path) -> Source:
    if isinstance(results, Erasure):
        tables = results.tables
        return Source(name, f"results {name}", results.summary, lambda table, columns: tables[table].select(columns))
    if not isinstance(results, (str, Path)):
        raise UserError(f"results {name} is a {type(results).__name__}; give what erase returns, or its folder")
    folder = found_results(Path(results))
    return Source(name, str(folder.path), folder.checked_summary(), folder.table)
