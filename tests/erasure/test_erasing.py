"""From documents to a folder of results, end to end."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

import eraserhead
from eraserhead.data.config import DataConfig
from eraserhead.data.provenance import LabelsRead
from eraserhead.erasure.api import read
from eraserhead.erasure.config import EraseConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.results import ResultsFolder
from eraserhead.erasure.schemas import SCHEMAS
from eraserhead.erasure.shards import DealtShard
from eraserhead.erasure.summary import Counts
from eraserhead.erasure.work import Work
from eraserhead.errors import UserError
from eraserhead.files import unfinished_name, write_json
from eraserhead.locks import LockedError, locked
from eraserhead.method.names import SHUFFLES
from eraserhead.rankings.registry import registered
from references import first_flip
from tables import frames, scores
from tiny import random_texts, saved_classifier, tiny_classifier, tiny_tokenizer

pytestmark = pytest.mark.slow

LABELS = ("a", "b", "c")
TEXTS = [*random_texts(40, seed=5), "", "   ", "good"]


def write_texts(tmp_path, texts=TEXTS, labels=None) -> str:
    rows = [{"text": text, "label": LABELS[i % 3] if labels is None else labels[i]} for i, text in enumerate(texts)]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def config(tmp_path, **changes) -> EraseConfig:
    if not (tmp_path / "model").exists():
        saved_classifier(tmp_path, LABELS)
        write_texts(tmp_path)
    data = DataConfig(path=str(tmp_path / "texts.jsonl"), max_length=12)
    settings = {"output_dir": str(tmp_path / "results"), "data": data, "shard_size": 16, "cpu": True, **changes}
    return EraseConfig(model=str(tmp_path / "model"), **settings)


def test_flips_equal_the_slow_loop_over_the_models_own_vectors(tmp_path):
    """Every row of every ranking against one head evaluation a prefix, from vectors that the model gave.

    Permuted weights follow from the order that they give: its k-th component has the k-th largest weight.
    """
    folder = erase_to_folder(config(tmp_path, draws=2))
    results, attention = frames(folder), scores(folder)["attention"]
    model = tiny_classifier(tmp_path, LABELS).double()
    head = model.head.classifier
    checked = 0
    for document in results["documents"].itertuples():
        inputs = tiny_tokenizer()(document.text, truncation=True, max_length=12, return_tensors="pt")
        vectors = model.token_vectors(inputs["input_ids"], inputs["attention_mask"])[0, 1:-1].detach()
        weights = model(**inputs).pooling_weights[0, 1:-1].detach()
        assert_close(torch.tensor(attention[document.id]), weights, rtol=1e-4, atol=1e-6)
        permuted, orders = {}, {}
        for row in results["flips"][results["flips"].id == document.id].itertuples():
            if row.ranking == "minimum" or not len(weights):
                continue
            if row.ranking == "shuffled":
                permuted[row.draw] = weights.sort(descending=True).values[torch.tensor(row.order).argsort()]
            own, order = permuted[row.draw] if row.ranking in SHUFFLES else weights, row.order
            if row.ranking == "random":
                orders[row.draw] = order
            if row.ranking == "shuffled_random":
                assert order is None
                order = orders[row.draw]
            slow = first_flip(own, vectors, head.weight.detach(), head.bias.detach(), order.tolist())
            assert row.outcome == slow.outcome
            assert (None if np.isnan(row.removed) else int(row.removed)) == slow.removed
            checked += slow.outcome == "flip"
        assert len(permuted) == (2 if len(weights) else 0)
    assert checked > 80


def test_tables_hold_what_they_promise(tmp_path):
    folder = erase_to_folder(config(tmp_path))
    results = frames(folder)
    documents, flips, singles = results["documents"], results["flips"], results["singles"]
    found, attention = scores(folder), scores(folder)["attention"]
    assert all(own.index.tolist() == documents.id.tolist() for own in found.values())
    assert {name: own.map(len).tolist() for name, own in found.items()} == {
        ranking.name: documents.n.tolist() for ranking in registered()
    }
    assert documents.id.tolist() == [f"texts/{i}" for i in range(len(TEXTS))]
    assert documents.n.tolist()[-3:] == [0, 0, 1]
    for row in documents.itertuples():
        assert row.n == len(row.components) == len(row.starts) == len(row.single_js)
        covered = [row.text[start:end].lower() for start, end in zip(row.starts, row.ends, strict=True)]
        assert covered == row.components.tolist()
        assert sum(attention[row.id]) == pytest.approx(1.0 if row.n else 0.0)
        assert sum(row.probabilities) == pytest.approx(1.0)
        assert row.prediction == np.argmax(row.probabilities)
        assert row.truncated_tokens == max(0, len(TEXTS[int(row.id.split("/")[1])].split()) - 10)
    assert len(flips) == len(TEXTS) * (10 + 3 + 10 + 10 + 1)
    assert flips.groupby("ranking").size().to_dict()["random"] == 10 * len(TEXTS)
    assert flips[flips.ranking == "random"].draw.tolist()[:10] == list(range(10))
    for name in SHUFFLES:
        assert flips[flips.ranking == name].draw.tolist()[:10] == list(range(10))
    assert flips[~flips.ranking.isin(["random", *SHUFFLES])].draw.isna().all()
    exists = flips[flips.outcome != "never"]
    assert (exists.fraction == exists.removed / exists.n).all()
    assert flips[flips.outcome == "never"][["removed", "fraction", "mass"]].isna().all().all()
    for row in exists[~exists.ranking.isin(SHUFFLES)].itertuples():
        assert row.mass == pytest.approx(sum(attention[row.id][i] for i in row.order[: int(row.removed)]), abs=1e-12)
    assert len(singles) == 3 * len(TEXTS)
    for row in singles[singles.n >= 2].itertuples():
        assert row.delta_js == row.js_top - row.js_random
        assert row.top != row.random
        js = documents[documents.id == row.id].single_js.iloc[0]
        assert row.js_top == js[int(row.top)]
        others = np.delete(js, int(row.top))
        assert row.expected_delta_js == pytest.approx((js[int(row.top)] - others).mean(), abs=1e-14)
    assert singles[singles.n < 2].js_top.isna().all()


def test_minimum_is_never_above_a_ranking(tmp_path):
    flips = frames(erase_to_folder(config(tmp_path)))["flips"]
    least = flips[flips.ranking == "minimum"].set_index("id").removed
    others = flips[~flips.ranking.isin(["minimum", *SHUFFLES]) & (flips.outcome == "flip")]
    assert (others.removed.to_numpy() >= least.loc[others.id].to_numpy()).all()
    assert (others.removed.to_numpy() > least.loc[others.id].to_numpy()).any()


def test_results_do_not_depend_on_shards_batches_or_order(tmp_path):
    whole = erase_to_folder(config(tmp_path))
    other = erase_to_folder(config(tmp_path, output_dir=str(tmp_path / "other"), shard_size=5, batch_tokens=30))
    flips = [frames(results)["flips"] for results in (whole, other)]
    for column in ("id", "ranking", "removed", "outcome"):
        assert flips[0][column].equals(flips[1][column])
    assert np.allclose(flips[0].mass, flips[1].mass, atol=1e-6, equal_nan=True)
    for name, own in scores(whole).items():
        assert np.allclose(np.concatenate([*own]), np.concatenate([*scores(other)[name]]), atol=1e-6)


def test_summary_counts_and_leaves_out(tmp_path):
    summary = erase_to_folder(config(tmp_path)).summary()
    assert summary.documents == Counts(
        total=43,
        analysed=sum(len(text.split()) > 1 for text in TEXTS),
        without_components=2,
        with_one_component=sum(len(text.split()) == 1 for text in TEXTS),
        unlabelled=0,
        decided_otherwise_by_model=0,
    )
    assert summary.truncation.truncated_documents == sum(len(text.split()) > 10 for text in TEXTS)
    for ranking in summary.rankings.values():
        assert sum(share.value for share in ranking.outcomes.values()) == pytest.approx(1.0)
        assert ranking.fraction.median.count == summary.documents.analysed
    for pair in summary.pairs:
        assert sum(share.value for share in (pair.fewer, pair.equal, pair.more)) == pytest.approx(1.0)
    for test in summary.tests.values():
        for table in (test.exact, test.drawn):
            assert sum(cell.value for cell in vars(table).values()) == pytest.approx(1.0)
    assert summary.setup.data.fingerprint
    assert summary.run.versions["torch"]


def test_summary_numbers_follow_from_the_tables(tmp_path):
    """The mean fraction, the excess and one pair, computed again from the tables in the plainest way."""
    folder = erase_to_folder(config(tmp_path))
    flips, summary = folder.table("flips").to_pandas(), folder.summary()
    flips = flips[flips.n >= 2]
    attention, gradient, minimum = (
        flips[flips.ranking == name].set_index("id") for name in ("attention", "gradient", "minimum")
    )
    fraction = summary.rankings["attention"].fraction
    assert fraction.mean.value == pytest.approx(attention.fraction.fillna(1.0).mean())
    assert fraction.mean_of_flips.value == pytest.approx(attention.fraction.mean())
    excess = (attention.removed - minimum.removed).dropna()
    assert summary.rankings["attention"].excess.value == pytest.approx(excess.mean())
    assert summary.rankings["attention"].excess.count == len(excess)
    pair = next(pair for pair in summary.pairs if (pair.first, pair.second) == ("gradient", "attention"))
    fewer = gradient.removed.fillna(np.inf) < attention.removed.fillna(np.inf)
    assert pair.fewer.value == pytest.approx(fewer.mean())
    ordered = np.sort(flips[flips.ranking == "random"].fraction.fillna(np.inf).to_numpy())  # all draws weigh the same
    median = ordered[int(np.ceil(0.5 * len(ordered))) - 1]
    assert summary.rankings["random"].fraction.median.value == (median if np.isfinite(median) else None)


def test_others_drawn_by_position_change_test_1_alone(tmp_path):
    """Over the positions 1..n-1 of each document, the top among them: expectations again from `single_js`."""
    uniform = frames(erase_to_folder(config(tmp_path, draws=2)))
    folder = erase_to_folder(config(tmp_path, draws=2, output_dir=str(tmp_path / "other"), random_other="position"))
    position = frames(folder)
    assert folder.summary().setup.random_other == "position"
    assert position["flips"].equals(uniform["flips"])
    documents = position["documents"].set_index("id")
    assert documents.single_js.map(list).equals(uniform["documents"].set_index("id").single_js.map(list))
    singles = position["singles"][position["singles"].n >= 2]
    assert singles.random.between(1, singles.n - 1).all()
    assert (singles.random == singles.top).any()
    assert (singles.top == 0).any()
    for row in singles.itertuples():
        js, prediction = documents.single_js[row.id], documents.prediction[row.id]
        delta = js[int(row.top)] - js[1:]
        flipped = documents.single_decision[row.id][1:] != prediction
        assert row.expected_delta_js == pytest.approx(delta.mean(), abs=1e-14)
        assert row.share_negative == np.mean(delta <= -1e-7)
        assert row.share_zero == np.mean(np.abs(delta) < 1e-7)
        assert row.share_random_flips == flipped.mean()
        assert row.js_random == js[int(row.random)]
    drawn = (singles.top_flips.astype(float) * singles.share_random_flips)[singles.ranking == "attention"].mean()
    assert folder.summary().tests["attention"].exact.both_flip.value == pytest.approx(drawn)


def test_counting_nevers_as_all_changes_the_summary_alone(tmp_path):
    run = config(tmp_path, draws=2)
    default = erase_to_folder(run)
    with pytest.raises(UserError, match=r"different: count_never_as\)"):
        erase_to_folder(replace(run, count_never_as="all"))
    folder = erase_to_folder(replace(run, count_never_as="all", output_dir=str(tmp_path / "other")))
    assert all(folder.table(name).equals(default.table(name)) for name in SCHEMAS)
    flips, summary = folder.table("flips").to_pandas(), folder.summary()
    assert summary.setup.count_never_as == "all"
    flips = flips[flips.n >= 2]
    assert (flips.outcome == "never").any()
    counted = flips.removed.fillna(flips.n)
    attention, minimum = (counted[flips.ranking == name].to_numpy() for name in ("attention", "minimum"))
    found = summary.rankings["attention"]
    assert found.removed.mean.value == pytest.approx(attention.mean())
    assert found.excess.value == pytest.approx((attention - minimum).mean())
    assert found.optimal.value == pytest.approx((attention == minimum).mean())
    assert found.outcomes == default.summary().rankings["attention"].outcomes
    assert summary.tests == default.summary().tests


def interrupt_after_one_shard(run: EraseConfig, monkeypatch):
    """Run it until its second shard; return how a shard is written otherwise."""
    write = ResultsFolder.write_shard

    def interrupted(self, number, tables):
        if number == 1:
            raise KeyboardInterrupt
        write(self, number, tables)

    monkeypatch.setattr(ResultsFolder, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        erase_to_folder(run)
    return write


def test_an_interrupted_run_continues_and_ends_the_same(tmp_path, monkeypatch):
    whole = frames(erase_to_folder(config(tmp_path)))
    cut = config(tmp_path, output_dir=str(tmp_path / "cut"))
    write = interrupt_after_one_shard(cut, monkeypatch)
    unfinished_name(tmp_path / "cut" / "shards" / "000001").mkdir()  # as a process that is killed leaves it
    assert ResultsFolder(tmp_path / "cut").finished_shards() == {0}
    assert not (tmp_path / "cut" / "flips.parquet").exists()
    with pytest.raises(UserError, match="unfinished"):
        ResultsFolder(tmp_path / "cut").summary()
    written = []
    monkeypatch.setattr(ResultsFolder, "write_shard", lambda *call: (written.append(call[1]), write(*call)))
    again = frames(erase_to_folder(cut))
    assert written == [1, 2]
    assert again["flips"].equals(whole["flips"])
    assert again["singles"].equals(whole["singles"])
    assert not (tmp_path / "cut" / "shards").exists()
    assert ResultsFolder(tmp_path / "cut").summary().run.earlier_shards == 1


def test_shards_of_another_configuration_are_made_again(tmp_path, monkeypatch):
    """Six documents in two full shards; the first one of seed 0 is there when seed 1 is asked for."""
    run = config(tmp_path, shard_size=3)
    write_texts(tmp_path, TEXTS[:6])
    write, written = interrupt_after_one_shard(run, monkeypatch), []
    with pytest.raises(UserError, match=r"different: seed.*overwrite=True"):
        erase_to_folder(replace(run, seed=1))
    assert ResultsFolder(tmp_path / "results").finished_shards() == {0}
    monkeypatch.setattr(ResultsFolder, "write_shard", lambda *call: (written.append(call[1]), write(*call)))
    again = frames(erase_to_folder(replace(run, seed=1, overwrite=True)))
    assert written == [0, 1]
    fresh = frames(erase_to_folder(replace(run, seed=1, output_dir=str(tmp_path / "fresh"))))
    assert again["flips"].equals(fresh["flips"])


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    run = config(tmp_path)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", full)
    with pytest.raises(OSError, match="No space"):
        erase_to_folder(run)
    monkeypatch.undo()
    assert ResultsFolder(tmp_path / "results").finished_shards() == set()
    erase_to_folder(run)
    assert ResultsFolder(tmp_path / "results").complete


def test_the_same_setup_again_does_nothing_and_another_is_refused(tmp_path):
    run = config(tmp_path)
    folder = erase_to_folder(run)
    written = (folder.path / "summary.json").stat().st_mtime_ns
    erase_to_folder(run)
    assert (folder.path / "summary.json").stat().st_mtime_ns == written
    with pytest.raises(UserError, match=r"different: draws, seed.*overwrite=True"):
        erase_to_folder(replace(run, draws=3, seed=7))
    flips = erase_to_folder(replace(run, draws=3, overwrite=True)).table("flips")
    assert len(flips) == len(TEXTS) * (3 + 3 + 3 + 3 + 1)


def test_other_files_are_left_alone(tmp_path):
    run = config(tmp_path)
    Path(run.output_dir).mkdir()
    (Path(run.output_dir) / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="not erasure results"):
            erase_to_folder(replace(run, overwrite=overwrite))


def test_changed_texts_are_another_setup(tmp_path):
    run = config(tmp_path)
    erase_to_folder(run)
    write_texts(tmp_path, [*TEXTS[:-1], "bad"])
    with pytest.raises(UserError, match=r"data\.fingerprint"):
        erase_to_folder(run)


def test_nan_weights_are_refused(tmp_path):
    run = config(tmp_path)
    file = tmp_path / "model" / "model.safetensors"
    weights = load_file(file)
    weights["head.classifier.weight"][0, 0] = torch.nan
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 of 48 weights in 'head\.classifier\.weight' are NaN"):
        erase_to_folder(run)
    assert not Path(run.output_dir).exists()


def test_missing_weights_are_refused(tmp_path):
    run = config(tmp_path)
    file = tmp_path / "model" / "model.safetensors"
    weights = load_file(file)
    del weights["head.classifier.bias"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"head\.classifier\.bias"):
        erase_to_folder(run)


def test_models_without_an_erasable_site_are_refused(tmp_path):
    run = config(tmp_path)
    with pytest.raises(UserError, match=r"has no classification head .*`train\(model=\{'encoder': '"):
        erase_to_folder(replace(run, model=str(tmp_path / "encoder")))
    with pytest.raises(UserError, match=r"no config\.json"):
        erase_to_folder(replace(run, model=str(tmp_path)))


def test_labels_are_matched_by_name_or_no_accuracy_is_reported(tmp_path, caplog):
    run = config(tmp_path)
    write_texts(tmp_path, labels=["C", "B", "A"] * 20)
    matched = erase_to_folder(run)
    assert matched.table("documents").to_pandas().label.tolist()[:3] == [2, 1, 0]
    assert matched.summary().setup.labels == LabelsRead("name", ("A", "B", "C"))
    write_texts(tmp_path, labels=["x", "y", "z"] * 20)
    with caplog.at_level("INFO", "eraserhead"):
        summary = erase_to_folder(replace(run, output_dir=str(tmp_path / "other"))).summary()
    assert "no accuracy is reported" in caplog.text
    assert summary.accuracy.value is None
    assert summary.documents.unlabelled == len(TEXTS)
    assert summary.setup.labels == LabelsRead("unmatched", ("x", "y", "z"))
    given = erase_to_folder(replace(run, output_dir=str(tmp_path / "given"), label_map=["x=c", "y=b", "z=a"]))
    assert given.summary().setup.labels == LabelsRead("label_map", ("x", "y", "z"))


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


def test_python_api_takes_texts_datasets_and_models(tmp_path):
    folder = saved_classifier(tmp_path, LABELS)
    by_name = eraserhead.erase(folder, TEXTS, max_length=12, draws=2, cpu=True)
    model = eraserhead.AttentionPoolingForSequenceClassification.from_pretrained(folder)
    dataset = eraserhead_dataset(TEXTS)
    by_model = eraserhead.erase(model, dataset, tokenizer=tiny_tokenizer(), max_length=12, draws=2, cpu=True)
    assert by_name.flips.equals(by_model.flips)
    assert by_model.summary.accuracy.count == by_model.summary.documents.analysed
    assert by_name.summary.accuracy.value is None
    assert by_name.dataset("singles").column_names[:3] == ["id", "ranking", "n"]
    assert by_name.documents.text.tolist() == TEXTS
    kept = eraserhead.erase(folder, TEXTS, max_length=12, draws=2, cpu=True, output_dir=str(tmp_path / "kept"))
    assert read(tmp_path / "kept").flips.equals(kept.flips)
    other = eraserhead.erase(
        folder, TEXTS, max_length=12, draws=2, cpu=True, random_other="position", count_never_as="all"
    )
    counted = [each.summary.rankings["attention"].fraction.mean_of_flips.count for each in (by_name, other)]
    assert counted[0] < counted[1] == other.summary.documents.analysed
    assert other.singles.random[other.singles.n >= 2].min() == 1
    assert by_name.singles.random[by_name.singles.n >= 2].min() == 0


def test_python_api_takes_the_callers_ids(tmp_path):
    folder = saved_classifier(tmp_path)
    dataset = eraserhead_dataset(TEXTS[:5]).remove_columns("label").add_column("id", [f"mine-{i}" for i in range(5)])
    forward = eraserhead.erase(folder, dataset, draws=2, cpu=True).flips
    reverse = eraserhead.erase(folder, dataset.select(range(4, -1, -1)), draws=2, cpu=True).flips
    assert reverse.id.unique().tolist() == [f"mine-{i}" for i in range(4, -1, -1)]
    for name in ("mine-1", "mine-3"):
        orders = [flips[flips.id == name].order.dropna().tolist() for flips in (forward, reverse)]
        assert [list(order) for order in orders[0]] == [list(order) for order in orders[1]]
    with pytest.raises(UserError, match="twice"):
        eraserhead.erase(folder, dataset.remove_columns("id").add_column("id", ["same"] * 5), cpu=True)


def eraserhead_dataset(texts):
    from datasets import Dataset

    return Dataset.from_dict({"text": texts, "label": [i % 3 for i in range(len(texts))]})


def test_labels_that_are_no_classes_are_refused_and_unknown_ones_are_not(tmp_path):
    folder = saved_classifier(tmp_path)
    dataset = eraserhead_dataset(TEXTS[:3]).remove_columns("label")
    for label in (2, 0.5):
        with pytest.raises(UserError, match="none of the model's classes"):
            eraserhead.erase(folder, dataset.add_column("label", [label] * 3), cpu=True)
    named = eraserhead.erase(folder, dataset.add_column("label", ["pos"] * 3), cpu=True)
    assert named.documents.label.tolist() == [1, 1, 1]
    assert named.summary.setup.labels == LabelsRead("name", ("pos",))
    unknown = eraserhead.erase(folder, dataset.add_column("label", [-1, 0, 1]), cpu=True)
    assert unknown.summary.documents.unlabelled == 1
    assert unknown.summary.setup.labels == LabelsRead("index")
    assert unknown.summary.documents.trained_on is None
    assert unknown.summary.accuracy_unseen is None


def test_a_model_by_another_name_continues_and_a_refused_command_leaves_no_mark(tmp_path):
    run = config(tmp_path)
    with pytest.raises(UserError, match="max_length=2: the tokenizer adds 2"):
        erase_to_folder(replace(run, data=replace(run.data, max_length=2)))
    assert not Path(run.output_dir).exists()
    written = (erase_to_folder(run).path / "summary.json").stat().st_mtime_ns
    (tmp_path / "model").rename(tmp_path / "moved")
    folder = erase_to_folder(replace(run, model=str(tmp_path / "moved") + "/"))
    assert (folder.path / "summary.json").stat().st_mtime_ns == written


def test_a_length_beyond_the_window_is_cut_to_it_and_said(tmp_path, caplog):
    """The tiny encoder has 64 positions."""
    run = config(tmp_path, draws=1)
    with caplog.at_level("INFO", "eraserhead"):
        summary = erase_to_folder(replace(run, data=replace(run.data, max_length=1000))).summary()
    assert "cut at the model's window of 64 tokens" in caplog.text
    assert summary.setup.limits.tokens == 64


@pytest.mark.parametrize("changes", [{"draws": 0}, {"shard_size": 0}, {"seed": -1}], ids=str)
def test_numbers_out_of_range_are_refused(tmp_path, changes):
    (name,) = changes
    with pytest.raises(UserError, match=f"{name}=.*must be"):
        erase_to_folder(config(tmp_path, **changes))


@pytest.mark.parametrize("name", ["run.yaml", "data.json"])
def test_files_of_our_names_that_are_not_ours_get_one_line(tmp_path, name):
    run = config(tmp_path)
    (tmp_path / "model" / name).write_text("{}")
    with pytest.raises(UserError, match="move it out"):
        erase_to_folder(run)


@pytest.mark.slow
def test_control_c_keeps_finished_shards_and_the_same_command_continues(tmp_path):
    """A real process and a real signal."""
    saved_classifier(tmp_path, LABELS)
    write_texts(tmp_path, random_texts(300, seed=1))
    command = [
        sys.executable, "-m", "eraserhead", "erase", str(tmp_path / "model"), "--data.path",
        str(tmp_path / "texts.jsonl"), "--data.max_length", "12", "--output_dir", str(tmp_path / "results"),
        "--shard_size", "10", "--draws", "50", "--cpu",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell that runs the tests in the background has them, and their children, ignore Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    )
    shards = tmp_path / "results" / "shards"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and not (shards.is_dir() and len(list(shards.iterdir())) > 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert errors.strip().splitlines()[-1].startswith("eraserhead: error: interrupted")
    assert "Traceback" not in errors
    finished = len(ResultsFolder(tmp_path / "results").finished_shards())
    assert 0 < finished < 30
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "of 30 shards are finished" in done.stderr
    assert ResultsFolder(tmp_path / "results").table("documents").num_rows == 300


def test_processes_that_see_different_shards_finished_leave_none_out():
    """The second of three processes looks when the first has finished shard 0, the third when 0 and 1 are there."""
    seen = [set(), {0}, {0, 1}]
    work = Work(
        [DealtShard(number, np.empty(0, np.int64)) for number in range(7)],
        1,
        lambda shard: Dataset.from_dict({}),
        np.empty(0, np.int64),
    )

    def dealt(rank, finished):
        return [shard.number for shard in work.share(rank, 3, finished)]

    assert [dealt(rank, finished) for rank, finished in enumerate(seen)] == [[0, 3, 6], [1, 4], [2, 5]]
    assert dealt(0, {3, 4}) == [0, 6]


@pytest.mark.slow
def test_two_processes_share_the_shards_and_join_the_same_results(tmp_path):
    whole = frames(erase_to_folder(config(tmp_path, shard_size=5)))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29618"]
    command += ["-m", "eraserhead", "erase", str(tmp_path / "model"), "--data.path", str(tmp_path / "texts.jsonl")]
    command += ["--data.max_length", "12", "--shard_size", "5", "--cpu", "--output_dir", str(tmp_path / "two")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes" in done.stderr
    assert done.stdout.count("results in") == 1
    both = frames(ResultsFolder(tmp_path / "two"))
    assert both["flips"].equals(whole["flips"])
    assert both["documents"].id.equals(whole["documents"].id)


@pytest.mark.parametrize("name", ["signals.parquet", "summary.json"])
def test_a_damaged_file_is_named_by_who_reads_it_and_made_again_by_the_same_command(tmp_path, caplog, name):
    run = config(tmp_path)
    folder = erase_to_folder(run)
    whole, file = frames(folder), folder.path / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}: damaged \(.+\); delete .* and erase again"):
        eraserhead.read(folder.path)
    with caplog.at_level("INFO", "eraserhead"):
        erase_to_folder(run)
    assert len([line for line in caplog.messages if f"{name}: damaged" in line and "computed again" in line]) == 1
    again = frames(folder)
    assert all(again[name].equals(whole[name]) for name in SCHEMAS)


def test_the_summary_is_read_without_the_tables_and_checked_with_them(tmp_path):
    """What only prints the summary must not read gigabytes of tables; what reads these finds the damage."""
    folder = erase_to_folder(config(tmp_path))
    summary, file = folder.checked_summary(), folder.path / "flips.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    assert folder.summary() == summary
    with pytest.raises(UserError, match=r"flips\.parquet: damaged"):
        folder.checked_summary()


def test_a_damaged_shard_alone_is_made_again(tmp_path, monkeypatch, caplog):
    run = config(tmp_path, shard_size=5)
    whole = frames(erase_to_folder(replace(run, output_dir=str(tmp_path / "whole"))))
    monkeypatch.setattr(ResultsFolder, "write_tables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        erase_to_folder(run)
    monkeypatch.undo()
    file = tmp_path / "results" / "shards" / "000003" / "flips.parquet"
    content = bytearray(file.read_bytes())
    content[-20] ^= 1  # in the footer, which no checksum of a page covers
    file.write_bytes(content)
    made, write = [], ResultsFolder.write_shard
    monkeypatch.setattr(
        ResultsFolder, "write_shard", lambda self, number, tables: (made.append(number), write(self, number, tables))
    )
    with caplog.at_level("INFO", "eraserhead"):
        again = frames(erase_to_folder(run))
    assert made == [3]
    assert f"{file}: damaged" in caplog.text
    assert all(again[name].equals(whole[name]) for name in SCHEMAS)


def interrupted(*arguments):
    raise KeyboardInterrupt


def test_a_folder_that_is_emptied_meanwhile_gets_one_line(tmp_path, monkeypatch):
    """Without its setup nothing written into it would be found again."""
    write = ResultsFolder.write_shard

    def emptied(self, number, tables):
        if number == 2:
            (self.path / "setup.json").unlink()
        write(self, number, tables)

    monkeypatch.setattr(ResultsFolder, "write_shard", emptied)
    with pytest.raises(UserError, match=r"setup.json was removed while erase was at work there; run the same"):
        erase_to_folder(config(tmp_path, shard_size=5))


def test_a_second_analysis_in_one_folder_gets_one_line(tmp_path):
    run = config(tmp_path)
    with locked(tmp_path / "results"):
        with pytest.raises(LockedError, match=r"results: another process is writing here \(process \d+ on .+\)"):
            erase_to_folder(run)
        with pytest.raises(LockedError, match="another process is writing here"):
            eraserhead.erase(run.model, TEXTS, output_dir=run.output_dir, cpu=True)
        assert [path.name for path in (tmp_path / "results").iterdir()] == [".lock"]


def test_the_next_call_removes_shards_beside_complete_results(tmp_path):
    """As a process leaves them that is killed when the summary is written."""
    run = config(tmp_path)
    folder = erase_to_folder(run)
    for left in ("shards/000001", "shards.previous"):
        (folder.path / left).mkdir(parents=True)
    erase_to_folder(run)
    assert {path.name for path in folder.path.iterdir()} == {
        *("setup.json", "summary.json"),
        *(f"{name}.parquet" for name in SCHEMAS),
    }


@pytest.mark.parametrize("left", ["setup.json.unfinished", ".lock", "shards.previous"])
def test_what_a_killed_process_leaves_is_not_foreign(tmp_path, left):
    run = config(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / left).write_text("{")
    assert erase_to_folder(run).complete
    assert not (tmp_path / "results" / "setup.json.unfinished").exists()


def test_a_table_that_is_gone_is_made_again(tmp_path):
    run = config(tmp_path)
    folder = erase_to_folder(run)
    before = frames(folder)["flips"]
    (folder.path / "flips.parquet").unlink()
    with pytest.raises(UserError, match="unfinished"):
        eraserhead.read(folder.path)
    assert frames(erase_to_folder(run))["flips"].equals(before)


def test_overwrite_replaces_results_that_nobody_can_read(tmp_path):
    run = config(tmp_path)
    folder = erase_to_folder(run)
    (folder.path / "setup.json").write_text("{")
    with pytest.raises(UserError, match=r"setup.json: damaged"):
        erase_to_folder(run)
    assert erase_to_folder(replace(run, overwrite=True)).summary().documents.total == len(TEXTS)
