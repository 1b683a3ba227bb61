"""Ids of the data's own, and the further columns that results keep."""

import json
import re

import pandas as pd
import pytest

from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.errors import UserError
from eraserhead.parquet import read_parquet
from tiny import random_texts, saved_classifier


def write(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def rows_with(ids, **others):
    return [
        {"text": f"text {place}", "label": place % 2, "key": each} | {name: of[place] for name, of in others.items()}
        for place, each in enumerate(ids)
    ]


@pytest.mark.parametrize(("ids", "read"), [(["b", "a", "c"], ["b", "a", "c"]), ([7, 30, 5], ["7", "30", "5"])])
def test_ids_come_from_the_column_in_the_order_of_the_rows(tmp_path, datasets_cache, ids, read):
    path = write(tmp_path / "rows.jsonl", rows_with(ids))
    documents = load_documents(DataConfig(path=path, id_column="key"), "test")
    assert documents.rows["id"][:] == read
    assert documents.record.id_column == "key"
    plain = load_documents(DataConfig(path=path), "test")
    assert plain.rows["id"][:] == ["rows/0", "rows/1", "rows/2"]
    assert plain.fingerprint != documents.fingerprint


def test_a_sample_keeps_the_ids_of_its_rows(tmp_path, datasets_cache):
    path = write(tmp_path / "rows.jsonl", rows_with([f"n{each}" for each in range(40)]))
    documents = load_documents(DataConfig(path=path, id_column="key", test_size=7), "test")
    assert [text.split()[1] for text in documents.rows["text"][:]] == [name[1:] for name in documents.rows["id"][:]]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["a", "b", "a"], "rows 0 and 2 of split 'rows' have the same id 'a'"),
        (["a", None, "c"], "row 1 of split 'rows' has no id; give every row one"),
        (["a", "b", " "], "row 2 of split 'rows' has no id"),
        ([0.5, 1.5, 2.5], "holds double and no ids; name a column of texts or of whole numbers"),
    ],
    ids=["twice", "missing", "blank", "numbers"],
)
def test_wrong_ids_are_refused_with_the_row(tmp_path, datasets_cache, ids, said):
    path = write(tmp_path / "rows.jsonl", rows_with(ids))
    with pytest.raises(UserError, match=re.escape(f"data.id_column='key': {said}")):
        load_documents(DataConfig(path=path, id_column="key", test_size=2), "test")


def test_a_missing_column_is_named_with_the_nearest(tmp_path, datasets_cache):
    path = write(tmp_path / "rows.jsonl", rows_with(["a", "b", "c"]))
    with pytest.raises(UserError, match=r"data\.id_column='kee': no such column; did you mean 'key'"):
        load_documents(DataConfig(path=path, id_column="kee"), "test")
    with pytest.raises(UserError, match=r"leave out data\.id_column"):
        load_documents(DataConfig(name="planted", id_column="key"), "test")


def test_further_columns_are_kept_as_they_are_and_training_leaves_them_out(tmp_path, datasets_cache):
    others = {"stars": [1, 2, None], "tags": [["x"], [], None], "text2": ["é", "", None], "who": [{"age": 3}] * 3}
    path = write(tmp_path / "rows.jsonl", rows_with(["a", "b", "c"], **others))
    kept = load_documents(DataConfig(path=path, id_column="key"), "test").rows["data"][:]
    assert kept == [{name: of[place] for name, of in others.items()} for place in range(3)]
    without_id = load_documents(DataConfig(path=path), "test").rows["data"][:]
    assert [each["key"] for each in without_id] == ["a", "b", "c"]
    many = write(tmp_path / "many.jsonl", rows_with(range(40)))
    assert "data" not in load_documents(DataConfig(path=many), "train").rows.column_names
    bare = write(tmp_path / "bare.jsonl", [{"text": "a", "label": 0}, {"text": "b", "label": 1}])
    assert "data" not in load_documents(DataConfig(path=bare), "test").rows.column_names


@pytest.mark.slow
def test_results_have_the_ids_and_the_further_columns_and_explain_finds_a_document(tmp_path, monkeypatch, capfd):
    """In two shards, whose documents come back in order; a push leaves the further columns out."""
    monkeypatch.setenv("ERASERHEAD_CACHE", str(tmp_path / "cache"))
    folder, texts = saved_classifier(tmp_path), random_texts(7)
    rows = [{"text": text, "key": f"k{place}", "year": 2000 + place} for place, text in enumerate(texts)]
    path = write(tmp_path / "rows.jsonl", rows)
    data = ["--data.path", path, "--data.id_column", "key", "--cpu"]
    results = tmp_path / "out"
    assert main(["erase", folder, *data, "--shard_size", "4", "--output_dir", str(results)]) == 0
    documents = pd.read_parquet(results / "documents.parquet")
    assert list(documents.id) == [row["key"] for row in rows]
    assert [each["year"] for each in documents.data] == [row["year"] for row in rows]
    assert set(pd.read_parquet(results / "flips.parquet").id) == {row["key"] for row in rows}
    capfd.readouterr()
    assert main(["explain", folder, "--id", "k3", *data]) == 0
    assert texts[3].split()[0] in capfd.readouterr().out
    assert main(["explain", folder, "--id", "rows/3", *data]) == 2
    assert "no such document among the 7, such as k0 and k6" in capfd.readouterr().err
    command = ["push", folder, "user/name", "--erasure", str(results), "--include_texts", "--dry_run"]
    assert main(command) == 0
    (published,) = (tmp_path).rglob("hub/documents.parquet")
    names = read_parquet(published, "x").column_names
    assert ("text" in names, "data" in names) == (True, False)
