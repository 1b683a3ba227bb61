"""Data sets that stay on the hub: the same documents as downloaded ones, and no more of a file than is wanted."""

import io

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eraserhead.data import streaming
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.own_columns import OTHERS
from eraserhead.data.sources import Source
from eraserhead.data.streaming import StreamedRows
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.errors import UserError
from hub_server import Hub
from interpreters import fresh_interpreter
from tiny import random_texts, saved_classifier

TEXTS = [*random_texts(40, seed=5), "", "   ", "good"]
NAMES = ["a", "b", "c"]


def split_files() -> dict[str, bytes]:
    """Two parquet files of the split ``test``, of 20 and 23 rows in groups of 7, with a wide column nobody asks for."""
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=NAMES),
            "wide": datasets.Value("binary"),
        }
    )
    files = {}
    for number, rows in enumerate((range(20), range(20, 43))):
        wide = [np.random.default_rng(row).bytes(50_000) for row in rows]
        content = {"text": [TEXTS[row] for row in rows], "label": [row % 3 for row in rows], "wide": wide}
        written = io.BytesIO()
        pq.write_table(datasets.Dataset.from_dict(content, features=features).data.table, written, row_group_size=7)
        files[f"data/test-{number:05d}-of-00002.parquet"] = written.getvalue()
    return files


class CountedFile:
    """A parquet file that keeps which groups of rows were read, and which columns of them."""

    def __init__(self, path: str, read: list) -> None:
        self.file, self.path, self.read = pq.ParquetFile(path), path, read
        self.metadata, self.schema_arrow = self.file.metadata, self.file.schema_arrow

    def read_row_group(self, number: int, columns: list[str]) -> pa.Table:
        self.read.append((self.path[-1], number, tuple(columns)))
        return self.file.read_row_group(number, columns=columns)


def test_rows_are_read_by_number_with_their_groups_alone(tmp_path, monkeypatch):
    """Rows 0 to 4 and 5 to 10 of two files in groups of two: rows 1, 4, 5 and 9 are in four of six groups."""
    read: list = []
    for name, rows in (("a", range(5)), ("b", range(5, 11))):
        table = pa.table({"text": [f"text {row}" for row in rows], "label": list(rows)})
        pq.write_table(table, tmp_path / name, row_group_size=2)
    monkeypatch.setattr(streaming, "_open", lambda file: CountedFile(file, read))
    found = StreamedRows("me/data", (str(tmp_path / "a"), str(tmp_path / "b")), None)
    assert (len(found), found.column_names) == (11, ["text", "label"])
    rows = found.read(np.array([1, 4, 5, 9]), ["text"])
    assert rows["text"][:] == ["text 1", "text 4", "text 5", "text 9"]
    assert read == [("a", 0, ("text",)), ("a", 2, ("text",)), ("b", 0, ("text",)), ("b", 2, ("text",))]
    assert found.select_columns(["label"])["label"][:] == list(range(11))
    assert found.read(np.array([], dtype=np.int64), ["label"]).num_rows == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "rows.parquet"}, r"data\.streaming=True: belongs to the hub"),
        ({"name": "planted"}, r"data\.streaming=True: belongs to the hub"),
        (
            {"name": "me/data", "separator": ";"},
            r"streaming=True: reads parquet alone, where these mean nothing: data\.sep",
        ),
    ],
)
def test_what_cannot_be_streamed_is_refused_before_anything_is_read(changes, message):
    with pytest.raises(UserError, match=message):
        load_documents(DataConfig(streaming=True, **changes), "test")


def test_training_does_not_stream():
    with pytest.raises(UserError, match=r"^data\.streaming: training reads its documents again and again; leave"):
        load_documents(DataConfig(name="me/data", streaming=True), "train")


@pytest.mark.parametrize(
    ("changes", "multi_label"),
    [
        ({}, False),
        ({"text_columns": ["title", "text"], "test_size": 6, "seed": 3}, False),
        ({"pair_column": "title"}, False),
        ({"label_column": "several", "test_size": 6}, True),
        ({"name": "yelp", "text_columns": ["text", "text"]}, False),
    ],
    ids=["whole", "sample", "pairs", "label sets", "cleaned"],
)
def test_documents_are_those_of_the_same_files_here(tmp_path, monkeypatch, datasets_cache, changes, multi_label):
    """Every column but the texts at once, and the texts of a few."""
    rows = {
        "text": [rf"row {row}\nof \"many\"" if row % 5 else None for row in range(11)],
        "title": [f"title {row}" for row in range(11)],
        "label": [f"class {row % 3}" if row % 4 else None for row in range(11)],
        "several": [[NAMES[row % 3]] if row % 2 else [] for row in range(11)],
    }
    pq.write_table(pa.table(rows), tmp_path / "test.parquet", row_group_size=4)
    source = Source({"test": StreamedRows("me/data", (str(tmp_path / "test.parquet"),), None)})
    monkeypatch.setattr(streaming, "_open", pq.ParquetFile)
    monkeypatch.setattr("eraserhead.data.requests.stream_hub", lambda *names: source)
    stored = load_documents(DataConfig(**changes, path=str(tmp_path)), "test", multi_label=multi_label)
    changes = {"name": "me/data", **changes}
    streamed = load_documents(DataConfig(**changes, streaming=True), "test", multi_label=multi_label)
    count = changes.get("test_size", 11)
    assert "text" not in streamed.rows.column_names
    assert streamed.read(range(count)).to_dict() == {
        name: stored.rows.to_dict()[name] for name in streamed.read([0]).column_names
    }
    own = [name for name in stored.rows.column_names if name != OTHERS]  # streaming keeps no further columns
    assert sorted(streamed.read([0]).column_names) == sorted(own)
    assert streamed.read([1, 4])["text"][:] == stored.read([1, 4])["text"][:]
    assert streamed.labels == stored.labels
    assert (streamed.record.fingerprint, streamed.record.documents) == (None, count)


CODE = """
import contextlib, sys
from eraserhead.cli.main import main
folder, model = sys.argv[1:]
command = ["erase", model, "--data.max_length", "12", "--draws", "2", "--shard_size", "2", "--cpu"]
def erase(output, *options, data="me/texts"):
    return main([*command, "--data.name", data, "--output_dir", f"{folder}/{output}", *options])
with contextlib.redirect_stdout(sys.stderr):
    codes = [erase("stored"), erase("streamed", "--data.streaming")]
    codes += [erase(f"part-{number}", "--data.streaming", "--part", f"{number}/2") for number in (1, 2)]
    codes.append(main(["merge", f"{folder}/part-1", f"{folder}/part-2", "--output_dir", f"{folder}/merged"]))
    codes.append(erase("csv", "--data.streaming", data="me/csv"))
    codes.append(erase("none", "--data.streaming", data="me/none"))
print(codes)
"""


@pytest.mark.hub
@pytest.mark.slow
def test_a_streamed_data_set_has_the_results_of_a_downloaded_one(tmp_path):
    """As a whole and in parts."""
    model, files = saved_classifier(tmp_path, NAMES), split_files()
    with Hub() as hub:
        commit = hub.add("me/texts", kind="dataset", files=files)
        hub.add("me/csv", kind="dataset", files={"test.csv": b"text,label\ngood,a\n"})
        environment = hub.environment(tmp_path / "home") | {"HF_HUB_OFFLINE": "0"}
        done = fresh_interpreter(CODE, str(tmp_path), model, environment=environment)
    assert done.stdout.splitlines() == ["[0, 0, 0, 0, 0, 2, 2]"], done.stderr[-3000:]
    results = {path.parent.name: ResultsFolder(path.parent) for path in tmp_path.glob("*/summary.json")}
    for streamed in ("streamed", "merged"):
        for name in SCHEMAS:
            tables = [results[each].table(name) for each in (streamed, "stored")]
            kept = [table.drop_columns([OTHERS]) if OTHERS in table.column_names else table for table in tables]
            assert kept[0].equals(kept[1]), (streamed, name)
    setup = results["streamed"].summary().setup
    assert (setup.data.revision, setup.data.fingerprint, setup.data.documents) == (commit, None, 43)
    assert results["stored"].summary().setup.data.fingerprint is not None
    assert results["streamed"].summary().accuracy.count > 0
    assert (
        "--data.streaming: the files of me/csv are no parquet, and others cannot be read from the middle; give "
        "--data.revision refs/convert/parquet, where the hub keeps most data sets as parquet, or leave it out"
    ) in done.stderr
    assert "error: me/none: cannot be read from the hub (" in done.stderr
    assert not (tmp_path / "csv").exists()
