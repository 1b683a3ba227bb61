"""The folder of an atlas, and the columns of its tables."""

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from eraserhead.erasure.finding import ATLAS_SETUP
from eraserhead.erasure.schemas import DOCUMENT_ROWS, FLIP_ROWS, PLACE, TARGET
from eraserhead.erasure.sharded import ResultsLayout, ShardedResults
from eraserhead.mapping.summary import AtlasSetup, AtlasSummary

DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("label", pa.int32()),
        ("prediction", pa.int32()),
        ("model_prediction", pa.int32()),
        ("n", pa.int32()),
        ("tokens", pa.int32()),
        ("truncated_tokens", pa.int32()),
        ("sentences", pa.int32()),
        ("truncated_sentences", pa.int32()),
        ("training_role", pa.string()),
        ("labels", pa.list_(pa.int32())),
        ("predictions", pa.list_(pa.int32())),
        TARGET,
    ]
)
REMOVED = "removed_"  # in front of the name of a ranking: components erased at its first flip
FLIPS = pa.schema(
    [
        ("id", pa.string()),
        ("layer", pa.int32()),
        ("head", pa.int32()),
        ("n", pa.int32()),
        *((f"{REMOVED}{name}", pa.int32()) for name in ("attention", "gradient", "product", "best_found")),
        (f"{REMOVED}random", pa.list_(pa.int32())),
        ("top_js", pa.float64()),
        ("top_flips", pa.bool_()),
        ("whole_js", pa.float64()),
        ("whole_flips", pa.bool_()),
        TARGET,
    ]
)
SCHEMAS = {DOCUMENT_ROWS: DOCUMENTS, FLIP_ROWS: FLIPS}
SHARD_SCHEMAS = {DOCUMENT_ROWS: DOCUMENTS.append(PLACE), FLIP_ROWS: FLIPS}


@dataclass(frozen=True)
class AtlasLayout(ResultsLayout):
    """Names in the folder of an atlas.

    Attributes:
        setup: What determines it.
        summary: Its places.
        shards: Finished shards, until they are joined.
        places: The same as a table.
        map: The figure, without the ending of its files.
        page: The page.
    """

    setup: str = ATLAS_SETUP
    summary: str = "atlas.json"
    shards: str = "atlas-shards"
    places: str = "atlas.parquet"
    map: str = "heat_map"
    page: str = "atlas.html"


ATLAS = AtlasLayout()


@dataclass(frozen=True)
class AtlasFolder(ShardedResults[AtlasSetup, AtlasSummary]):
    """The folder of an atlas, finished or unfinished."""

    CONTENT: ClassVar[str] = "atlas results"
    COMMAND: ClassVar[str] = "atlas"
    MARK: ClassVar[str] = ATLAS.setup
    LAYOUT: ClassVar[ResultsLayout] = ATLAS
    TABLES: ClassVar = SCHEMAS
    DERIVED: ClassVar[tuple[str, ...]] = (
        ATLAS.places,
        *(f"{ATLAS.map}.{ending}" for ending in ("svg", "png", "csv")),
        ATLAS.page,
    )
    SUMMARY: ClassVar[type] = AtlasSummary
