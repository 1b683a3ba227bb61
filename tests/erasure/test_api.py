"""`eraserhead.erase` takes what people have in hand; each way of giving it has the same results."""

import json
import re

import pandas as pd
import pytest
from datasets import Dataset, DatasetDict
from transformers import AutoModelForSequenceClassification, pipeline

import eraserhead
from eraserhead.data import documents
from tiny import random_texts, saved_classifier, saved_hierarchical, tiny_tokenizer

pytestmark = pytest.mark.slow

TEXTS = random_texts(7)
LABELS = [0, 1, 1, 0, 1, 0, 0]


def flips(model, data, **options) -> pd.DataFrame:
    return eraserhead.erase(model, data, draws=2, max_length=12, cpu=True, **options).flips


def test_every_way_to_give_texts_has_the_same_results(tmp_path):
    folder = saved_classifier(tmp_path)
    expected = flips(folder, TEXTS)
    assert expected.removed.notna().any()
    frame = pd.DataFrame({"text": TEXTS, "label": LABELS})
    for data in (frame, (text for text in TEXTS), frame.text, DatasetDict(test=Dataset.from_pandas(frame))):
        assert flips(folder, data).equals(expected)
    renamed = frame.rename(columns={"text": "review", "label": "stars"})
    by_name = flips(folder, renamed, text_column="review", label_column="stars")
    assert by_name.equals(expected)


def test_labels_of_a_named_column_give_the_accuracy(tmp_path):
    """All right where every label is the class decided for, all wrong where every label is the other one."""
    folder = saved_classifier(tmp_path)
    decided = [int(eraserhead.explain(folder, text, cpu=True).decision == "pos") for text in TEXTS]
    assert 0 < sum(decided) < len(decided)
    for labels, accuracy in ((decided, 1.0), ([1 - decision for decision in decided], 0.0)):
        frame = pd.DataFrame({"text": TEXTS, "stars": labels})
        summary = eraserhead.erase(folder, frame, label_column="stars", draws=2, cpu=True).summary
        assert summary.accuracy.value == accuracy


def test_every_way_to_give_a_model_has_the_same_results(tmp_path):
    folder = saved_classifier(tmp_path)
    expected = flips(folder, TEXTS)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert flips(model, TEXTS, tokenizer=tiny_tokenizer()).equals(expected)
    assert flips(pipeline("text-classification", model=folder, device="cpu"), TEXTS).equals(expected)


WRONG = {
    "tokenizer of a name": ({"tokenizer": tiny_tokenizer()}, "tokenizer: only for a model in memory"),
    "label_map": ({"label_map": ["a=b"]}, "label_map: belongs to a DataConfig"),
    "label_column": ({"label_column": "label"}, "label_column 'label': the documents have no columns"),
    "draws": ({"draws": 0}, "draws=0"),
    "site": ({"site": "foo"}, "foo"),
    "number of heads": ({"heads": 0}, "heads=0: must be a list of whole numbers"),
    "text of heads": ({"heads": "0"}, "heads='0': must be a list"),
    "text of label_map": ({"label_map": "neg=neg"}, "label_map='neg=neg': must be a list of texts"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_argument_without_effect_or_sense_is_a_user_error(tmp_path, kind):
    options, message = WRONG[kind]
    with pytest.raises(eraserhead.UserError, match=message):
        eraserhead.erase(saved_classifier(tmp_path), TEXTS, cpu=True, **options)


def test_a_model_that_is_none_is_refused_by_its_type(tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(saved_classifier(tmp_path))
    wrong = (
        (model, {}, "tokenizer: give the model's tokenizer too"),
        (model, {"tokenizer": tiny_tokenizer(), "revision": "main"}, "revision 'main': only for a model on the hub"),
        (model, {"tokenizer": tiny_tokenizer(), "dtype": "float64"}, "the model in memory is in float32"),
        (7, {}, "model is a int; give a folder"),
        (model.encoder.embeddings, {}, "model is a BertEmbeddings"),
    )
    for given, options, message in wrong:
        with pytest.raises(eraserhead.UserError, match=message):
            eraserhead.erase(given, TEXTS, cpu=True, **options)


@pytest.mark.parametrize("max_length", [0, 3.5, "9"])
def test_a_maximum_length_is_checked_beside_all_kinds_of_data(max_length):
    for data in (TEXTS, eraserhead.DataConfig(name="planted", test_size=2)):
        with pytest.raises(eraserhead.UserError, match=f"max_length={max_length!r}: must be "):
            eraserhead.erase("nowhere", data, max_length=max_length, cpu=True)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (5, {}, "data is an int"),
        ("good", {}, "data is a str"),
        ([], {}, "data holds no documents"),
        ([""], {}, "none of the 1 documents has any text"),
        (TEXTS, {"split": "test"}, "split 'test': belongs to a DatasetDict"),
        (TEXTS, {"label_map": ["a=b"]}, "label_map: belongs to a DataConfig"),
        (eraserhead.DataConfig(name="planted"), {"split": "test"}, "split: belongs to rows in memory"),
    ],
)
def test_data_is_refused_before_the_model_is_loaded(data, options, message):
    with pytest.raises(eraserhead.UserError, match=message):
        eraserhead.erase("nowhere", data, cpu=True, **options)


def test_results_are_kept_in_a_folder_and_replaced_where_asked(tmp_path):
    folder, output = saved_classifier(tmp_path), tmp_path / "results"
    kept = eraserhead.erase(folder, TEXTS, draws=2, output_dir=output, cpu=True)
    assert eraserhead.read(output).flips.equals(kept.flips)
    with pytest.raises(eraserhead.UserError, match="overwrite=True"):
        eraserhead.erase(folder, TEXTS, draws=3, output_dir=output, cpu=True)
    eraserhead.erase(folder, TEXTS, draws=3, output_dir=str(output), overwrite=True, cpu=True)
    assert len(eraserhead.read(output).flips) > len(kept.flips)


def test_what_is_no_folder_is_not_read():
    with pytest.raises(eraserhead.UserError, match="folder is a int"):
        eraserhead.read(5)  # pyright: ignore[reportArgumentType]


def test_the_signals_are_the_scores_of_each_ranking(tmp_path):
    signals = eraserhead.erase(saved_classifier(tmp_path), TEXTS, draws=2, cpu=True).signals
    assert list(signals.columns) == ["id", "ranking", "scores", "target"]
    assert set(signals.id) == {f"texts/{number}" for number in range(len(TEXTS))}


def test_columns_beside_a_data_config_are_refused(tmp_path):
    data = eraserhead.DataConfig(name="planted", test_size=2)
    for options in ({"text_column": "text"}, {"label_column": "label"}, {"split": "test"}):
        with pytest.raises(eraserhead.UserError, match=f"{next(iter(options))}: belongs to rows in memory"):
            eraserhead.erase(saved_classifier(tmp_path), data, cpu=True, **options)


@pytest.mark.parametrize(
    ("names", "matched"), [(("neg", "pos"), True), (("NEG", "POS"), True), (("bad", "good"), False)], ids=str
)
def test_a_data_set_is_written_once_whatever_its_labels(tmp_path, monkeypatch, names, matched):
    """Labels are the model's classes, the same in another case, or other names, which give no accuracy."""
    written = []
    write = documents.write_documents
    monkeypatch.setattr(documents, "write_documents", lambda *given: written.append(given) or write(*given))
    rows = [{"text": text, "label": names[label]} for text, label in zip(TEXTS, LABELS, strict=True)]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = eraserhead.DataConfig(path=str(path), max_length=12)
    found = eraserhead.erase(saved_classifier(tmp_path), data, draws=2, cpu=True)
    assert len(written) == 1
    assert found.documents.text.tolist() == TEXTS
    assert found.documents.label.notna().sum() == (len(TEXTS) if matched else 0)
    assert (found.summary.accuracy.value is not None) == matched


def test_limits_of_the_other_kind_of_model_are_refused(tmp_path, caplog):
    """In the same words for models by name and in memory; a language is a fact about the documents."""
    flat, by_sentence = saved_classifier(tmp_path), saved_hierarchical(tmp_path / "by_sentence")
    cases = (
        (
            flat,
            {"max_sentences": 3},
            "data.max_sentences=3: the model reads documents as a whole; give data.max_length",
        ),
        (
            by_sentence,
            {"max_length": 9},
            "data.max_length=9: the model reads documents sentence by sentence; give data",
        ),
    )
    for model, limits, said in cases:
        with pytest.raises(eraserhead.UserError, match=re.escape(said)):
            eraserhead.erase(model, eraserhead.DataConfig(name="planted", test_size=3, **limits), cpu=True)
    with pytest.raises(eraserhead.UserError, match=r"data\.max_length=9"):
        eraserhead.erase(by_sentence, TEXTS, max_length=9, cpu=True)
    assert len(eraserhead.erase(by_sentence, TEXTS, draws=2, cpu=True).documents) == len(TEXTS)
    with caplog.at_level("INFO", "eraserhead"):
        eraserhead.erase(
            flat, eraserhead.DataConfig(name="planted", test_size=3, max_length=12, language="de"), draws=2, cpu=True
        )
    assert "data.language='de': has no effect on a model that reads documents as a whole" in caplog.text
