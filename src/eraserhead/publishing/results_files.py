"""Write what is published of erasure results: their numbers, their tables and their figure."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from eraserhead.data.own_columns import OTHERS
from eraserhead.erasure.plotted import Plotted
from eraserhead.erasure.plotting import draw_flips
from eraserhead.erasure.results import RESULTS, ROWS_AT_A_TIME
from eraserhead.erasure.schemas import DOCUMENT_ROWS, SCHEMAS
from eraserhead.erasure.summary import Summary
from eraserhead.parquet import open_parquet, parquet_batches, parquet_writer
from eraserhead.publishing.layout import DOCUMENTS, FIGURE, FLIPS, SIGNALS, places
from eraserhead.publishing.model_folder import Results
from eraserhead.records import write_record
from eraserhead.showing.figures import save_png


def write_results(
    results: Sequence[Results], summaries: Sequence[Summary], name: str, texts: bool, folder: Path
) -> None:
    """Write erasure results, the first into the folder itself and the others into folders inside it.

    Args:
        results: The results.
        summaries: Their public summaries.
        name: Name of the model in figures.
        texts: Whether the documents are written too, with their texts.
        folder: The folder.
    """
    for each, summary, place in zip(results, summaries, places(summaries), strict=True):
        target = folder / place
        target.mkdir(parents=True, exist_ok=True)
        write_record(target / RESULTS.summary, summary)
        _write_tables(each, texts, target)
        if summary.rankings:
            save_png(draw_flips([Plotted(name, summary, each.folder)]).figure, target / FIGURE)


def _write_tables(results: Results, texts: bool, folder: Path) -> None:
    """Write those tables that are published."""
    setup, tables = results.summary.setup, results.folder
    ids = tables.table("documents", ["id"]).column("id").to_pylist()
    rows = re.compile(rf"{re.escape(setup.data.split)}/\d+")
    if all(map(rows.fullmatch, ids)):
        link(tables.path / FLIPS, folder / FLIPS)
    else:  # ids from the user may contain anything, such as a name or a text
        numbers = {name: f"document/{row}" for row, name in enumerate(dict.fromkeys(ids))}
        _number_documents(tables.path / FLIPS, folder / FLIPS, numbers)
    if texts:
        link(tables.path / SIGNALS, folder / SIGNALS)
        _copy_documents(tables.path / DOCUMENTS, folder / DOCUMENTS)


def _number_documents(source: Path, target: Path, numbers: Mapping[str, str]) -> None:
    """Copy a table of results batch by batch, with its ids replaced."""
    with parquet_writer(target, SCHEMAS["flips"]) as writer:
        for table in parquet_batches(source, "erase again", None, ROWS_AT_A_TIME):
            renamed = pa.array([numbers[name] for name in table.column("id").to_pylist()])
            writer.write_table(table.set_column(table.schema.get_field_index("id"), "id", renamed))


def _copy_documents(source: Path, target: Path) -> None:
    """Copy the documents without the data's further columns: nobody was asked whether these may be published."""
    with open_parquet(source) as table:
        has_others = OTHERS in table.schema_arrow.names
    if not has_others:
        link(source, target)
        return
    schema = SCHEMAS[DOCUMENT_ROWS]
    with parquet_writer(target, schema) as writer:
        for rows in parquet_batches(source, "erase again", schema.names, ROWS_AT_A_TIME):
            writer.write_table(rows.select(schema.names))


def link(source: Path, target: Path) -> None:
    """Make a hard link to a file if the file system can, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
