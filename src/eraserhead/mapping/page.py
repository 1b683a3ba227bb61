"""An atlas as one page: inert HTML that asks nothing of any server."""

from eraserhead.erasure.header import site_line
from eraserhead.mapping.answer import COLUMNS, cells, note, sentences, standing_out
from eraserhead.mapping.summary import AtlasSummary
from eraserhead.showing.templates import html_template
from eraserhead.showing.terminal import FEW_NOTE


def page_of(summary: AtlasSummary, svg: str) -> str:
    """Return the page.

    Args:
        summary: The atlas.
        svg: The heat map, as it is drawn here; everything else is escaped.
    """
    setup, out = summary.setup, standing_out(summary)
    source = " from ".join(part for part in (setup.data.name, setup.data.path) if part) or "given texts"
    return html_template("eraserhead.mapping", "atlas.html.j2").render(
        model=setup.model.name,
        site=site_line(setup.site),
        data=f"{source}, split {setup.data.split}",
        documents=summary.documents,
        sentences=sentences(summary),
        picture=svg[svg.index("<svg") :],  # without the declaration and the address of its grammar
        columns=COLUMNS,
        rows=[(place.name, place.head is None, place in out, cells(summary, place)) for place in summary.places],
        note=f"{note(setup, all_columns=True)} {FEW_NOTE}",
    )
