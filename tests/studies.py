"""Made-up cells of a study: tables of which every number can be worked out by hand, summarised as real ones are."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from eraserhead.data.labels import LabelTable
from eraserhead.erasure.aggregates import aggregate
from eraserhead.erasure.results import RESULTS
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.loading.run_layout import RUN
from eraserhead.loading.training_data import TrainingData, write_training_data
from eraserhead.method.names import SHUFFLES
from eraserhead.rankings.registry import registered
from eraserhead.records import write_record
from eraserhead.study.cells import Cell
from eraserhead.study.layout import cell_name
from eraserhead.training.records import Epoch, Metrics
from summaries import DATA, with_setup

NEVER = None
KEYS = tuple(ranking.name for ranking in registered())
RANKINGS = ("random", *KEYS, "minimum")


@dataclass(frozen=True)
class Single:
    """Test 1 of one document."""

    delta_attention: float = 0.2
    delta_js: float = 0.1
    top_flips: bool = False
    random_flips: bool = False
    share_random_flips: float = 0.0
    expected_delta_js: float = 0.1


@dataclass(frozen=True)
class Document:
    """One document: removals by ranking, a list of draws for random; null is never. A mass is a hundredth of it.

    Permuted weights have removals where they are given, of all documents or of none.
    """

    removed: dict[str, Any] = field(default_factory=dict)
    n: int = 23
    single: Single = field(default_factory=Single)


def made_up(
    folder: Path,
    dataset: str,
    model: str,
    documents: dict[str, Document],
    never: str = "beyond_all",
    right: bool = True,
    seed: int | None = None,
) -> Cell:
    """Write a cell whose removals are 3 wherever they are not given; decisions are right, or always for class 0."""
    cell = Cell(dataset, model, folder / cell_name(dataset, model, seed), seed)
    results = cell.results
    results.path.mkdir(parents=True)
    tables = {
        "documents": [
            _document(name, document, n % 2, n % 2 * right) for n, (name, document) in enumerate(documents.items())
        ],
        "signals": [
            {"id": name, "ranking": ranking, "scores": [0.0] * document.n}
            for name, document in documents.items()
            for ranking in KEYS
        ],
        "flips": [row for name, document in documents.items() for row in _flips(name, document)],
        "singles": [row for name, document in documents.items() for row in _singles(name, document)],
        "curves": [],
    }
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows, SCHEMAS[name]), results.path / RESULTS.table(name))
    results.finish(with_setup(aggregate(results, never), count_never_as=never))
    write_record(cell.folder / RUN.metrics, Metrics(1, [Epoch(1, 0.5, {}, 1.0)], {"accuracy": 0.75}, "cpu"))
    labels = LabelTable(("neg", "pos"), {"0": 0, "1": 1})
    write_training_data(cell.folder, TrainingData(labels, {"train": DATA, "test": DATA}, {}))
    return cell


def random_documents(count: int, seed: int, classes_of_n: tuple[int, ...] = (1, 5, 23, 101)) -> dict[str, Document]:
    """Documents with every kind of value: one component, no flip, no sign, draws that differ."""
    generator = np.random.default_rng(seed)

    def removed(n: int) -> int | None:
        drawn = int(generator.integers(1, n + 3))
        return drawn if drawn <= n else NEVER

    documents = {}
    for number in range(count):
        n = int(generator.choice(classes_of_n))
        removals: dict[str, Any] = {ranking: removed(n) for ranking in RANKINGS[1:]}
        removals["random"] = [removed(n) for _ in range(3)]
        difference = float(generator.choice([0.0, 1e-8, -1e-8, 1.0, -1.0]) * generator.random())
        flips = bool(generator.random() < 0.3), bool(generator.random() < 0.2)
        single = Single(float(generator.random()), difference, *flips, float(generator.random()), difference)
        documents[f"test/{number}"] = Document(removals, n, single)
    return documents


def _document(name: str, document: Document, label: int, decision: int) -> dict[str, Any]:
    text = f"This is all that the document {name} says."
    return {"id": name, "text": text, "label": label, "n": document.n} | {
        "prediction": decision,
        "model_prediction": decision,
        "tokens": 30,
        "truncated_tokens": 10,
    }


def _flips(name: str, document: Document) -> list[dict[str, Any]]:
    rows = []
    for ranking in (*RANKINGS, *(name for name in SHUFFLES if name in document.removed)):
        given = document.removed.get(ranking, 3)
        draws = given if isinstance(given, list) else [given] * (3 if ranking == "random" else 1)
        for draw, removed in enumerate(draws):
            row = {"id": name, "ranking": ranking, "draw": draw if len(draws) > 1 else None, "n": document.n}
            if removed is None:
                rows.append(row | {"outcome": "never"})
            else:
                outcome = "bias_only" if removed == document.n else "flip"
                shares = {"fraction": removed / document.n, "mass": removed / 1000}
                rows.append(row | shares | {"removed": removed, "outcome": outcome})
    return rows


def _singles(name: str, document: Document) -> list[dict[str, Any]]:
    row = {"n": document.n, "share_negative": 0.0, "share_zero": 0.0} | vars(document.single)
    if document.n < 2:
        row = {"n": document.n}
    return [{"id": name, "ranking": ranking} | row for ranking in KEYS]
