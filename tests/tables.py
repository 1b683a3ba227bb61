"""The tables of a folder of results, as tests read them."""

import pandas as pd

from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS


def frames(results: ResultsFolder) -> dict[str, pd.DataFrame]:
    return {name: results.table(name).to_pandas() for name in SCHEMAS}


def scores(results: ResultsFolder) -> dict[str, pd.Series]:
    """Scores of each document's components by ranking, then by the document's id."""
    rows = results.table("signals").to_pandas()
    return {str(name): own.set_index("id").scores for name, own in rows.groupby("ranking", sort=False)}
