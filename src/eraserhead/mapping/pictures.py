"""What is made of an atlas's summary: its table, its figure and its page."""

import pyarrow as pa

from eraserhead.files import replacing, write_text
from eraserhead.mapping.answer import standing_out
from eraserhead.mapping.folder import ATLAS, AtlasFolder
from eraserhead.mapping.heat_map import draw_heat_map
from eraserhead.mapping.page import page_of
from eraserhead.mapping.summary import AtlasSummary, PlaceSummary
from eraserhead.method.statistics import Estimate
from eraserhead.parquet import write_parquet
from eraserhead.showing.figures import Plate

ESTIMATES = ("fewer", "equal", "more", "advantage", "top_js", "whole_flips", "whole_js")


def write_pictures(folder: AtlasFolder, summary: AtlasSummary) -> None:
    """Write the table of places, the heat map and the page into the folder, each atomically."""
    with replacing(folder.path / ATLAS.places) as unfinished:
        write_parquet(unfinished, places_table(summary))
    plate = Plate(folder.path, ATLAS.map)
    draw_heat_map(summary, plate)
    write_text(folder.path / ATLAS.page, page_of(summary, (folder.path / plate.svg).read_text(encoding="utf-8")))


def places_table(summary: AtlasSummary) -> pa.Table:
    """Return the places as a table, each estimate in three columns: its value, ``_low`` and ``_high``."""
    names = tuple(f"flips_{name}" for name in summary.places[0].flips)
    schema = pa.schema(
        [
            ("layer", pa.int32()),
            ("head", pa.int32()),
            ("every_prefix", pa.bool_()),
            ("documents", pa.int32()),
            *((f"{name}{end}", pa.float64()) for name in (*names, *ESTIMATES) for end in ("", "_low", "_high")),
            ("p_value", pa.float64()),
            ("p_corrected", pa.float64()),
            ("stands_out", pa.bool_()),
        ]
    )
    out = standing_out(summary)
    rows = [dict(zip(schema.names, (*_row(place), place in out), strict=True)) for place in summary.places]
    return pa.Table.from_pylist(rows, schema)


def _row(place: PlaceSummary) -> tuple[object, ...]:
    estimates: list[Estimate] = [*place.flips.values(), *(getattr(place, name) for name in ESTIMATES)]
    ends = (number for each in estimates for number in (each.value, each.low, each.high))
    known = (place.layer, place.head, place.every_prefix, place.advantage.count)
    return (*known, *ends, place.p_value, place.corrected)
