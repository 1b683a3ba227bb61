import csv
import hashlib
import json
import struct
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from eraserhead.data import planted, sampling
from eraserhead.data.class_matching import matched_labels
from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.labels import LabelTable
from eraserhead.data.named_sets import NAMED, undo_escapes, undo_line_breaks
from eraserhead.data.rationales import RATIONALES
from eraserhead.data.sources import Source, pick_split
from eraserhead.errors import UserError

FOLDERS = {
    "yelp": "yelp_review_full",
    "imdb": "imdb",
    "amazon": "amazon_review_full",
    "yahoo": "yahoo_answers_topics",
}
SENTIMENT = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
REVIEWS = [  # label, title, content: a newline, quotes, a comma, and words that readers of tables take for "missing"
    (5, "Fine", 'She said "buy it", so I did.'),
    (1, "None", "Broke at once,\nthen again."),
    (3, "N/A", "null"),
    (2, "", "Weak."),
    (4, "1984", "Good."),
    (5, "Again", "Bought another."),
    (1, "Bad", "Bad."),
]


pytestmark = pytest.mark.usefixtures("datasets_cache")


def write_csv(path: Path, rows, header=None, delimiter=",") -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows(([header] if header else []) + list(rows))
    return path


def write_json(path: Path, rows) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def labelled(labels) -> list[dict]:
    return [{"text": f"document {number}", "label": label} for number, label in enumerate(labels)]


def refusal(config: DataConfig, role="train", **rest) -> str:
    with pytest.raises(UserError) as caught:
        load_documents(config, role, **rest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def column(documents: Documents, name: str) -> list:
    return list(documents.rows[name])


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [None, ("label", "title", "content")])
@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t")])
def test_amazon_csv_with_and_without_a_header_gives_the_same_documents(tmp_path, header, suffix, delimiter):
    path = write_csv(tmp_path / f"reviews{suffix}", REVIEWS, header, delimiter)
    documents = load_documents(DataConfig(name="amazon", path=str(path)), "test")
    assert column(documents, "id") == [f"reviews/{row}" for row in range(7)]
    assert column(documents, "label") == [4, 0, 2, 1, 3, 4, 0]
    assert column(documents, "text")[:5] == [
        'Fine\nShe said "buy it", so I did.',
        "None\nBroke at once,\nthen again.",
        "N/A\nnull",
        "Weak.",
        "1984\nGood.",
    ]
    assert documents.labels == LabelTable(
        ("1 star", "2 stars", "3 stars", "4 stars", "5 stars"), {"1": 0, "2": 1, "3": 2, "4": 3, "5": 4}
    )
    assert documents.labels.describe() == (
        "labels: 1 -> 0 (1 star), 2 -> 1 (2 stars), 3 -> 2 (3 stars), 4 -> 3 (4 stars), 5 -> 4 (5 stars)"
    )


@pytest.mark.parametrize("header", [None, ("label", "title", "content")])
def test_a_folder_of_csv_files_whose_first_rows_differ(tmp_path, header):
    """Without a header every file would bring column names of its own, which `datasets` refuses to join."""
    write_csv(tmp_path / "amazon" / "train.csv", REVIEWS, header)
    write_csv(tmp_path / "amazon" / "test.csv", REVIEWS[::-1], header)
    config = DataConfig(name="amazon", path=str(tmp_path / "amazon"))
    assert column(load_documents(config, "test"), "label") == [0, 4, 3, 1, 2, 0, 4]
    train = load_documents(replace(config, validation_size=1), "train")
    held_out = load_documents(replace(config, validation_size=1), "validation")
    assert sorted(column(train, "id") + column(held_out, "id")) == [f"train/{row}" for row in range(7)]


def test_folders_written_by_save_to_disk_are_read_and_left_alone(tmp_path):
    rows = Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features=SENTIMENT)
    DatasetDict(train=rows, dev=rows.select([2, 1])).save_to_disk(tmp_path / "both")
    rows.save_to_disk(tmp_path / "one")
    before = sorted(tmp_path.glob("[bo]*/**/*"))
    both = load_documents(DataConfig(path=str(tmp_path / "both"), test_split="dev"), "test")
    one = load_documents(DataConfig(path=str(tmp_path / "one")), "test")
    assert (column(both, "id"), column(both, "text"), column(both, "label")) == (
        ["dev/0", "dev/1"],
        ["c", "b"],
        [1, 0],
    )
    assert (column(one, "id"), column(one, "label")) == (["one/0", "one/1", "one/2"], [1, 0, 1])
    assert one.labels.names == ("neg", "pos")
    assert sorted(tmp_path.glob("[bo]*/**/*")) == before


def test_a_file_whose_name_has_brackets(tmp_path):
    path = write_json(tmp_path / "reviews[1].jsonl", labelled([0, 1, 1]))
    assert column(load_documents(DataConfig(path=str(path)), "test"), "id")[0] == "reviews[1]/0"


def test_a_changed_file_is_read_again(tmp_path):
    path = write_json(tmp_path / "reviews.jsonl", labelled([0, 1, 1]))
    before = load_documents(DataConfig(path=str(path)), "test")
    write_json(path, labelled([1, 1, 0, 0]))
    assert column(load_documents(DataConfig(path=str(path)), "test"), "label") == [1, 1, 0, 0]
    assert column(before, "label") == [0, 1, 1]


def test_lone_surrogates_and_nul_become_harmless(tmp_path):
    rows = [{"text": "a\ud83d b\x00c", "label": 0}, {"text": "\U0001f600", "label": 1}]
    path = write_json(tmp_path / "odd.jsonl", rows)
    assert "\\ud83d" in path.read_text()
    documents = load_documents(DataConfig(path=str(path)), "test")
    assert column(documents, "text") == ["a\ufffd b\x00c", "\U0001f600"]
    write_json(path, rows[::-1])
    assert column(load_documents(DataConfig(path=str(path)), "test"), "text") == ["\U0001f600", "a\ufffd b\x00c"]


def test_bytes_that_are_no_utf8_become_replacement_characters(tmp_path):
    offsets = pa.array([0, 3], pa.int32()).buffers()[1]
    text = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"a\xffb")])
    pq.write_table(pa.table({"text": text, "label": ["x"]}), tmp_path / "odd.parquet")
    assert column(load_documents(DataConfig(path=str(tmp_path / "odd.parquet")), "test"), "text") == ["a\ufffdb"]


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "bad.jsonl").write_text('{"text": "a", "label": 1}\n{"text": \n')
    (tmp_path / "latin.csv").write_bytes("text,label\ncafé,1\n".encode("latin-1"))
    (tmp_path / "bad.xlsx").write_text("a")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("text,label\n")
    (tmp_path / "nothing").mkdir()
    for name in ("bad.parquet", "bad.jsonl", "latin.csv", "empty.csv", "header.csv", "nothing"):
        assert f"{name}': cannot be read (" in refusal(DataConfig(path=str(tmp_path / name)))
    assert "'.xlsx' is none of .parquet, .csv" in refusal(DataConfig(path=str(tmp_path / "bad.xlsx")))
    assert "did you mean 'header.csv'?" in refusal(DataConfig(path=str(tmp_path / "haeder.csv")))


def test_without_a_network_the_message_says_what_to_do():
    message = refusal(DataConfig(name="imdb"))
    assert message.startswith("stanfordnlp/imdb: cannot be loaded from the hub or from the local cache (")
    assert "give a copy with data.path" in message
    assert "did you mean 'imdb'?" in refusal(DataConfig(name="imbd"))


# --- configuration -----------------------------------------------------------------------------------------------


def test_everything_wrong_with_a_configuration_is_said_at_once(tmp_path):
    message = refusal(DataConfig(train_size=0, test_size=-3, text_columns=[], clean=True, validation_split="train"))
    for part in (
        "train_size=0",
        "test_size=-3",
        "give data.name",
        "text_columns=[]: name",
        "clean=True",
        "also data.train",
    ):
        assert part in message
    assert "leave out data.path, data.subset" in refusal(DataConfig(name="planted", path="x", subset="y"))
    path = write_json(tmp_path / "a.jsonl", labelled([0, 1]))
    assert "data.revision='main'" in refusal(DataConfig(path=str(path), revision="main"))
    assert "data.subset='full'" in refusal(DataConfig(path=str(path), subset="full"))


def test_all_missing_columns_are_named_with_the_nearest_one(tmp_path):
    path = write_json(tmp_path / "a.jsonl", [{"title": "a", "content": "b", "star": 1, "tags": ["x"]}])
    config = DataConfig(path=str(path), text_columns=["titel", "content", "tags"], label_column="stars")
    message = refusal(config)
    assert "data.text_columns='titel': no such column; did you mean 'title'?" in message
    assert "data.label_column='stars': no such column; did you mean 'star'?" in message
    assert "data.text_columns='tags': holds lists and no text" in message
    assert message.endswith("has the columns title, content, star, tags")


def test_a_missing_split_is_named_with_the_nearest_one(tmp_path):
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]})
    DatasetDict(train=rows, dev=rows).save_to_disk(tmp_path / "d")
    message = refusal(DataConfig(path=str(tmp_path / "d"), test_split="dve"), "test")
    assert message == "data.test_split='dve': no such split; did you mean 'dev'?; there are: train, dev"


def test_an_empty_split_is_refused(tmp_path):
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]})
    with pytest.raises(UserError, match="split 'dev' has no rows"):
        pick_split(Source({"train": rows, "dev": rows.select([])}), "dev", "data.test_split")
    DatasetDict(train=rows, dev=rows.select([])).save_to_disk(tmp_path / "saved")
    assert "a split without rows" in refusal(DataConfig(path=str(tmp_path / "saved")))
    write_csv(tmp_path / "csv" / "train.csv", [("a", 0), ("b", 1)], ("text", "label"))
    write_csv(tmp_path / "csv" / "test.csv", [], ("text", "label"))
    assert '"test" corresponds to no data' in refusal(DataConfig(path=str(tmp_path / "csv")))


# --- texts -------------------------------------------------------------------------------------------------------


def test_columns_are_joined_without_the_empty_ones_and_blank_texts_are_kept(tmp_path):
    rows = [
        {"a": "x", "b": "y", "c": 7, "label": 0},
        {"a": None, "b": "y", "c": None, "label": 1},
        {"a": "", "b": " \n", "c": None, "label": 1},
        {"a": None, "b": None, "c": None, "label": 0},
    ]
    path = write_json(tmp_path / "a.jsonl", rows)
    documents = load_documents(DataConfig(path=str(path), text_columns=["a", "b", "c"]), "test")
    assert column(documents, "text") == ["x\ny\n7", "y", " \n", ""]


def test_a_second_sequence_begins_at_a_code_point(tmp_path):
    """Not at a byte: "ça 😀" has four characters, and eight bytes."""
    rows = [{"text": "ça 😀", "other": "née", "label": 0}, {"text": "", "other": "b", "label": 1}]
    path = write_json(tmp_path / "a.jsonl", rows)
    documents = load_documents(DataConfig(path=str(path), pair_column="other"), "test")
    assert column(documents, "text") == ["ça 😀\nnée", "\nb"]
    assert column(documents, "second") == [5, 1]


def test_cleaning_belongs_to_the_named_sets_and_can_be_turned_off(tmp_path):
    text = 'one\\ntwo \\"three\\" <br />four'
    path = str(write_json(tmp_path / "a.jsonl", [{"text": text, "label": 0}, {"text": "b", "label": 1}]))
    assert undo_escapes(text) == 'one two "three" <br />four'
    assert undo_line_breaks(text) == 'one\\ntwo \\"three\\"  four'
    for name, clean, expected in (
        ("yelp", None, undo_escapes(text)),
        ("imdb", True, undo_line_breaks(text)),
        ("yelp", False, text),
        (None, None, text),
    ):
        documents = load_documents(DataConfig(name=name, path=path, clean=clean), "test")
        assert column(documents, "text")[0] == expected
        assert documents.provenance.cleaned == (expected != text)


# --- labels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "names", "indices", "line"),
    [
        (["pos", "neg", "pos"], ("neg", "pos"), [1, 0, 1], "labels: neg -> 0, pos -> 1"),
        (["10", "9", "1"], ("1", "9", "10"), [2, 1, 0], "labels: 1 -> 0, 9 -> 1, 10 -> 2"),
        (["10", "9", "01"], ("01", "10", "9"), [1, 2, 0], "labels: 01 -> 0, 10 -> 1, 9 -> 2"),  # 01 is text
        ([4, 2, 4, -1], ("2", "4"), [1, 0, 1, None], "labels: 2 -> 0, 4 -> 1"),
        ([0, 1, None], ("0", "1"), [0, 1, None], None),
        ([True, False], ("False", "True"), [1, 0], "labels: False -> 0, True -> 1"),
        ([2.0, 1.0, None], ("1", "2"), [1, 0, None], "labels: 1 -> 0, 2 -> 1"),
        (["a", "", "b"], ("a", "b"), [0, None, 1], "labels: a -> 0, b -> 1"),
    ],
)
def test_a_table_is_made_from_the_values(tmp_path, labels, names, indices, line):
    path = write_json(tmp_path / "a.jsonl", labelled(labels))
    documents = load_documents(DataConfig(path=str(path)), "test")
    assert documents.labels.names == names
    assert column(documents, "label") == indices
    assert documents.labels.describe() == line
    assert documents.rows.features["label"] == Value("int64")


@pytest.mark.parametrize(
    ("labels", "mapping"),
    [
        ([3, 4, 5], {"1": 0, "2": 1, "3": 2, "4": 3, "5": 4}),  # numbers reach 5, so they start at 1
        ([0, 1, 2], {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4}),
        ([0, 1], {"0": 0, "1": 1}),  # three absent: another set of labels
        ([4, 5], {"4": 0, "5": 1}),
        ([1, 2, 4, 5], {"1": 0, "2": 1, "4": 2, "5": 3}),  # absent in the middle
        ([2, 3], {"2": 0, "3": 1}),  # they may start at 0 or 1: the names are not guessed
        ([1, 10], {"1": 0, "10": 1}),
        (["03", "04", "05"], {"03": 0, "04": 1, "05": 2}),  # text, and no names
        (["2 stars", "5 stars"], {name: index for index, name in enumerate(NAMED["yelp"].class_names)}),
    ],
)
def test_names_of_a_named_set_are_given_only_where_they_fit(tmp_path, labels, mapping):
    path = write_json(tmp_path / "a.jsonl", labelled(labels))
    table = load_documents(DataConfig(name="yelp", path=str(path)), "test").labels
    assert table.mapping == mapping
    assert (table.names == NAMED["yelp"].class_names) == (len(mapping) == 5)


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ([0, 1, 2, 3, 4], None),
        (
            [0, 1, 2, 3],
            "labels: 0 -> 0 (1 star), 1 -> 1 (2 stars), 2 -> 2 (3 stars), 3 -> 3 (4 stars), 4 -> 4 (5 stars); "
            "classes without documents: 5 stars",
        ),
        (
            ["5 stars", "4 stars"],
            "labels: 1 star -> 0, 2 stars -> 1, 3 stars -> 2, 4 stars -> 3, 5 stars -> 4; "
            "classes without documents: 1 star, 2 stars, 3 stars",
        ),
    ],
)
def test_absent_classes_are_said(tmp_path, labels, line):
    path = write_json(tmp_path / "a.jsonl", labelled(labels))
    described = load_documents(DataConfig(name="yelp", path=str(path)), "test").labels.describe()
    assert described == line


@pytest.mark.parametrize(("label", "shown"), [(0.5, "0.5"), ([1], "list<")])
def test_labels_that_are_no_classes_are_refused(tmp_path, label, shown):
    path = write_json(tmp_path / "a.jsonl", [{"text": "a", "label": label}, {"text": "b", "label": label}])
    assert shown in refusal(DataConfig(path=str(path)), "test")


def test_the_table_of_the_training_split_reads_the_others(tmp_path):
    for split, labels in {"train": ["a", "b", "c", "c", "a", "b"], "test": ["c", "b"], "dev": ["a", "d"]}.items():
        write_json(tmp_path / f"{split}.jsonl", labelled(labels))
    (tmp_path / "set").mkdir()
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").rename(tmp_path / "set" / f"{split}.jsonl")
    config = DataConfig(path=str(tmp_path / "set"))
    table = load_documents(config, "train").labels
    assert column(load_documents(config, "test", table), "label") == [2, 1]
    assert column(load_documents(config, "test"), "label") == [2, 1]
    message = refusal(DataConfig(path=str(tmp_path / "dev.jsonl")), "test", labels=table)
    assert message == "label d of document dev/1 is none of the classes a -> 0, b -> 1, c -> 2"


def test_class_names_win_over_numbers_where_two_sources_number_differently(tmp_path):
    turned = Features({"text": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=turned).to_parquet(tmp_path / "a.parquet")
    config = DataConfig(path=str(tmp_path / "a.parquet"))
    table = LabelTable(("neg", "pos"), {"0": 0, "1": 1})
    assert column(load_documents(config, "test", table), "label") == [1, 0]
    strangers = LabelTable(("LABEL_0", "LABEL_1"), {"0": 0, "1": 1})
    assert column(load_documents(config, "test", strangers), "label") == [0, 1]


@pytest.mark.parametrize(
    ("labels", "feature", "no_label", "classes", "names"),
    [
        ([0, 2, 1, 0, -1], ClassLabel(names=["no", "-", "yes"]), ["-"], [0, 1, None, 0, None], ("no", "yes")),
        ([0, 2, 1, 0, -1], ClassLabel(names=["no", "-", "yes"]), ["1"], [0, 1, None, 0, None], ("no", "yes")),
        ([0, 2, 1, 0, -1], ClassLabel(names=["1", "2", "3"]), ["1"], [None, 1, 0, None, None], ("2", "3")),
        ([0.0, 2.0, 1.0], Value("float64"), ["1.0"], [0, 1, None], ("0", "2")),
        (["0.0", "2.0", "1.0"], Value("string"), ["1.0"], [0, 1, None], ("0", "2")),
        ([0, 2, 1], Value("int8"), ["1"], [0, 1, None], ("0", "2")),
        ([True, False, None], Value("bool"), ["false"], [0, None, None], ("True",)),
        (["no", "yes", "-"], Value("large_string"), ["-"], [0, 1, None], ("no", "yes")),
    ],
    ids=str,
)
def test_labels_that_mean_none_are_left_out_of_every_kind_of_column(
    tmp_path, labels, feature, no_label, classes, names
):
    """A name wins over a number of the same digits."""
    rows = {"text": [f"text {row}" for row in range(len(labels))], "label": labels}
    features = Features({"text": Value("string"), "label": feature})
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "a.parquet")
    documents = load_documents(DataConfig(path=str(tmp_path / "a.parquet"), no_label=no_label), "test")
    assert column(documents, "label") == classes
    assert documents.labels.names == names


def test_a_label_that_means_none_must_be_a_class_where_classes_have_names(tmp_path):
    Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=SENTIMENT).to_parquet(tmp_path / "a.parquet")
    assert refusal(DataConfig(path=str(tmp_path / "a.parquet"), no_label=["nag"])) == (
        "data.no_label=['nag']: no class of the label column 'label'; did you mean 'neg'?; it has neg, pos"
    )


def test_pairs_win_over_class_names(tmp_path):
    """A model whose classes are called the wrong way round: the pairs say so, and are believed."""
    Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 1]}, features=SENTIMENT).to_parquet(
        tmp_path / "a.parquet"
    )
    config, own = DataConfig(path=str(tmp_path / "a.parquet")), LabelTable(("neg", "pos"), {"0": 0, "1": 1})
    for pairs, indices in ((["neg=pos", "pos=neg"], [0, 1, 1]), ([], [1, 0, 0])):
        table = matched_labels(own, ("pos", "neg"), pairs)
        assert column(load_documents(config, "test", table), "label") == indices


def test_documents_without_labels_can_be_tested_but_not_trained_on(tmp_path):
    rows = Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, 1]}, features=SENTIMENT)
    hidden = Dataset.from_dict({"text": ["d", "e"], "label": [-1, -1]}, features=SENTIMENT)
    DatasetDict(train=rows, test=hidden).save_to_disk(tmp_path / "d")
    config = DataConfig(path=str(tmp_path / "d"))
    test = load_documents(config, "test")
    assert column(test, "label") == [None, None]
    assert test.labels.names == ("neg", "pos")
    message = refusal(replace(config, train_split="test"))
    assert "2 of the 2 rows of split 'test' have no label" in message
    assert "test/0" in message
    bare = write_json(tmp_path / "bare.jsonl", [{"text": "a"}])
    unknown = load_documents(DataConfig(path=str(bare)), "test")
    assert (column(unknown, "label"), unknown.labels, unknown.provenance.label_column) == ([None], None, None)
    assert load_documents(DataConfig(path=str(bare)), "test", test.labels).labels == test.labels
    assert "data.label_column='label': no such column" in refusal(DataConfig(path=str(bare)))
    asked_for = DataConfig(path=str(bare), label_column="label")
    assert "data.label_column='label': no such column" in refusal(asked_for, "test")


def test_one_class_is_not_trained_on(tmp_path):
    path = write_json(tmp_path / "a.jsonl", labelled([1, 1, 1]))
    assert "are all of one class" in refusal(DataConfig(path=str(path)))
    assert len(load_documents(DataConfig(path=str(path)), "test").rows) == 3


# --- samples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "size", "shares"),
    [
        ([7, 3], 5, [4, 1]),  # 3.5 and 1.5: the tie goes to the first
        ([29, 19, 9], 6, [3, 2, 1]),  # 3.05, 2.0, 0.95
        ([97, 2, 1], 10, [8, 1, 1]),  # 9.7, 0.2, 0.1, and every class gets one
        ([97, 2, 1], 2, [1, 1, 0]),  # 1.94, 0.04, 0.02: too few for all three
        ([5, 0, 5], 3, [2, 0, 1]),
        ([1, 1, 1], 3, [1, 1, 1]),
        ([4, 4], 0, [0, 0]),
        ([3, 5] * 20 + [3], 17, [0, 1] * 17 + [0] * 7),  # twenty fives tie for 17: the first of them
    ],
)
def test_allotment_by_largest_remainder(counts, size, shares):
    assert sampling.allot(np.array(counts), size).tolist() == shares


def test_allotment_is_exact_and_possible_for_all_sizes():
    rng = np.random.default_rng(7)
    for _ in range(50):
        counts = rng.integers(0, 13, size=rng.integers(1, 7))
        for size in range(counts.sum() + 1):
            shares = sampling.allot(counts, size)
            assert shares.sum() == size
            assert (shares <= counts).all()
            assert (shares > 0).sum() == min(size, (counts > 0).sum())


def test_samples_are_stratified_seeded_and_in_source_order(tmp_path):
    labels = [0] * 31 + [1] * 17 + [2] * 11 + [3]
    path = write_json(tmp_path / "a.jsonl", labelled(np.random.default_rng(3).permutation(labels).tolist()))
    config = DataConfig(path=str(path), test_size=23)
    sample = load_documents(config, "test")
    rows = [int(name.split("/")[1]) for name in column(sample, "id")]
    assert rows == sorted(set(rows))
    assert [f"document {row}" for row in rows] == column(sample, "text")
    assert Counter(column(sample, "label")) == {
        0: 11,
        1: 7,
        2: 4,
        3: 1,
    }  # 11.88, 6.52, 4.22, 0.38; one of 12 goes to class 3
    assert column(load_documents(config, "test"), "id") == column(sample, "id")
    assert column(load_documents(replace(config, seed=1), "test"), "id") != column(sample, "id")
    assert "data.test_size=61: the split has 60 documents" in refusal(replace(config, test_size=61), "test")
    assert len(load_documents(replace(config, test_size=60), "test").rows) == 60


def test_held_out_documents_are_the_same_for_both_roles_and_disjoint_from_training(tmp_path):
    """60 rows: six are held out, the lone row of class 3 stays in training."""
    path = write_json(tmp_path / "a.jsonl", labelled([0] * 31 + [1] * 17 + [2] * 11 + [3]))
    config = DataConfig(path=str(path))
    train, held_out = load_documents(config, "train"), load_documents(config, "validation")
    assert Counter(column(held_out, "label")) == {0: 3, 1: 2, 2: 1}
    assert sorted(column(train, "id") + column(held_out, "id")) == sorted(f"a/{row}" for row in range(60))
    smaller = replace(config, train_size=20, validation_size=6)
    some, same = load_documents(smaller, "train"), load_documents(smaller, "validation")
    assert column(same, "id") == column(held_out, "id")
    assert set(column(some, "id")) < set(column(train, "id"))
    assert len(some.rows) == 20
    assert set(column(some, "label")) == {0, 1, 2, 3}
    assert len(load_documents(replace(config, train_size=20), "validation").rows) == 3  # 2, but one of each class


def test_sizes_that_cannot_be_met_say_how_many_there_are(tmp_path):
    config = DataConfig(path=str(write_json(tmp_path / "a.jsonl", labelled([0, 1] * 5 + [2]))))
    assert "train_size=12: the training split has 11 documents" in refusal(replace(config, train_size=12))
    assert "train_size=11 and 2 documents held out" in refusal(replace(config, train_size=11))
    message = refusal(replace(config, train_size=9, validation_size=3))
    assert "exceed the 11 documents" in message
    assert "data.train_size=9 and 3 documents held out" in message
    assert "it can be 8 at most" in message
    assert "8 can be held out at most" in refusal(replace(config, validation_size=9), "validation")
    assert len(load_documents(replace(config, validation_size=8), "train").rows) == 3
    pair = DataConfig(path=str(write_json(tmp_path / "b.jsonl", labelled([0, 1]))))
    assert "no documents can be held out of the 2" in refusal(pair)


def test_a_validation_split_is_used_as_it_is(tmp_path):
    rows = Dataset.from_dict({"text": list("abcde"), "label": [1, 0, 1, 0, 1]}, features=SENTIMENT)
    DatasetDict(train=rows, dev=rows).save_to_disk(tmp_path / "d")
    config = DataConfig(path=str(tmp_path / "d"), validation_split="dev")
    assert len(load_documents(config, "train").rows) == 5
    assert column(load_documents(config, "validation"), "id") == [f"dev/{row}" for row in range(5)]
    assert len(load_documents(replace(config, validation_size=3), "validation").rows) == 3
    assert "data.validation_size=6" in refusal(replace(config, validation_size=6), "validation")
    file = write_json(tmp_path / "a.jsonl", labelled([0, 1, 0, 1]))
    for role in ("train", "validation"):  # all rows of the file for both would train on what stops the training
        assert "no splits of its own" in refusal(replace(config, path=str(file)), role)
    assert len(load_documents(replace(config, path=str(file)), "test").rows) == 4


def test_many_rows_are_written_by_several_processes_in_order(tmp_path):
    count = 20_011
    table = pa.table({"text": [f"text {row}" for row in range(count)], "label": [row % 3 for row in range(count)]})
    pq.write_table(table, tmp_path / "a.parquet")
    documents = load_documents(DataConfig(path=str(tmp_path / "a.parquet")), "test")
    assert column(documents, "id") == [f"a/{row}" for row in range(count)]
    assert column(documents, "text") == [f"text {row}" for row in range(count)]
    assert column(documents, "label") == [row % 3 for row in range(count)]


# --- what is known about the documents -----------------------------------------------------------------------------


def slow_fingerprint(documents: Documents) -> str:
    """Blocks of 8,192 rows: count, byte lengths and bytes of the ids, then of the texts, then the labels."""
    content = b""
    rows = [documents.rows[row] for row in range(len(documents.rows))]
    for block in (rows[start : start + 8192] for start in range(0, len(rows), 8192)):
        for name in ("id", "text"):
            texts = [row[name].encode() for row in block]
            content += struct.pack(f"<{len(texts) + 1}q", len(texts), *map(len, texts)) + b"".join(texts)
        content += b"".join(struct.pack("<q", -1 if row["label"] is None else row["label"]) for row in block)
    return hashlib.sha256(content).hexdigest()


def test_the_fingerprint_depends_on_the_content_alone(tmp_path):
    labels = [0, 1, None, 1, 0]
    as_json = write_json(tmp_path / "a.jsonl", labelled(labels))
    pq.write_table(pa.Table.from_pylist(labelled(labels)), tmp_path / "a.parquet", row_group_size=2)
    first, second = (
        load_documents(DataConfig(path=str(tmp_path / f"a.{end}")), "test") for end in ("jsonl", "parquet")
    )
    assert first.fingerprint == second.fingerprint == slow_fingerprint(first)
    for change in ([0, 1, None, 1, 1], [0, 1, 0, 1, 0]):
        write_json(as_json, labelled(change))
        assert load_documents(DataConfig(path=str(as_json)), "test").fingerprint != first.fingerprint


def test_the_provenance_is_json(tmp_path):
    path = str(write_json(tmp_path / "a.jsonl", labelled([0, 1] * 7)))
    provenance = load_documents(DataConfig(name="yelp", path=path, test_size=5, seed=3), "test").provenance
    assert json.loads(json.dumps(asdict(provenance))) == {
        "name": "yelp",
        "path": path,
        "subset": None,
        "revision": None,
        "split": "a",
        "text_columns": ["text"],
        "pair_column": None,
        "label_column": "label",
        "cleaned": True,
        "documents": 5,
        "available": 14,
        "seed": 3,
        "fingerprint": None,
        "without_label": 0,
        "rationale_column": None,
        "id_column": None,
    }


def test_the_built_in_corpus_carries_its_evidence():
    config = DataConfig(name="planted", classes=3, train_size=7, test_size=5, seed=2)
    test, train = load_documents(config, "test"), load_documents(config, "train")
    reviews = planted.planted_reviews("test", 3, 5, 2)
    spans = [[{"start": span.start, "end": span.end} for span in review.evidence] for review in reviews]
    assert column(test, RATIONALES) == [[own] for own in spans]  # of one annotator
    assert column(test, "text") == [review.text for review in reviews]
    assert column(test, "label") == [review.label for review in reviews]
    assert column(test, "id") == [f"test/{row}" for row in range(5)]
    assert (len(train.rows), train.labels.names) == (7, planted.label_names(3))
    assert column(load_documents(replace(config, validation_size=2), "validation"), "id")[0] == "validation/0"
    assert "did you mean 'train'?" in refusal(replace(config, train_split="trian"))
    other_way_round = LabelTable(("positive", "mixed", "negative"), {"0": 0, "1": 1, "2": 2})
    turned = load_documents(config, "test", other_way_round)
    assert column(turned, "label") == [2 - review.label for review in reviews]


# --- real samples ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "classes"), [("yelp", 5), ("imdb", 2), ("amazon", 5), ("yahoo", 10)])
def test_real_samples_load_clean(data_root, name, classes):
    config = DataConfig(name=name, path=str(data_root / FOLDERS[name]), train_size=1000)
    roles = {role: load_documents(config, role) for role in ("train", "validation", "test")}
    assert len(roles["train"].rows) == 1000
    assert len(roles["validation"].rows) == 100
    assert len(roles["test"].rows) == {"yahoo": 300}.get(name, 500)
    for role, documents in roles.items():
        assert len(documents.labels.names) == classes
        assert set(column(documents, "label")) == set(range(classes))
        assert all(
            text and not any(escape in text for escape in ("<br />", "\\n", '\\"')) for text in documents.rows["text"]
        )
        assert all(number.startswith("test/" if role == "test" else "train/") for number in documents.rows["id"])
    assert not set(roles["train"].rows["id"]) & set(roles["validation"].rows["id"])
    if name == "imdb":
        assert roles["train"].labels.names == ("neg", "pos")
