"""What a document costs outside the model, and what a summary of very many costs: processor time."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import runs
import torch
from timing import Result

from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.results import RESULTS, ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.method.along import PERCENTS
from eraserhead.method.names import CurveSizes
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from eraserhead.rankings.registry import registered

FEW, MANY, ROUNDS = 100, 400, 5  # documents whose runs are subtracted, so that what a run costs once drops out
DOCUMENTS, ROWS, DRAWS = 650_000, 5_000, 10
MEGABYTE = 1024  # in the kilobytes of `ru_maxrss`


def work() -> list[Result]:
    """Measure `erase` without its encoder: token vectors come from memory, the second time that they are asked for."""
    with tempfile.TemporaryDirectory() as folder, _remembered_vectors():
        model = runs.save_classifier(Path(folder) / "model", runs.reviews())
        return [_work(model, Path(folder) / sizes, sizes) for sizes in ("none", "all")]


def _work(model: str, output: Path, sizes: CurveSizes) -> Result:
    found = []
    for number in range(ROUNDS + 1):
        few, many = (_erase(model, output / f"{number}-{size}", size, sizes) for size in (FEW, MANY))
        found.append((many - few) / (MANY - FEW) * 1000)
    found = found[1:]  # the first round filled the memory
    with_curves = sizes == "all"
    what = (
        f"erase outside the encoder {'with' if with_curves else 'without'} curves and limits, milliseconds a document"
    )
    wanted = None if with_curves else 0.4
    return Result("host", what, median(found), wanted, False, (min(found), max(found)), {}, "ms", runs.FRESH)


def _erase(model: str, output: Path, documents: int, sizes: CurveSizes) -> float:
    data = replace(runs.reviews(), test_size=documents)
    config = EraseConfig(model=model, output_dir=str(output), data=data, curves=sizes, cpu=True)
    with runs.fresh_caches():
        started = time.process_time()
        erase_to_folder(config)
        return time.process_time() - started


@contextmanager
def _remembered_vectors() -> Iterator[None]:
    known: dict[bytes, torch.Tensor] = {}
    compute = AttentionPoolingForSequenceClassification.token_vectors

    def remembered(self: Any, input_ids: torch.Tensor, *rest: Any, **named: Any) -> Any:
        key = input_ids.numpy().tobytes()
        if key not in known:
            known[key] = compute(self, input_ids, *rest, **named)
        return known[key]

    with patch.object(AttentionPoolingForSequenceClassification, "token_vectors", remembered):
        yield


def summary() -> list[Result]:
    """Measure the summary of made-up tables of 650,000 documents, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        _write_tables(Path(folder))
        command = [sys.executable, __file__, folder]
        measured = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    seconds, megabytes = map(float, measured)
    figures = {"documents": DOCUMENTS, "peak memory, MB": megabytes}
    what = "summary of 650,000 documents (3 rankings, 10 draws, the minimum), seconds of processor time"
    return [Result("summary", what, seconds, 60, False, (seconds, seconds), figures, "s")]


def _write_tables(folder: Path) -> None:
    generator = np.random.default_rng(0)
    writers = {name: pq.ParquetWriter(folder / RESULTS.table(name), schema) for name, schema in SCHEMAS.items()}
    for first in range(0, DOCUMENTS, ROWS):
        for name, table in _tables(first, generator).items():
            writers[name].write_table(table)
    for writer in writers.values():
        writer.close()


def _tables(first: int, generator: np.random.Generator) -> dict[str, pa.Table]:
    """Return the columns that a summary reads, of some documents; all others are null."""
    ids, n = np.array([f"test/{first + row}" for row in range(ROWS)]), generator.integers(2, 256, ROWS)
    names = [ranking.name for ranking in registered()]
    orders = ["random"] * DRAWS + [*names, "minimum"]
    draws = [*range(DRAWS), *[None] * (len(names) + 1)]
    rows = ROWS * len(orders)
    lengths = n.repeat(len(orders))
    removed, never = (generator.random(rows) * lengths).astype(int) + 1, generator.random(rows) < 0.1
    classes = {name: generator.integers(0, 5, ROWS) for name in ("label", "prediction", "model_prediction")}
    flips = {
        "id": ids.repeat(len(orders)),
        "ranking": orders * ROWS,
        "draw": pa.array(draws * ROWS, pa.int32()),
        "n": lengths,
        "removed": pa.array(removed, mask=never),
        "mass": pa.array(removed / lengths, mask=never),
        "outcome": np.where(never, "never", "flip"),
    }
    tests = {
        field.name: generator.random(ROWS * len(names))
        for field in SCHEMAS["singles"]
        if pa.types.is_floating(field.type)
    }
    flipped = {name: generator.random(ROWS * len(names)) < 0.1 for name in ("top_flips", "random_flips")}
    singles = {"id": ids.repeat(len(names)), "ranking": names * ROWS, "n": n.repeat(len(names)), **tests, **flipped}
    return {
        "documents": _table("documents", ROWS, {"id": ids, "n": n, "tokens": n, "truncated_tokens": 0 * n, **classes}),
        "flips": _table("flips", rows, flips),
        "singles": _table("singles", ROWS * len(names), singles),
        "signals": _table("signals", 0, {}),
        "curves": _curves(ids, n, names, generator),
    }


def _curves(ids: np.ndarray, n: np.ndarray, names: list[str], generator: np.random.Generator) -> pa.Table:
    """Return what a summary reads of curves."""
    rankings = ["random", *names]
    rows = ROWS * len(rankings)
    at = pa.array(generator.random(rows * len(PERCENTS)))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * len(PERCENTS), pa.int32()), at)
    areas = {field.name: generator.random(rows) for field in SCHEMAS["curves"] if pa.types.is_floating(field.type)}
    listed = {"comprehensiveness_at": lists, "sufficiency_at": lists}
    keys = {"id": ids.repeat(len(rankings)), "ranking": rankings * ROWS, "n": n.repeat(len(rankings))}
    return _table("curves", rows, {**keys, **areas, **listed})


def _table(name: str, rows: int, columns: Mapping[str, Any]) -> pa.Table:
    schema = SCHEMAS[name]
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


if __name__ == "__main__":
    begun = time.process_time()
    aggregate(ResultsFolder(Path(sys.argv[1])))
    print(time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE)
