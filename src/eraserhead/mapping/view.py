"""An atlas for the terminal; a view of its summary, never a computation."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding

from eraserhead.erasure.header import site_line
from eraserhead.mapping.answer import COLUMNS, FEW_COLUMNS, cells, note, ordered, sentences
from eraserhead.mapping.summary import AtlasSummary
from eraserhead.showing.terminal import FEW_NOTE, Grid, answer, interval, literal, prose

STRONGEST = 10  # places that are shown first


def atlas_view(summary: AtlasSummary, details: bool = False) -> RenderableType:
    """Return what is printed of an atlas: the answer, and the strongest places, or with `details` all in order."""
    places = list(summary.places) if details else ordered(summary)[:STRONGEST]
    of = "All places" if details or len(places) == len(summary.places) else f"The {len(places)} strongest places"
    columns = COLUMNS if details else FEW_COLUMNS
    table = Grid(f"{of}, % of documents", "place", *columns)
    for place in places:
        table.add_row(place.name, *cells(summary, place)[: len(columns)])
    return Group(
        *map(literal, _header(summary)),
        answer(" ".join(sentences(summary))),
        Padding(table, (1, 0, 0, 0)),
        prose(f"{note(summary.setup, details)} {FEW_NOTE}", "dim"),
    )


def _header(summary: AtlasSummary) -> Iterable[str]:
    """Yield what was mapped and how, a line each."""
    setup, documents, cut = summary.setup, summary.documents, summary.truncation
    yield f"model      {setup.model.name} ({site_line(setup.site)})"
    source = " from ".join(part for part in (setup.data.name, setup.data.path) if part) or "given texts"
    yield f"data       {source}, split {setup.data.split}: {documents.total} documents, {documents.analysed} analysed"
    if cut.truncated_documents:
        yield f"cut off    {cut.describe()}"
    if documents.decided_otherwise_by_model:
        count = documents.decided_otherwise_by_model
        yield f"close      {count} documents have another decision in the model's own precision"
    yield f"random     {setup.draws} order{'s' * (setup.draws > 1)} for each document"
    if summary.run.earlier_shards:
        yield f"continued  {summary.run.earlier_shards} shards are of earlier calls; times are the last call's"
    if summary.accuracy.value is not None:
        yield f"accuracy   {interval(summary.accuracy)}"
