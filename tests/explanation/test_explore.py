"""`explore`: the page of results of every kind has the numbers of their tables, and of their models where they are."""

import json
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import BertForSequenceClassification

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.explanation.config import ExplainConfig
from eraserhead.explanation.explaining import explain as explain_config
from eraserhead.explanation.page_file import page_file
from explored import decisions_of, head_reading, page_of, unpacked, written_page
from labels import multi_label
from test_pairs import pair_tokenizer
from tiny import (
    random_texts,
    saved_classifier,
    saved_hierarchical,
    saved_limited,
    sentence_texts,
    tiny_bert_config,
    tiny_classifier,
    tiny_tokenizer,
)

pytestmark = pytest.mark.slow

FRAMED = {"draws": 3, "cpu": True}


def of_pairs(folder: Path) -> str:
    tiny_classifier(folder).save_pretrained(folder / "model")
    pair_tokenizer().save_pretrained(folder / "model")
    return str(folder / "model")


def inside(folder: Path) -> str:
    torch.manual_seed(0)
    BertForSequenceClassification(tiny_bert_config(("neg", "mid", "pos"))).save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    return str(folder / "model")


TEXTS = random_texts(7, seed=5)
# Two lines in the first text and none, or several, in the second: the page has to find out where the second begins.
PAIRS = [
    (f"{first}\n{second}", f"{third}\n{first}")
    for first, second, third in zip(TEXTS, TEXTS[1:], TEXTS[2:], strict=False)
]
PAIRS += [("good", "a bad film")]
WINDOWS = {"tokens": 6, "long_documents": "windows", "window_overlap": 1}
KINDS = {
    "tokens": (saved_classifier, [*TEXTS, " "], {}),  # one of them without components
    "words": (saved_classifier, TEXTS, {"components": "words"}),
    "sentences": (saved_classifier, sentence_texts(5, seed=1), {"components": "sentences"}),
    "hierarchical": (saved_hierarchical, sentence_texts(5, seed=1), {}),
    "labels": (multi_label, TEXTS, {"target": "all"}),
    "pairs": (of_pairs, PAIRS, {}),
    "windows": (partial(saved_limited, **WINDOWS), TEXTS, {}),
    "words of windows": (partial(saved_limited, **WINDOWS), TEXTS, {"components": "words"}),
    "head and tail": (partial(saved_limited, tokens=6, long_documents="head_tail"), TEXTS, {}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_decides_as_the_results_did(tmp_path, kind):
    """From the numbers on the page, each ranking first flips where the table says, and nothing erased decides so."""
    save, texts, options = KINDS[kind]
    result = eraserhead.erase(save(tmp_path), texts, output_dir=tmp_path / "results", **options, **FRAMED)
    page = eraserhead.explore(tmp_path / "results", cpu=True)
    assert page == tmp_path / "results" / "page.html"
    about, index, decisions = unpacked(page)
    documents = result.documents
    assert index["id"] == documents.id.tolist()
    assert index["target"] == [None if pd.isna(each) else each for each in documents.target]
    assert about["byHand"] == ""
    for row, decision in enumerate(decisions):
        assert decision.text == documents.text[row]
        by_label = documents.target[row] is not None and not pd.isna(documents.target[row])
        stored = documents.probabilities[row][::-1] if by_label else documents.probabilities[row]
        weights, bias = decision.array(decision.row["weights"]), decision.array(decision.row["bias"])
        logits = decision.array(decision.row["logits"]).reshape(len(bias), -1).T
        whole = decision.decide(np.ones(len(weights), bool), weights, logits, bias)
        np.testing.assert_allclose(np.exp(whole) / np.exp(whole).sum(), stored, atol=1e-6)
        own = result.flips[
            (result.flips.id == index["id"][row]) & (result.flips.target.fillna("") == (index["target"][row] or ""))
        ]
        for at, ranking in enumerate(decision.row["rankings"]):
            removed = [None if pd.isna(each) else each for each in own[own.ranking == ranking["name"]].removed]
            assert ranking["removed"] == removed
            assert decision.flips(at) == removed[0]


def test_offsets_are_those_that_javascript_counts(tmp_path):
    texts = ["good 😀 bad film", "a \U0001d4b3\U0001d4b4 never good"]
    eraserhead.erase(saved_classifier(tmp_path), texts, output_dir=tmp_path / "results", **FRAMED)
    _, _, decisions = unpacked(eraserhead.explore(tmp_path / "results", cpu=True))
    for text, decision in zip(texts, decisions, strict=True):
        ends = (decision.array(decision.row["gaps"]) + decision.array(decision.row["lengths"])).cumsum()
        starts = ends - decision.array(decision.row["lengths"])
        wide = text.encode("utf-16-le")
        pieces = [wide[2 * start : 2 * end].decode("utf-16-le") for start, end in zip(starts, ends, strict=True)]
        assert pieces == text.split(" ")


@pytest.mark.parametrize(("site", "save"), [("layer:-1", inside), ("words", saved_hierarchical)])
def test_where_nothing_is_affine_stored_erasures_are_shown(tmp_path, site, save):
    texts = TEXTS if site != "words" else sentence_texts(4, seed=1)
    result = eraserhead.erase(save(tmp_path), texts, output_dir=tmp_path / "results", site=site, **FRAMED)
    about, _, decisions = unpacked(eraserhead.explore(tmp_path / "results", cpu=True))
    assert "cannot be erased by hand" in about["byHand"]
    curves = result.curves[result.curves.ranking == "attention"].reset_index()
    for row, decision in enumerate(decisions):
        assert "weights" not in decision.row
        assert "lower" not in decision.row
        ranking = decision.row["rankings"][1]
        steps = decision.array(ranking["curve"]).cumsum(dtype=np.uint16) / (2**15 - 1)
        np.testing.assert_allclose(steps, curves.probability_removed[row], atol=2e-5)
        k = decision.array(ranking["k"]) if "k" in ranking else np.arange(len(steps))
        assert k.tolist() == (curves.k[row].tolist() if curves.k[row] is not None else k.tolist())
        single = decision.array(decision.row["singleDecision"])
        assert single.tolist() == result.documents.single_decision[row].tolist()


def test_more_classes_than_a_byte_numbers_are_told_apart(tmp_path):
    """Of 300 classes those below 256 are out of reach, so every decision is one that a byte cannot number."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(tiny_bert_config([f"class{number}" for number in range(300)]))
    with torch.no_grad():
        model.classifier.weight.mul_(50)
        model.classifier.bias[:256] = -1e3
    model.save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    options = {"site": "layer:-1", "cpu": True, "draws": 1}
    result = eraserhead.erase(str(tmp_path / "model"), TEXTS[:2], output_dir=tmp_path / "results", **options)
    _, _, decisions = unpacked(eraserhead.explore(tmp_path / "results", cpu=True))
    for row, decision in enumerate(decisions):
        single = result.documents.single_decision[row].tolist()
        assert min(single) > 255
        assert decision.array(decision.row["singleDecision"]).tolist() == single
    numbers = eraserhead.explain(str(tmp_path / "model"), TEXTS[0], **options).numbers
    assert numbers is not None
    assert numbers.singles.decision.tolist() == result.documents.single_decision[0].tolist()


@pytest.mark.parametrize("n", [2**8, 2**8 + 1, 2**16, 2**16 + 1])
def test_orders_of_any_length_are_packed_whole(tmp_path, n):
    [made] = decisions_of(head_reading([5]))
    order = np.arange(n)[::-1]
    rankings = [replace(each, order=order, scores=None) for each in made.rankings]
    long = replace(made, affine=None, limits=None, names=["x"] * n, starts=None, ends=None, rankings=tuple(rankings))
    _, _, [found] = unpacked(written_page(tmp_path / "long.html", page_of([long])))
    assert found.ranking(1).tolist() == order.tolist()


def gone(model: Path) -> str:
    for file in model.iterdir():
        file.unlink()
    model.rmdir()
    return ""


def changed(model: Path) -> str:
    tiny_classifier(model.parent / "other", seed=3).save_pretrained(model)
    return "changed since"


@pytest.mark.parametrize("spoil", [gone, changed])
def test_without_the_model_stored_erasures_are_shown(tmp_path, caplog, spoil):
    model = saved_classifier(tmp_path)
    eraserhead.erase(model, TEXTS, output_dir=tmp_path / "results", **FRAMED)
    why = spoil(Path(model))
    with caplog.at_level(logging.INFO, logger="eraserhead"):
        about, _, decisions = unpacked(eraserhead.explore(tmp_path / "results", cpu=True))
    assert "could not be read again" in about["byHand"]
    assert all("weights" not in each.row and "curve" in each.row["rankings"][1] for each in decisions)
    assert why in caplog.text
    assert "words cannot be erased by hand" in caplog.text


def test_some_documents_of_two_results(tmp_path, caplog):
    for name, seed in (("first", 0), ("second", 1)):
        model = saved_classifier(tmp_path / name, seed=seed)
        eraserhead.erase(model, TEXTS, output_dir=tmp_path / name / "results", **FRAMED)
    folders = [tmp_path / name / "results" for name in ("first", "second")]
    with caplog.at_level(logging.INFO, logger="eraserhead"):
        page = eraserhead.explore(folders, output=tmp_path / "two.html", documents=3, cpu=True)
    for name in ("A", "B"):
        about, index, decisions = unpacked(page, name)
        assert index["id"] == ["texts/0", "texts/1", "texts/2"]
        assert about["total"] == 7
        assert len(decisions) == 3
    assert "the first 3 of 7 documents are on the page" in caplog.text
    eraserhead.erase(saved_classifier(tmp_path / "third"), ["other", *TEXTS[1:]], output_dir=tmp_path / "x", **FRAMED)
    with pytest.raises(eraserhead.UserError, match="document texts/0 has another text"):
        eraserhead.explore([folders[0], tmp_path / "x"], cpu=True)
    with pytest.raises(eraserhead.UserError, match="one folder of results, or two"):
        eraserhead.explore([*folders, folders[0]], cpu=True)


def test_the_second_results_are_read_by_the_ids_of_the_first(tmp_path):
    """The same model on the same documents in another order: what stands side by side is the same."""
    model, pages = inside(tmp_path), []
    for name, step in (("first", 1), ("second", -1)):
        rows = [json.dumps({"name": f"d{at}", "text": text}) for at, text in enumerate(TEXTS)][::step]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
        data = DataConfig(path=str(tmp_path / f"{name}.jsonl"), id_column="name")
        eraserhead.erase(model, data, output_dir=tmp_path / name, site="layer:-1", **FRAMED)
        pages.append(tmp_path / name)
    page = eraserhead.explore(pages, output=tmp_path / "two.html", documents=3, cpu=True)
    (_, index, first), (_, other, second) = unpacked(page, "A"), unpacked(page, "B")
    assert index["id"] == ["d0", "d1", "d2"]
    assert other["id"] == ["d2", "d1", "d0"]
    for a, b in zip(first, second[::-1], strict=True):
        assert a.text == b.text
        assert a.ranking(1).tolist() == b.ranking(1).tolist()
        assert a.row["rankings"][1]["removed"] == b.row["rankings"][1]["removed"]
        for name in ("curve", "scores"):
            each = [found.array(found.row["rankings"][1][name]).astype(np.int16) for found in (a, b)]
            np.testing.assert_allclose(*each, atol=3)  # batches of another make-up round otherwise


def test_the_commands_write_pages(tmp_path, capfd):
    model = saved_classifier(tmp_path)
    eraserhead.erase(model, TEXTS, output_dir=tmp_path / "results", **FRAMED)
    assert main(["explore", str(tmp_path / "results"), "--output", str(tmp_path / "all.html"), "--cpu"]) == 0
    assert f"page in {tmp_path / 'all.html'}" in capfd.readouterr().out
    assert main(["explain", model, "a good film", "--html", str(tmp_path / "one.html"), "--cpu"]) == 0
    assert f"page in {tmp_path / 'one.html'}" in capfd.readouterr().out
    about, index, [decision] = unpacked(tmp_path / "one.html")
    assert index["id"] == ["text"]
    assert ["model", model] in about["facts"]
    explanation = explain_config(ExplainConfig(model=model, text="a good film", cpu=True))
    assert explanation.page() == (tmp_path / "one.html").read_text(encoding="utf-8")
    removed = {each.ranking: each.removed for each in explanation.rankings if each.draws is None}
    for at, ranking in enumerate(decision.row["rankings"]):
        if ranking["name"] in removed:
            assert decision.flips(at) == removed[ranking["name"]] == ranking["removed"][0]
    (tmp_path / "none").mkdir()
    assert main(["explore", str(tmp_path / "none"), "--cpu"]) == 2
    assert "no erasure results" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("save", "options"), [(inside, {}), (saved_hierarchical, {}), (multi_label, {"target": "insult"})]
)
def test_explanations_of_every_kind_have_a_page(tmp_path, save, options):
    text = "good film. a bad cast wasted on that. never dull"
    explanation = eraserhead.explain(save(tmp_path), text, cpu=True, draws=3, **options)
    path = tmp_path / "one.html"
    path.write_text(explanation.page(), encoding="utf-8")
    about, index, [decision] = unpacked(path)
    assert about["classes"] == list(explanation.probabilities)
    assert about["classes"][index["decision"][0]] == explanation.decision
    assert index["n"] == [explanation.components]
    assert index["target"] == [explanation.target]
    assert ("weights" in decision.row) == (save is not inside)
    assert decision.row["probabilities"] == list(explanation.probabilities.values())


def test_an_explanation_without_numbers_has_no_page(tmp_path):
    explanation = eraserhead.explain(saved_classifier(tmp_path), "good", cpu=True)
    bare = type(explanation)(**{**vars(explanation), "numbers": None})
    with pytest.raises(eraserhead.UserError, match="has no numbers for a page"):
        bare.page()


@pytest.mark.parametrize(
    ("name", "why"),
    [("page", "ends in .html"), ("page.txt", "ends in .html"), ("is.html", "is a folder"), ("a\0.html", "NUL")],
)
def test_a_page_that_cannot_be_written_is_refused_before_any_work(tmp_path, name, why):
    (tmp_path / "is.html").mkdir()
    for setting in ("output", "html"):
        with pytest.raises(eraserhead.UserError, match=f"{setting}=.*{why}"):
            page_file(setting, str(tmp_path / name))
    assert page_file("html", str(tmp_path / "new" / "page.html")) == tmp_path / "new" / "page.html"


def test_the_browser_is_opened_where_that_is_asked_for(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    eraserhead.erase(saved_classifier(tmp_path), TEXTS, output_dir=tmp_path / "results", **FRAMED)
    for asked in (False, True):
        assert main(["explore", str(tmp_path / "results"), "--cpu", *["--open"] * asked]) == 0
    assert opened == [(tmp_path / "results" / "page.html").as_uri()]
