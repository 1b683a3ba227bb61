"""Which flips are out of the ordinary: from documents in folders to a column, a share, and what is said of it."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset
from sklearn.covariance import empirical_covariance, ledoit_wolf_shrinkage, shrunk_covariance

from eraserhead.data.config import DataConfig
from eraserhead.erasure import seen
from eraserhead.erasure.aggregates import ranking_estimates, ranking_summary
from eraserhead.erasure.conditions import ordinary_line
from eraserhead.erasure.config import EraseConfig, MergeConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.flip_values import COLUMNS, flips_by_ranking
from eraserhead.erasure.merging import merge_folders
from eraserhead.erasure.ordinary import Percentiles
from eraserhead.erasure.schemas import PARTS, RATIONALE_COLUMNS, TABULATED
from eraserhead.erasure.seen import sample
from eraserhead.erasure.shards import deal
from eraserhead.method.names import SHUFFLES
from eraserhead.parquet import write_parquet
from summaries import full_summary
from tiny import random_texts, saved_classifier

LABELS = ("a", "b", "c")


def rows(schema: pa.Schema, **columns) -> pa.Table:
    count = len(next(iter(columns.values())))
    return pa.table(
        [pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
         for field in schema], schema=schema
    )  # fmt: skip


def test_a_percentile_is_among_the_documents_of_all_folders_without_the_document_itself(tmp_path):
    """Of 113 documents in two folders, one has one component and one is not in the sample: 111 are compared.

    The slow way fits every document's own mean and covariance, and counts.
    """
    vectors = np.random.default_rng(0).normal(size=(113, 7)).astype(np.float32)
    ids, lengths = [f"d{number}" for number in range(113)], [1, *[3] * 112]
    known = [None if number == 1 else vector.tolist() for number, vector in enumerate(vectors)]
    for folder, places in (("odd", range(112, -1, -2)), ("even", range(111, 0, -2))):
        (tmp_path / folder).mkdir()
        columns = {"id": ids, "n": lengths, "place": range(113), "seen": known}
        table = rows(PARTS["documents"], **{name: [each[place] for place in places] for name, each in columns.items()})
        write_parquet(tmp_path / folder / "documents.parquet", table)
    percentiles = Percentiles.of([tmp_path / "odd", tmp_path / "even"], "")
    given = np.random.default_rng(1).normal(size=(3, 7)).astype(np.float32) * [[1], [2], [5]]
    flips = rows(TABULATED["flips"], id=["d2", "d2", "d1", "d77"], seen=[given[0], None, None, given[1]])
    found = percentiles.added(flips).column("percentile").to_pylist()

    used = vectors[2:].astype(np.float64)
    shrinkage = ledoit_wolf_shrinkage(used)

    def distance(number, vector):
        others = np.delete(used, number, axis=0)
        covariance, difference = shrunk_covariance(empirical_covariance(others), shrinkage), vector - others.mean(0)
        return difference @ np.linalg.solve(covariance, difference)

    own = np.array([distance(number, vector) for number, vector in enumerate(used)])

    def slowly(number, vector):
        return 100 * np.mean(np.delete(own, number) < distance(number, np.float32(vector).astype(np.float64)))

    assert found == pytest.approx([slowly(0, given[0]), None, None, slowly(75, given[1])], abs=1e-9)
    assert 0 < found[0] < found[3]
    documents = rows(PARTS["documents"], id=["d5", "d0"], seen=[vectors[5], None])
    assert percentiles.added(documents).column("percentile").to_pylist() == [pytest.approx(slowly(3, vectors[5])), None]


@pytest.mark.parametrize(("count", "scale"), [(99, 1.0), (120, 0.0)], ids=["too few", "all the same"])
def test_nothing_is_said_of_too_few_documents_or_of_ones_that_are_the_same(tmp_path, count, scale):
    vectors = scale * np.random.default_rng(0).normal(size=(count, 3))
    columns = {"id": [f"d{number}" for number in range(count)], "n": [3] * count, "place": range(count)}
    write_parquet(tmp_path / "documents.parquet", rows(PARTS["documents"], **columns, seen=list(vectors)))
    percentiles = Percentiles.of([tmp_path], "")
    flips = rows(TABULATED["flips"], id=["d0"], seen=[vectors[0] + 9.0])
    assert percentiles.added(flips).column("percentile").to_pylist() == [None]


def test_the_share_is_over_the_flips_that_have_a_percentile():
    """Draws 99.5 and 10, 99.0 and none, none and none: shares one half, 0 and no number; mean .25 of 2 documents."""
    absent = np.nan
    given = [("a", 99.5), ("a", 10.0), ("b", 99.0), ("b", absent), ("c", absent), ("c", absent)]
    table = [
        (name, "random", draw % 2, 5, 2, 0.5, "flip", percentile, *[absent] * len(RATIONALE_COLUMNS))
        for draw, (name, percentile) in enumerate(given)
    ]
    columns = dict(zip(COLUMNS, zip(*table, strict=True), strict=True))
    found = flips_by_ranking([pa.table(columns)], "beyond_all")["random"]
    means = dict(ranking_estimates("random", found, None))
    share = ranking_summary("random", found, means).out_of_ordinary
    assert share is not None
    assert (share.value, share.count) == (0.25, 2)
    nothing = flips_by_ranking([pa.table({**columns, "percentile": [absent] * 6})], "beyond_all")["random"]
    means = dict(ranking_estimates("random", nothing, None))
    assert ranking_summary("random", nothing, means).out_of_ordinary is None


def test_the_sample_goes_by_ids_alone_and_is_spread_over_shards(monkeypatch):
    ids = [f"test/{number}" for number in range(4000)]
    all_of_them = sample(Dataset.from_dict({"id": ids[:2000]}))
    assert all_of_them.tolist() == list(range(2000))
    chosen = {ids[place] for place in sample(Dataset.from_dict({"id": ids}))}
    assert len(chosen) == 2000
    monkeypatch.setattr(seen, "AT_ONCE", 7)
    assert {ids[::-1][place] for place in sample(Dataset.from_dict({"id": ids[::-1]}))} == chosen
    counts = [sum(ids[place] in chosen for place in shard.places) for shard in deal(ids, 500)]
    assert len(counts) == 8
    assert all(200 < count < 300 for count in counts)


@pytest.mark.slow
def test_one_run_parts_and_more_draws_agree_and_erased_documents_are_further_off(tmp_path, monkeypatch):
    """A sample of 110 of 150 documents; those outside have no percentile, and no vector is left in the results."""
    monkeypatch.setattr(seen, "SAMPLE", 110)
    saved_classifier(tmp_path, LABELS)
    texts = random_texts(150, seed=8)
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    config = EraseConfig(
        model=str(tmp_path / "model"),
        output_dir=str(tmp_path / "whole"),
        data=DataConfig(path=str(tmp_path / "texts.jsonl"), max_length=12),
        draws=2,
        shard_size=16,
        cpu=True,
    )
    whole = erase_to_folder(config)
    parts = [replace(config, output_dir=str(tmp_path / f"part-{number}"), part=f"{number}/2") for number in (1, 2)]
    made = [erase_to_folder(part) for part in parts]
    merged = merge_folders(MergeConfig([part.output_dir or "" for part in parts], str(tmp_path / "merged")))
    for name in ("documents", "flips"):
        assert (merged.path / f"{name}.parquet").read_bytes() == (whole.path / f"{name}.parquet").read_bytes()
        assert "seen" in made[0].table(name).column_names
        assert "seen" not in whole.table(name).column_names
    documents, flips = whole.table("documents").to_pandas(), whole.table("flips").to_pandas()
    documents = documents.loc[documents.n >= 2]
    compared = documents.loc[documents.percentile.notna()]
    summary = whole.summary()
    assert 100 <= len(compared) <= 110 < len(documents)
    assert summary.ordinary_documents == merged.summary().ordinary_documents == len(compared)
    assert (compared.percentile > 99).mean() < 0.03
    flips = flips.loc[(flips.n >= 2) & ~flips.ranking.isin(SHUFFLES)]
    flipped = flips.loc[flips.outcome != "never"]
    assert flipped.percentile.notna().equals(flipped.id.isin(compared.id))
    assert flips.loc[flips.outcome == "never", "percentile"].isna().all()
    share = summary.rankings["attention"].out_of_ordinary
    assert share is not None
    own = flipped.loc[(flipped.ranking == "attention") & flipped.percentile.notna()]
    assert (share.value, share.count) == (pytest.approx((own.percentile > 99).mean()), len(own))
    assert flipped.percentile.mean() > 60  # that of the documents themselves is 50


def test_what_it_means_or_why_it_is_not_told():
    few, many = full_summary(), full_summary(ordinary_documents=1200)
    assert ordinary_line(few) == "Which flips are out of the ordinary is told from 100 documents on."
    assert "of 1,200 documents with nothing erased than 99 % of these" in ordinary_line(many)
    unread = replace(few, documents=replace(few.documents, analysed=100))
    assert "is not known" in ordinary_line(unread)
