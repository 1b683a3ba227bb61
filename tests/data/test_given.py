"""What a caller of Python may hand in as documents, and what is refused in one line."""

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import Documents, load_documents
from eraserhead.data.given import GivenColumns, check_given, given_content, given_documents
from eraserhead.data.provenance import LabelsRead
from eraserhead.errors import UserError

TEXTS, SECONDS, LABELS = ["a fine cast", "good", "never bad"], ["fine", "bad", "cast"], [1, 0, 2]
CLASSES = 3
ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS, LABELS, strict=True)]
COLUMNS = {"text": TEXTS, "label": LABELS}


def given(data, split=None, **columns) -> Documents:
    named = GivenColumns(**columns)
    return given_documents(given_content(data, named, split), named, CLASSES)


def refusal(data, split=None, **columns) -> str:
    with pytest.raises(UserError) as refused:
        given(data, split, **columns)
    assert "\n" not in str(refused.value)
    return str(refused.value)


LISTS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "generator": None,  # made anew in each test
    "array": np.array(TEXTS),
    "array of objects": np.array(TEXTS, dtype=object),
    "series": pd.Series(TEXTS, index=[7, 5, 3]),
    "column": Dataset.from_dict(COLUMNS)["text"],
}
TABLES = {
    "dicts": ROWS,
    "generator of dicts": None,
    "frame": pd.DataFrame(COLUMNS, index=[7, 5, 3]),
    "frame of categories": pd.DataFrame(COLUMNS).astype({"text": "category"}),
    "dataset": Dataset.from_dict(COLUMNS),
    "one split": DatasetDict(test=Dataset.from_dict(COLUMNS)),
}


@pytest.mark.parametrize("kind", LISTS)
def test_texts_alone(kind):
    rows = given((text for text in TEXTS) if kind == "generator" else LISTS[kind]).rows
    assert rows["text"][:] == TEXTS
    assert all(type(text) is str for text in rows["text"][:])
    assert rows["label"][:] == [None] * 3
    assert rows["id"][:] == ["texts/0", "texts/1", "texts/2"]


@pytest.mark.parametrize("kind", TABLES)
def test_rows_with_labels(kind):
    rows = given((row for row in ROWS) if kind == "generator of dicts" else TABLES[kind]).rows
    assert (rows["text"][:], rows["label"][:]) == (TEXTS, LABELS)


def test_pairs_are_read_as_two_sequences():
    """The text holds both, a newline between them; `second` says where the other begins."""
    pairs = list(zip(TEXTS, SECONDS, strict=True))
    table = pd.DataFrame({"premise": TEXTS, "hypothesis": SECONDS})
    for rows in (given(pairs).rows, given(iter(pairs)).rows, given(table, text="premise", pair="hypothesis").rows):
        assert rows["text"][:] == ["a fine cast\nfine", "good\nbad", "never bad\ncast"]
        assert rows["second"][:] == [12, 5, 10]
    assert given([("ça 😀", "née")]).rows["second"][:] == [5]  # characters, not bytes


def test_other_columns_and_ids_are_read_by_their_names():
    frame = pd.DataFrame({"review": TEXTS, "stars": LABELS, "id": ["x", "y", "z"], "text": SECONDS})
    rows = given(frame, text="review", label="stars").rows
    assert (rows["text"][:], rows["label"][:], rows["id"][:]) == (TEXTS, LABELS, ["x", "y", "z"])
    assert given(frame).rows["label"][:] == [None] * 3  # no column 'label', and none was asked for


def test_a_split_is_chosen_by_name():
    both = DatasetDict(train=Dataset.from_dict({"text": SECONDS}), test=Dataset.from_dict(COLUMNS))
    assert given(both, "test").rows["text"][:] == TEXTS
    assert refusal(both) == "data has several splits; name one with split=: train, test"
    assert refusal(both, "tset") == "no split 'tset'; did you mean 'test'?; name one with split=: train, test"
    assert refusal(TEXTS, "test") == "split 'test': belongs to a DatasetDict, and data is a list; leave it out"


@pytest.mark.parametrize("missing", [None, float("nan"), -1, np.nan, pd.NA])
def test_no_label_is_none(missing):
    frame = pd.DataFrame({"text": TEXTS, "label": pd.Series([1, missing, 2], dtype=object)})
    assert given(frame).rows["label"][:] == [1, None, 2]
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, [1, missing, 2], strict=True)]
    assert given(rows).rows["label"][:] == [1, None, 2]


def test_whole_floats_and_numpy_integers_are_labels():
    assert given(pd.DataFrame({"text": TEXTS, "label": [1, None, 2]})).rows["label"][:] == [1, None, 2]  # floats
    assert given([{"text": "a", "label": np.int64(2)}]).rows["label"][:] == [2]
    assert refusal(pd.DataFrame({"text": TEXTS, "label": [0, 1, 3]})) == (
        "label 3 is none of the model's classes, which are 0 to 2"
    )
    assert refusal([{"text": "a", "label": 0.5}]).startswith("label 0.5 is none")
    assert refusal([{"text": "a", "label": "good"}]).startswith("label 'good' is none")


@pytest.mark.parametrize("kind", ["frame", "dataset", "dicts"])
def test_mistyped_columns_are_refused_with_the_nearest(kind):
    assert refusal(TABLES[kind], label="labels") == (
        "label_column 'labels': no such column; did you mean 'label'?; there are: text, label"
    )
    assert refusal(TABLES[kind], text="txt", pair="texts") == (
        "text_column 'txt': no such column; did you mean 'text'?; "
        "pair_column 'texts': no such column; did you mean 'text'?; there are: text, label"
    )


def test_columns_of_what_has_none_are_refused():
    assert refusal(TEXTS, label="label").startswith("label_column 'label': the documents have no columns")


TAKEN = "a list of texts, of (text, text) pairs or of rows, a DataFrame, or one split of a Dataset"
STRINGS = f"and must be a str; data may be {TAKEN}"
REFUSED = {
    "a text": ("good", f"data is a str; give {TAKEN}"),
    "bytes": (b"good", f"data is a bytes; give {TAKEN}"),
    "a dict": ({"text": TEXTS}, f"data is a dict; give {TAKEN}"),
    "a set": ({"good"}, f"data is a set; give {TAKEN}"),
    "a number": (7, f"data is an int; give {TAKEN}"),
    "nothing": (None, f"data is None; give {TAKEN}"),
    "a table of strings": (np.array([TEXTS, SECONDS]), f"data is a ndarray; give {TAKEN}"),
    "a tensor": (torch.ones(2), f"document 0 is a Tensor, {STRINGS}"),
    "words": ([["a", "b"]], f"document 0 is a list, {STRINGS}"),
    "a text and a pair": (["a", ("a", "b")], f"document 1 is a tuple, {STRINGS}"),
    "a number as a text": (
        pd.DataFrame({"text": [1, 2]}),
        f"document 0 is an int, {STRINGS}",
    ),
    "an empty list": ([], "data holds no documents; give one text or more"),
    "an empty frame": (pd.DataFrame({"text": []}), "data holds no documents; give one text or more"),
    "half a surrogate": (["\ud800"], "document 0: not valid Unicode at character 0; decode it with the right encoding"),
    "two columns of a name": (
        pd.DataFrame([["a", "b"]], columns=["text", "text"]),
        "data has two columns of one name among text, text; rename one",
    ),
    "two documents of an id": (
        [{"text": "a", "id": 1}, {"text": "b", "id": 1}],
        "the column 'id' names some documents twice; make the ids unique, or leave it out",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_everything_else_is_refused_by_its_type(kind):
    data, message = REFUSED[kind]
    assert refusal(data) == message


# --- what documents lack ----------------------------------------------------------------------------------------------


def said_of_given(data, caplog, names=(), by_label=False, **columns) -> list[str]:
    """Return the lines of the log; a refusal is the last one."""
    caplog.clear()
    caplog.set_level("INFO", "eraserhead")
    named = GivenColumns(**columns)
    content = given_content(data, named, None)
    try:
        check_given(content, named)
    except UserError as error:
        return [str(error)]
    given_documents(content, named, 3, names=names, by_label=by_label)
    return caplog.messages


def said_of_file(frame: pd.DataFrame, path, caplog) -> list[str]:
    caplog.clear()
    caplog.set_level("INFO", "eraserhead")
    frame.to_csv(path, index=False)
    try:
        load_documents(DataConfig(path=str(path)), "test")
    except UserError as error:
        return [*caplog.messages, str(error).replace("data.text_columns=['text']", "text_column='text'")]
    return [message.replace("give data.no_label=['-']", "give None in its place") for message in caplog.messages]


LACKING = {
    "some texts": {"text": ["good", None, " \u00a0 "], "label": ["pos", "neg", "pos"]},
    "all texts": {"text": [None, "", " "], "label": ["pos", "neg", "pos"]},
    "all labels": {"text": TEXTS, "label": [None, None, None]},
    "odd labels": {"text": TEXTS, "label": ["pos", "Pos", "-"]},
}


@pytest.mark.usefixtures("datasets_cache")
@pytest.mark.parametrize("lacking", LACKING)
def test_what_is_lacking_is_said_as_of_a_file(tmp_path, caplog, lacking):
    columns = LACKING[lacking]
    frame = pd.DataFrame(columns)
    of_file = said_of_file(frame, tmp_path / "texts.csv", caplog)
    assert of_file
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    given_dataset = Dataset.from_dict(columns, Features(dict.fromkeys(columns, Value("string"))))
    for data in (frame, rows, given_dataset):
        names = ("pos", "neg", "-") if lacking == "odd labels" else ("pos", "neg")
        assert said_of_given(data, caplog, names) == of_file


def test_what_texts_without_columns_or_columns_of_labels_lack(caplog):
    assert said_of_given(["good", None, ""], caplog) == ["2 documents have no text, of 3; the first is texts/1"]
    assert said_of_given([None, ""], caplog) == ["none of the 2 documents has any text; give texts that have"]
    rows = [{"text": "good", "a": None, "b": 1}, {"text": "bad", "a": 0, "b": float("nan")}]
    line = "label columns a, b are without any label in split 'texts' (null, -1 or empty)"
    said = said_of_given(rows, caplog, ("a", "b"), True, labels=("a", "b"))
    assert said == [f"no accuracy is reported: {line}"]


# --- labels with names -----------------------------------------------------------------------------------------------

MODEL = ("neg", "pos", "a=b")  # class names of a model


def matched(labels, names=None, label_map=None) -> list[int | None]:
    """Return the model's class indices for labels in a data set, whose class names are `names`, or that are names."""
    feature = Value("string") if names is None else ClassLabel(names=names)
    data = Dataset.from_dict(
        {"text": TEXTS, "label": labels}, features=Features({"text": Value("string"), "label": feature})
    )
    content = given_content(data, GivenColumns(), None)
    rows = given_documents(content, GivenColumns(), len(MODEL), names=MODEL, label_map=label_map).rows
    return rows["label"][:]


def test_class_names_of_a_data_set_are_matched_in_any_order():
    assert matched([0, 1, 0], ["pos", "neg"]) == [1, 0, 1]
    assert matched([0, -1, 1], ["Pos ", " NEG"]) == [1, None, 0]
    assert matched(["pos", None, "Neg"]) == [1, None, 0]


def test_class_names_that_the_model_lacks_have_no_index(caplog):
    caplog.set_level("INFO", "eraserhead")
    assert matched([0, 1, 0], ["good", "bad"]) == [None, None, None]
    assert "no accuracy is reported: the data's classes (good, bad) are not the model's (neg, pos, a=b)" in caplog.text
    assert matched([0, 1, 0], ["good", "bad"], ["good=pos", "bad=neg"]) == [1, 0, 1]
    assert matched([0, 1, 0], ["good", "bad"], ["good=pos"]) == [None, None, None]
    assert "of the data's classes, bad is none of the model's (neg, pos, a=b); match it too with" in caplog.text


def test_it_is_recorded_how_labels_were_read():
    def read(labels, label_map=None):
        content = given_content([{"text": "a", "label": label} for label in labels], GivenColumns(), None)
        return given_documents(content, GivenColumns(), 3, names=MODEL, label_map=label_map).labels_read

    assert read(["pos", "neg"]) == LabelsRead("name", ("neg", "pos"))
    assert read(["good", "bad"]) == LabelsRead("unmatched", ("bad", "good"))
    assert read(["good", "bad"], ["good=pos", "bad=neg"]) == LabelsRead("label_map", ("bad", "good"))
    assert read([0, 2]) == LabelsRead("index")
    assert given_documents(given_content(["a"], GivenColumns(), None), GivenColumns(), 3).labels_read == LabelsRead(
        "none"
    )


def test_pairs_of_classes_may_hold_equals_signs():
    assert matched([0, 1, 0], ["other", "c=d"], ["other=a=b", "c=d=neg"]) == [2, 0, 2]
    with pytest.raises(UserError, match="'c=d' is no class of the data"):
        matched([0, 1, 0], ["other", "bad"], ["other=pos", "c=d=neg"])


# --- several labels --------------------------------------------------------------------------------------------------


def several(data, names=("a", "b", "c"), **columns) -> Documents:
    asked = GivenColumns(**columns)
    return given_documents(given_content(data, asked, None), asked, len(names), names=names, by_label=True)


@pytest.mark.parametrize(
    "own", [[2, 0], ("c", "a"), {0, 2}, np.array([2, 0]), torch.tensor([2, 0]), pd.Series(["c", "a"])], ids=repr
)
def test_labels_of_every_container_are_read(own):
    rows = [{"text": "t", "label": own}, {"text": "u", "label": None}]
    assert several(rows).rows["labels"][:] == [[0, 2], None]


@pytest.mark.parametrize(
    ("own", "expected"), [(1, [0]), (False, []), ([0], [0]), (np.array([0]), [0]), (np.array([]), [])], ids=repr
)
def test_a_single_label_is_on_or_off_or_in_a_list(own, expected):
    assert several([{"text": "t", "label": own}], ("a",)).rows["labels"][:] == [expected]


@pytest.mark.parametrize(
    ("own", "match"),
    [
        ([0, 1, 0], r"labels \[0, 1, 0\]: a document's list holds 'a' twice; .* label_columns"),
        (np.array([1, 1]), r"labels \[1, 1\]: a document's list holds 'b' twice"),
        (["a", 0], "holds 'a' twice"),
        ([True, False, True], r"labels \[True, False, True\]: a document's list holds True or False; .* label_columns"),
        (np.array([True, False]), r"labels \[True, False\]: a document's list holds True or False"),
        ([[0], [1]], r"label \[0\] is none of the model's labels"),
        ([None], "label None is none of the model's labels"),
        ([-1], "label -1 is none of the model's labels"),
    ],
    ids=repr,
)
def test_lists_that_are_no_labels_are_refused(own, match):
    with pytest.raises(UserError, match=match):
        several([{"text": "t", "label": own}])


def test_an_array_is_no_class():
    assert refusal([{"text": "t", "label": np.array([0, 1])}]).startswith("label [0, 1] is none of the model's classes")


def test_columns_of_labels_win_over_a_column_of_named_lists_and_are_recorded():
    features = Features(
        {"text": Value("string"), **dict.fromkeys("abc", Value("int64")), "label": List(ClassLabel(names=["x", "y"]))}
    )
    data = Dataset.from_dict({"text": ["t", "u"], "a": [1, 0], "b": [0, 0], "c": [1, 1], "label": [[0], [1]]}, features)
    found = several(data, labels=("a", "c", "b"))
    assert found.rows["labels"][:] == [[0, 2], [2]]
    assert found.provenance.label_column == "a, c, b"
    assert several(data, ("x", "y")).rows["labels"][:] == [[0], [1]]
    assert several(data, ("x", "y")).provenance.label_column == "label"


def test_names_in_a_frame_of_several_types():
    frame = pd.DataFrame({"text": TEXTS, "label": [1, "2", 2.0]})
    content = given_content(frame, GivenColumns(), None)
    rows = given_documents(content, GivenColumns(), 2, names=("1", "2")).rows
    assert rows["label"][:] == [0, 1, 1]
