"""Reads one file of rows: parquet, CSV or JSON, in their common dialects."""

import glob
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
from datasets import Dataset, load_dataset
from datasets.exceptions import DatasetsError

FILE_FORMATS = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json"}
ONLY_EMPTY_IS_ABSENT: dict[str, Any] = {"keep_default_na": False, "na_values": [""]}  # a review may be titled "None"
RATINGS = {"1", "2", "3", "4", "5"}


def lacks_header(file: str, separator: str = ",") -> bool:
    """Tell whether a CSV file has no header line: its first field is then a rating from 1 to 5."""
    return str(pandas.read_csv(file, nrows=0, sep=separator).columns[0]).strip() in RATINGS


def read_file(file: Path, headerless: tuple[str, ...]) -> Dataset:
    """Read one parquet, CSV or JSON file.

    Args:
        file: The file.
        headerless: Columns of a CSV file without a header line.

    Raises:
        ValueError: Its format is unknown, or it has no rows.
        DatasetsError: It is damaged.
    """
    if (kind := FILE_FORMATS.get(file.suffix.lower())) is None:
        raise ValueError(f"'{file.suffix}' is none of {', '.join(FILE_FORMATS)}")
    if not file.stat().st_size:
        raise ValueError("the file is empty")
    try:
        splits = load_dataset(
            kind, data_files=glob.escape(str(file.resolve())), **_file_options(file, kind, headerless)
        )
    except DatasetsError:
        if kind != "json":
            raise
        return _read_lenient_json(file)
    if not splits:
        raise ValueError("there are no rows")
    return next(iter(splits.values()))


def _file_options(file: Path, kind: str, headerless: tuple[str, ...]) -> dict[str, Any]:
    if kind != "csv":
        return {}
    separator = "\t" if file.suffix.lower() == ".tsv" else ","
    names = {"names": list(headerless)} if headerless and lacks_header(str(file), separator) else {}
    return {**ONLY_EMPTY_IS_ABSENT, "sep": separator, **names}


def _read_lenient_json(file: Path) -> Dataset:
    """Read JSON that Arrow refuses, such as escapes of lone surrogates; these become U+FFFD."""
    stamp = file.stat().st_mtime_ns
    return Dataset.from_generator(_json_rows, gen_kwargs={"file": str(file), "stamp": stamp})


def _json_rows(file: str, stamp: int) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON array or of JSON lines; `stamp` tells the cache that the file has changed."""
    del stamp
    with open(file, encoding="utf-8") as stream:
        start = stream.read(1)
        stream.seek(0)
        rows = json.load(stream) if start == "[" else (json.loads(line) for line in stream if line.strip())
        for row in rows:
            if not isinstance(row, dict):
                raise ValueError("expected one JSON object a row")
            yield {key: _encodable(value) for key, value in row.items()}


def _encodable(value: Any) -> Any:
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
