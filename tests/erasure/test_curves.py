"""The table of curves, and what the summary and the terminal say of it."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from rich.console import Console
from transformers import BertForSequenceClassification

import eraserhead
from eraserhead.erasure.view import summary_view
from labels import TEXTS as LABEL_TEXTS
from labels import multi_label
from tiny import random_texts, saved_classifier, tiny_bert_config, tiny_tokenizer

TEXTS = ["", "one", *random_texts(11, seed=3, longest=23)]
VALUES = ("comprehensiveness", "sufficiency", "aopc", "naopc", "naopc_width")


@pytest.fixture(scope="module")
def pooling(tmp_path_factory):
    return saved_classifier(tmp_path_factory.mktemp("pooling"))


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inside")
    torch.manual_seed(0)
    BertForSequenceClassification(tiny_bert_config(("a", "b", "c"), num_hidden_layers=2)).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def with_documents(found):
    documents = found.documents.set_index("id")
    return [(row, documents.loc[row.id]) for row in found.curves.itertuples()]


def assert_definitions(row, document):
    """Everything that the table says of one document along one ranking follows from its own lists."""
    removed, kept = (np.asarray(each, dtype=float) for each in (row.probability_removed, row.probability_kept))
    whole = document.probabilities[document.prediction]
    assert_allclose([removed[0], kept[-1]], whole, atol=1e-6)
    assert_allclose(removed[-1], kept[0], atol=1e-6)  # nothing is left of either
    at = [-(-percent * row.n // 100) for percent in (1, 5, 10, 20, 50)]
    assert_allclose(row.comprehensiveness_at, whole - removed[at], atol=1e-6)
    assert_allclose(row.sufficiency_at, whole - kept[at], atol=1e-6)
    for name in ("comprehensiveness", "sufficiency"):
        assert getattr(row, name) == pytest.approx(np.mean(getattr(row, f"{name}_at")))
    if row.n:
        assert row.aopc == pytest.approx((whole - removed[1:]).mean(), abs=1e-6)


def test_the_table_follows_from_probabilities_at_every_k(pooling):
    found = eraserhead.erase(pooling, TEXTS, draws=2, cpu=True)
    curves = found.curves
    assert curves.ranking[:4].tolist() == ["random", "attention", "gradient", "product"]
    assert curves.k.isna().all()
    assert [len(each) for each in curves.probability_removed] == (curves.n + 1).tolist()
    for row, document in with_documents(found):
        assert_definitions(row, document)
    placed = curves[curves.n > 1]
    assert placed.naopc.between(-1e-9, 1 + 1e-9).all()
    assert (placed.naopc_width == 0).all()
    assert curves[curves.n < 2].naopc.isna().all()
    for name, ranking in found.summary.rankings.items():
        own = placed[placed.ranking == name]
        assert (ranking.curves is None) == (name == "minimum")
        if ranking.curves is not None:
            for field in VALUES:
                estimate = getattr(ranking.curves, field)
                assert (estimate.value, estimate.count) == (pytest.approx(own[field].mean()), len(own))
            at = np.stack(own.sufficiency_at.to_list()).mean(0)
            assert [each.value for each in ranking.curves.sufficiency_at.values()] == pytest.approx(at.tolist())
            assert list(ranking.curves.comprehensiveness_at) == ["0.01", "0.05", "0.10", "0.20", "0.50"]


def test_inside_an_encoder_fractions_are_what_every_k_gives_there(inside):
    few, every = (eraserhead.erase(inside, TEXTS, draws=2, cpu=True, curves=sizes) for sizes in (None, "all"))
    assert (few.summary.setup.curves, every.summary.setup.curves) == ("fractions", "all")
    assert few.curves.aopc.isna().all()
    assert every.curves.naopc.isna().all()
    for (row, _), (whole, document) in zip(with_documents(few), with_documents(every), strict=True):
        assert_definitions(whole, document)
        assert row.k.tolist() == sorted({-(-percent * row.n // 100) for percent in (1, 5, 10, 20, 50)})
        for name in ("probability_removed", "probability_kept"):
            assert_allclose(getattr(row, name), getattr(whole, name)[row.k], atol=1e-5)
        for name in ("comprehensiveness_at", "sufficiency_at"):
            assert_allclose(getattr(row, name), getattr(whole, name), atol=1e-5)
    attention = few.summary.rankings["attention"].curves
    assert attention.aopc.count == 0
    assert attention.sufficiency.count == (few.documents.n > 1).sum()


def test_of_several_labels_a_document_has_the_mean(tmp_path):
    found = eraserhead.erase(multi_label(tmp_path), LABEL_TEXTS, draws=2, cpu=True, target="all")
    rows = found.curves[(found.curves.ranking == "attention") & (found.curves.n > 1)]
    assert rows.target.nunique() > 1
    assert (rows.naopc_width == 0).all()
    estimate = found.summary.rankings["attention"].curves.naopc
    assert estimate.value == pytest.approx(rows.groupby("id").naopc.mean().mean())
    assert estimate.count == rows.id.nunique()
    documents = found.documents.set_index(["id", "target"])
    for row in rows.itertuples():
        assert_definitions(row, documents.loc[(row.id, row.target)])


def shown(summary):
    console = Console(file=io.StringIO(), width=160)
    console.print(summary_view(summary))
    return console.file.getvalue()


def test_without_curves_the_table_has_names_alone_and_nothing_is_shown(pooling):
    found = eraserhead.erase(pooling, TEXTS[:5], draws=2, cpu=True, curves="none")
    assert found.curves.ranking.nunique() == 4
    empty = found.curves.drop(columns=["id", "ranking", "n", "target"])
    assert empty.isna().all(axis=None)
    assert all(ranking.curves is None for ranking in found.summary.rankings.values())
    assert "AOPC" not in shown(found.summary)


def test_columns_that_no_ranking_has_are_not_shown(pooling, inside):
    """At the pooling layer NAOPC; inside an encoder neither it nor, over fractions, AOPC. A width is told."""
    exact = eraserhead.erase(pooling, TEXTS, draws=2, cpu=True).summary
    fractions = eraserhead.erase(inside, TEXTS[:5], draws=2, cpu=True).summary
    assert "NAOPC ┃" in shown(exact)
    assert "lost by keeping alone ┃" in shown(fractions)
    assert "AOPC ┃" not in shown(fractions)
    attention = exact.rankings["attention"]
    wide = replace(attention.curves, naopc_width=replace(attention.curves.naopc_width, value=0.25))
    text = shown(replace(exact, rankings={"attention": replace(attention, curves=wide)}))
    assert "(certain within 0.250)" in text
