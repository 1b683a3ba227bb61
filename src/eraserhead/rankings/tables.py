"""Tables of scores: files, data frames and mappings, checked before anything is computed.

A table has the columns ``id``, ``component`` and ``score``, or ``id``, ``start``, ``end`` and ``score``. Components are
numbered from 0, as results list them; offsets are in characters.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc

from eraserhead.digests import digest
from eraserhead.errors import UserError
from eraserhead.parquet import read_parquet
from eraserhead.rankings.score_table import ScoreTable

SPAN = ("start", "end")
OF_COMPONENTS, OF_SPANS = ("id", "component", "score"), ("id", *SPAN, "score")
COLUMNS = f"a table of scores has the columns {', '.join(OF_COMPONENTS)}, or {', '.join(OF_SPANS)}"


def read_table(path: Path, name: str) -> ScoreTable:
    """Read a table of scores from a file.

    Raises:
        UserError: It cannot be read, or is no table of scores.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        frame = READERS[path.suffix](path)
    except UserError:
        raise
    except Exception as error:  # whatever the libraries raise about what somebody wrote
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    return checked_table(frame, name, str(path))


def given_table(scores: Any, name: str) -> ScoreTable | None:
    """Return the table that Python code gives as a data frame, or as a mapping; None for anything else.

    A mapping has for each id a score for each component, or triples of start, end and score.

    Raises:
        UserError: It is no table of scores.
    """
    where = f"ranking '{name}'"
    if isinstance(scores, Mapping):
        return checked_table(_frame(scores, where), name, where, map(str, scores))
    frame = scores.to_pandas() if isinstance(scores, pa.Table) else scores
    return checked_table(frame, name, where) if isinstance(frame, pd.DataFrame) else None


def checked_table(frame: pd.DataFrame, name: str, where: str, without_rows: Iterable[str] = ()) -> ScoreTable:
    """Return a data frame as a table of scores.

    Args:
        frame: The scores.
        name: Name of the ranking.
        where: What messages begin with.
        without_rows: Ids of documents that may have no rows.

    Raises:
        UserError: It has other columns, a value is missing or of another kind, or something has a score twice.
    """
    keys = next((each[1:-1] for each in (OF_COMPONENTS, OF_SPANS) if {*each} == {*map(str, frame.columns)}), None)
    if keys is None:
        has = f"has the columns {', '.join(map(str, frame.columns))}" if len(frame.columns) else "is empty"
        raise UserError(f"{where}: {has}; {COLUMNS}")
    _refuse(frame, frame["id"].isna().to_numpy(), "have no id", where)
    names = frame["id"].map(str)
    ids = sorted({*names, *without_rows})
    codes = pd.Index(ids, dtype=object).get_indexer(pd.Index(names, dtype=object))
    places, scores = [_numbers(frame, key, where) for key in keys], _numbers(frame, "score", where, whole=False)
    order = np.lexsort((*reversed(places), codes))
    codes, scores, places = codes[order], scores[order], [each[order] for each in places]
    firsts = np.searchsorted(codes, np.arange(len(ids) + 1))
    _check_places(frame.iloc[order], codes, firsts, places, where)
    content = b"".join([json.dumps(ids).encode(), *(each.tobytes() for each in (firsts, scores, *places))])
    spans = places if len(places) == len(SPAN) else ()
    return ScoreTable(name, digest(content), {each: at for at, each in enumerate(ids)}, firsts, scores, *spans)


def _check_places(
    frame: pd.DataFrame, codes: np.ndarray, firsts: np.ndarray, places: Sequence[np.ndarray], where: str
) -> None:
    """Refuse sorted rows of which two score the same, a component is left out, or a span holds nothing."""
    keys = np.stack([codes, *places])
    again = np.concatenate([np.zeros(min(1, len(codes)), bool), (keys[:, 1:] == keys[:, :-1]).all(0)])
    if len(places) == len(SPAN):
        start, end = places
        _refuse(frame, again, "score the same span of a document again", where)
        _refuse(frame, (start < 0) | (end <= start), "are about spans that hold no character", where)
    else:
        _refuse(frame, again, "score the same component of a document again", where)
        skipped = places[0] != np.arange(len(codes)) - firsts[codes]
        _refuse(frame, skipped, "come after a component without a score: each needs one, from 0 on", where)


def _frame(scores: Mapping[Any, Any], where: str) -> pd.DataFrame:
    """Return a mapping of ids to scores, or to spans with scores, as a data frame."""
    listed = {document: _listed(own, document, where) for document, own in scores.items()}
    rows = [(document, number, each) for document, own in listed.items() for number, each in enumerate(own)]
    if all(isinstance(each, Real) for _, _, each in rows):
        return pd.DataFrame(rows, columns=list(OF_COMPONENTS))
    for document, _, each in rows:
        if not isinstance(each, Sequence) or len(each) != len(OF_SPANS) - 1:
            said = f"{each!r} of document '{document}' is no (start, end, score), and others are"
            raise UserError(f"{where}: {said}; give numbers alone, or triples alone")
    return pd.DataFrame([(document, *each) for document, _, each in rows], columns=list(OF_SPANS))


def _listed(own: Any, document: Any, where: str) -> list[Any]:
    found = own.tolist() if hasattr(own, "tolist") else own
    if not isinstance(found, Sequence) or isinstance(found, str):
        is_no = f"the scores of document '{document}' are a {type(own).__name__}, and no list"
        raise UserError(f"{where}: {is_no}; give numbers, or triples of start, end and score")
    return list(found)


def _numbers(frame: pd.DataFrame, column: str, where: str, whole: bool = True) -> np.ndarray:
    """Return a column as finite numbers, float64 or whole."""
    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
    wrong = ~np.isfinite(values) | (whole & (values != np.floor(values)))
    _refuse(frame, wrong, f"have a {column} that is no {'whole ' * whole}number", where)
    return values.astype(np.int64) if whole else values


def _refuse(frame: pd.DataFrame, wrong: np.ndarray, said: str, where: str) -> None:
    """Refuse a table with wrong rows: how many there are, and the first."""
    if wrong.any():
        first = ", ".join(f"{name}={value}" for name, value in frame.iloc[int(wrong.argmax())].items())
        raise UserError(f"{where}: {int(wrong.sum()):,} of {len(frame):,} rows {said}; the first: {first}")


def _read_parquet(path: Path) -> pd.DataFrame:
    return read_parquet(path, "write it again").to_pandas()


def _read_csv(path: Path) -> pd.DataFrame:
    return pc.read_csv(path, convert_options=pc.ConvertOptions(column_types={"id": pa.string()})).to_pandas()


def _read_json_lines(path: Path) -> pd.DataFrame:
    lines = enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
    return pd.DataFrame([_json_object(line, f"{path}: line {number}") for number, line in lines if line.strip()])


def _json_object(line: str, where: str) -> dict[str, Any]:
    """Return the object that a line holds.

    Raises:
        UserError: It holds none; `where` says which line it is.
    """
    try:
        found = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is no JSON (", str(error), ")") from error
    if not isinstance(found, dict):
        raise UserError(f"{where} is a {type(found).__name__}, and no object; {COLUMNS}")
    return found


READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
}
