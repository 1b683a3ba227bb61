"""Documents with several labels, or none: lists, texts that hold lists, and columns of 0 and 1."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, LargeList, List, Value

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.label_sets import rarest_labels
from eraserhead.data.labels import LabelTable
from eraserhead.errors import UserError

NAMES = ("anger", "joy", "fear")
SETS = [[0], [1, 2], [], [1], [2, 0], None, [1], [0, 1, 2]]


def jsonl(path: Path, labels: list, **columns: list) -> DataConfig:
    rows = [{"text": f"text {row}", "label": own} for row, own in enumerate(labels)]
    rows = [row | {name: values[place] for name, values in columns.items()} for place, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataConfig(path=str(path))


def csv(path: Path, lines: list[str], header: str = "text,label", **changes) -> DataConfig:
    path.write_text("\n".join([header, *lines]) + "\n")
    return DataConfig(path=str(path), **changes)


def read(config: DataConfig) -> tuple[tuple[str, ...], list]:
    documents = load_documents(config, "test", multi_label=True)
    assert documents.labels is not None
    assert documents.rows["label"] == [None] * len(documents.rows)
    return documents.labels.names, list(documents.rows["labels"])


def named(sets: list) -> list:
    return [None if own is None else [NAMES[label] for label in own] for own in sets]


def test_lists_of_names_are_read_in_alphabetical_order(tmp_path):
    """Anger, fear, joy: numbers 1 and 2 of `NAMES` change places; an order within a list means nothing."""
    names, sets = read(jsonl(tmp_path / "a.jsonl", named(SETS)))
    assert names == ("anger", "fear", "joy")
    assert sets == [[0], [1, 2], [], [2], [0, 1], None, [2], [0, 1, 2]]


def test_lists_of_numbers_are_read_as_they_are(tmp_path):
    names, sets = read(jsonl(tmp_path / "a.jsonl", SETS))
    assert names == ("0", "1", "2")
    assert sets == [own if own is None else sorted(own) for own in SETS]


def test_texts_that_hold_lists_of_numbers_are_read_as_these(tmp_path):
    names, sets = read(csv(tmp_path / "a.csv", ['a,"[0, 1]"', "b,[1]", "c,[]"]))
    assert (names, sets) == (("0", "1"), [[0, 1], [1], []])


@pytest.mark.parametrize("write", [json.dumps, repr], ids=["JSON", "Python"])
def test_texts_that_hold_lists_are_read_as_these(tmp_path, write):
    """As pandas writes lists into CSV files."""
    lines = [f'text {row},"{write(own).replace(chr(34), chr(34) * 2)}"' for row, own in enumerate(named(SETS[:5]))]
    names, sets = read(csv(tmp_path / "a.csv", [*lines, "text 5,"]))
    assert names == ("anger", "fear", "joy")
    assert sets == [[0], [1, 2], [], [2], [0, 1], None]


def test_columns_of_0_and_1_are_labels_by_their_names(tmp_path):
    """In the order in which they are named; -1, as in the test split of a public set, makes a document unlabelled."""
    lines = ["a,1,0,0", "b,0,0,1", "c,0,0,0", "d,-1,-1,-1", "e,1,1,1"]
    config = csv(tmp_path / "a.csv", lines, "text,anger,joy,fear", label_columns=["fear", "anger", "joy"])
    names, sets = read(config)
    assert names == ("fear", "anger", "joy")
    assert sets == [[1], [0], [], None, [0, 1, 2]]
    assert load_documents(config, "test", multi_label=True).provenance.label_column == "fear, anger, joy"


def test_a_label_of_the_model_without_a_column_is_named(tmp_path):
    """Of it nothing is known, where a list without it says that the document does not have it."""
    config = csv(tmp_path / "a.csv", ["a,1,0", "b,0,1"], "text,joy,fear", label_columns=["fear", "joy"])
    known = LabelTable(("anger", "fear", "joy"), {"0": 1, "1": 2})
    line = r"1 of the model's 3 labels have no column \(anger\); name a column for each label with data\.label_columns"
    with pytest.raises(UserError, match=line):
        load_documents(config, "test", known, multi_label=True)
    lists = jsonl(tmp_path / "b.jsonl", [["joy"], ["fear"]])
    known = LabelTable(known.names, {"fear": 1, "joy": 2})
    assert list(load_documents(lists, "test", known, multi_label=True).rows["labels"]) == [[2], [1]]


def test_a_data_sets_own_names_are_the_labels(tmp_path):
    features = Features({"text": Value("string"), "label": List(ClassLabel(names=list(NAMES)))})
    rows = {"text": [f"text {row}" for row in range(5)], "label": SETS[:5]}
    DatasetDict({"test": Dataset.from_dict(rows, features=features)}).save_to_disk(tmp_path / "set")
    names, sets = read(DataConfig(path=str(tmp_path / "set")))
    assert names == NAMES
    assert sets == [sorted(own or []) for own in SETS[:5]]


@pytest.mark.parametrize(
    "feature",
    [List(Value("large_string")), List(Value("string")), LargeList(Value("string")), List(Value("string"), length=2)],
    ids=str,
)
def test_lists_of_every_layout_are_read(tmp_path, feature):
    rows = {"text": ["a", "b", "c"], "label": [["joy", "anger"], None, ["fear", "joy"]]}
    features = Features({"text": Value("string"), "label": feature})
    DatasetDict({"test": Dataset.from_dict(rows, features=features)}).save_to_disk(tmp_path / "set")
    assert read(DataConfig(path=str(tmp_path / "set"))) == (("anger", "fear", "joy"), [[0, 2], None, [1, 2]])


@pytest.mark.parametrize(
    ("feature", "lists", "no_label", "names"),
    [
        (Value("string"), [["b", "a"], ["-"], [], ["c", "-"]], ["-"], ("a", "b")),
        (Value("int64"), [[1, 0], [7], [], [2, 7]], ["7"], ("0", "1")),
        (Value("int64"), [[1, 0], [-1], [], None], None, ("0", "1")),
        (ClassLabel(names=["a", "b", "-"]), [[1, 0], [2], [], [2, 0]], ["-"], ("a", "b")),
    ],
    ids=str,
)
def test_a_label_that_means_none_makes_a_list_unknown(tmp_path, feature, lists, no_label, names):
    features = Features({"text": Value("string"), "label": List(feature)})
    rows = {"text": ["t", "u", "v", "w"], "label": lists}
    split = Dataset.from_dict(rows, features=features)
    DatasetDict({"train": split, "test": split}).save_to_disk(tmp_path / "set")
    config = DataConfig(path=str(tmp_path / "set"), no_label=no_label, validation_split="test")
    assert read(config) == (names, [[0, 1], None, [], None])
    if no_label is not None:
        assert load_documents(config, "train", multi_label=True).record.without_label == 2


def test_another_splits_labels_are_read_with_the_training_table(tmp_path):
    features = Features({"text": Value("string"), "label": List(Value("string"))})
    train = {"text": ["a", "b"], "label": [["joy", "anger"], ["fear"]]}
    test = {"text": ["c", "d"], "label": [["joy"], ["fear", "anger"]]}
    splits = {name: Dataset.from_dict(rows, features=features) for name, rows in (("train", train), ("test", test))}
    DatasetDict(splits).save_to_disk(tmp_path / "set")
    assert read(DataConfig(path=str(tmp_path / "set"))) == (("anger", "fear", "joy"), [[2], [0, 1]])
    test["label"] = [["joy"], ["dread"]]
    splits["test"] = Dataset.from_dict(test, features=features)
    DatasetDict(splits).save_to_disk(tmp_path / "other")
    with pytest.raises(UserError, match=r"label dread of document test/1 is none of the classes"):
        read(DataConfig(path=str(tmp_path / "other")))


def test_samples_are_stratified_by_the_rarest_label():
    """Label 2 twice, 0 three times, 1 four times; without labels is a stratum of its own."""
    sets = [[0, 1], [1], [1, 2], [0, 1, 2], [0], [], None]
    assert rarest_labels(sets, 3).tolist() == [0, 1, 2, 2, 0, 3, -1]


def test_training_and_held_out_documents_keep_their_labels(tmp_path):
    generator = np.random.default_rng(0)
    sets = [sorted(generator.permutation(3)[: generator.integers(0, 3)].tolist()) for _ in range(60)]
    config = jsonl(tmp_path / "a.jsonl", named(sets))
    train = load_documents(config, "train", multi_label=True)
    held = load_documents(config, "validation", train.labels, multi_label=True)
    order = ("anger", "fear", "joy")
    for documents in (train, held):
        for name, own in zip(documents.rows["id"], documents.rows["labels"], strict=True):
            row = int(name.split("/")[1])
            assert {order[label] for label in own} == {NAMES[label] for label in sets[row]}
    assert not set(train.rows["id"]) & set(held.rows["id"])
    assert len(held.rows) == 6
    assert train.fingerprint != held.fingerprint


def test_the_fingerprint_knows_the_labels(tmp_path):
    one, other = (load_documents(jsonl(tmp_path / f"{n}.jsonl", [[0], [1], own]), "test", multi_label=True)
                  for n, own in enumerate(([0, 1], [1])))  # fmt: skip
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([["a"], "b"], "cannot|list"),
        ([["a"], ["b", ""]], "the list of document train/1 has an empty label"),
        ([0, 1], r"label column 'label' holds int64; expected a list.*label_columns"),
        (["a", "b"], r"label column 'label' holds texts such as 'a'; expected a list"),
        (['["a"]', "b"], r"document train/1 has 'b'; expected a list"),
        ([["a"], None], r"1 of the 2 rows of split 'train' have no label"),
        ([["a"], ["a"]], "all of one class"),
        ([[0.5], [1.5]], "holds list<"),
        ([[0], [0, 1, 0]], r"the list of document train/1 has 0 twice; expected a list.*data\.label_columns"),
        ([["a"], ["b", "a", "b"]], r"the list of document train/1 has b twice; expected a list"),
        ([[True, False], [False]], r"holds list<.*bool>; expected a list.*data\.label_columns"),
        (["[true]", "[false]"], r"holds texts such as '\[true\]'; expected a list.*data\.label_columns"),
        (["[0, 1]", "[false]"], r"document train/1 has '\[false\]'; expected a list"),
        ([[0], [2, -1]], r"document train/1 has -1 among its labels; .* give data\.no_label=\['-1'\]"),
    ],
    ids=str,
)
def test_what_holds_no_lists_is_refused_in_training(tmp_path, labels, match):
    path = tmp_path / "train.jsonl"
    with pytest.raises(UserError, match=match) as error:
        load_documents(jsonl(path, labels), "train", multi_label=True)
    assert "\n" not in str(error.value)


def test_other_labels_are_left_out_of_what_is_erased(tmp_path, caplog):
    with caplog.at_level("INFO", "eraserhead"):
        documents = load_documents(jsonl(tmp_path / "a.jsonl", [0, 1]), "test", multi_label=True)
    assert "no accuracy is reported: label column 'label' holds int64" in caplog.text
    assert documents.labels is None
    assert documents.rows["labels"] == [None, None]


@pytest.mark.parametrize(
    ("changes", "multi_label", "match"),
    [
        ({"label_columns": ["a", "b"]}, False, r"label_columns.*belongs to multi-label models"),
        ({"label_columns": ["a", "b"], "label_column": "c"}, True, r"label_columns.*or.*label_column.*not both"),
        ({"label_columns": ["a"]}, True, "name two different columns or more"),
        ({"label_columns": ["a", "a"]}, True, "name two different columns or more"),
        ({"label_columns": ["joy", "feer"]}, True, r"feer'.*no such column; did you mean 'fear'"),
        ({"label_columns": ["joy", "fear"]}, True, r"document train/1 has 2 in 'fear', not 0 or 1"),
    ],
    ids=str,
)
def test_wrong_columns_of_labels_are_refused(tmp_path, changes, multi_label, match):
    config = csv(tmp_path / "train.csv", ["a,1,0", "b,0,2"], "text,joy,fear", **changes)
    with pytest.raises(UserError, match=match):
        load_documents(config, "train", multi_label=multi_label)


def test_the_built_in_corpus_has_one_class_a_document():
    with pytest.raises(UserError, match="one class each"):
        load_documents(DataConfig(name="planted"), "train", multi_label=True)
