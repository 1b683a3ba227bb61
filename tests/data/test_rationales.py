"""What people marked as evidence: every form in which data has it comes to the same spans."""

import json

import numpy as np
import pytest
from datasets import Dataset

from eraserhead.data.config import DataConfig
from eraserhead.data.documents import load_documents
from eraserhead.data.rationales import RATIONALES, with_rationales
from eraserhead.errors import Setting, UserError

TEXT = "a fine  cast, never bad"  # words at 0, 2, 8, 14 and 20
FINE, NEVER_BAD = {"start": 2, "end": 6}, [{"start": 14, "end": 19}, {"start": 20, "end": 23}]


def read(*values, texts=None) -> list:
    texts = texts or [TEXT] * len(values)
    documents = Dataset.from_dict({"id": [f"test/{row}" for row in range(len(texts))], "text": texts})
    return with_rationales(documents, values, Setting("data.rationale_column", "marks"))[RATIONALES][:]


@pytest.mark.parametrize(
    "value",
    [
        [[2, 6]],
        [(2.0, 6.0)],
        [{"start": 2, "end": 6}],
        {"start": [2], "end": [6]},
        [0, 1, 0, 0, 0],
        np.array([0, 1, 0, 0, 0]),
        [False, True, False, False, False],
        "[0, 1, 0, 0, 0]",
        json.dumps([[2, 6]]),
        [[[2, 6]]],
        [[0, 1, 0, 0, 0]],
    ],
    ids=str,
)
def test_every_form_of_one_annotator(value):
    assert read(value) == [[[FINE]]]


@pytest.mark.parametrize(
    "value",
    [[[[2, 6]], [[14, 19], [20, 23]], []], [[0, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]],
    ids=["spans", "marks"],
)
def test_several_annotators_of_whom_one_marks_nothing(value):
    assert read(value) == [[[FINE], NEVER_BAD, []]]


def test_documents_without_rationales_are_null_and_those_where_nothing_is_marked_are_not():
    assert read(None, [], [[2, 6]], "", float("nan"), [[], []]) == [None, [[]], [[FINE]], None, None, [[], []]]


def test_pairs_of_0_and_1_mark_words_only_where_every_text_has_two():
    assert read([0, 1], texts=["fine cast"]) == [[[{"start": 5, "end": 9}]]]
    assert read([[0, 1]], [[0, 1], [0, 1]], texts=[TEXT, "fine cast"])[0] == [[{"start": 0, "end": 1}]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[[2, 6]], [[20, 24]]], "document test/1 has the span 20 to 24 in a text of 23 characters"),
        ([[[6, 2]]], "document test/0 has the span 6 to 2"),
        ([[[-1, 2]], [[3, 3]]], r"test/0 has the span -1 to 2 in a text of 23 characters \(2 of 2 documents\)"),
        ([{"start": [2, 14], "end": [6]}], r"document test/0 has \{'start': \[2, 14\], 'end': \[6\]\}"),
        ([[0, 1, 0, 0]], r"document test/0 has 4 marks for 5 words"),
        (["fine"], "document test/0 has 'fine'"),
        ([[[2, 6, 8]]], r"document test/0 has \[2, 6, 8\] in place of a span"),
        ([[["a", "b"]]], r"document test/0 has \['a', 'b'\] in place of a span"),
        ([[{"start": 2}]], "in place of a span"),
        ([[[2, 2.5]]], "in place of a span"),
        ([[[[[2, 6]]]]], "document test/0 has lists within lists, 4 deep"),
        ([7], "document test/0 has 7"),
        ([None, None], "none of the 2 documents has a rationale"),
    ],
    ids=str,
)
def test_refused_in_one_line(values, said):
    with pytest.raises(UserError, match=said) as refused:
        read(*values)
    assert str(refused.value).startswith("data.rationale_column='marks': ")
    assert "\n" not in str(refused.value)


def write(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_column_of_a_file_is_read_and_changes_the_fingerprint(tmp_path, datasets_cache):
    rows = [{"text": TEXT, "label": row % 2, "marks": [[2, 6]], "others": [[14, 19]]} for row in range(3)]
    path = write(tmp_path / "rows.jsonl", rows)
    read = [load_documents(DataConfig(path=path, rationale_column=name), "test") for name in ("marks", "others")]
    assert read[0].rows[RATIONALES][:] == [[[FINE]]] * 3
    assert read[0].record.rationale_column == "marks"
    plain = load_documents(DataConfig(path=path), "test")
    assert RATIONALES not in plain.rows.column_names
    assert len({documents.fingerprint for documents in (*read, plain)}) == 3


def test_csv_has_them_as_json(tmp_path, datasets_cache):
    path = tmp_path / "rows.csv"
    path.write_text(f'text,label,marks\n"{TEXT}",0,"[[2, 6]]"\n"{TEXT}",1,\n', encoding="utf-8")
    read = load_documents(DataConfig(path=str(path), rationale_column="marks"), "test")
    assert read.rows[RATIONALES][:] == [[[FINE]], None]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (DataConfig(rationale_column="mark"), "data.rationale_column='mark': no such column; did you mean 'marks'"),
        (DataConfig(name="planted", rationale_column="marks"), "leave out data.rationale_column"),
        (DataConfig(name="imdb", streaming=True, rationale_column="marks"), "is not read from a stream"),
    ],
    ids=["unknown", "planted", "streamed"],
)
def test_settings_that_do_not_fit(tmp_path, datasets_cache, config, said):
    path = write(tmp_path / "rows.jsonl", [{"text": TEXT, "label": 0, "marks": [[2, 6]]}])
    config = config if config.name else DataConfig(path=path, rationale_column=config.rationale_column)
    with pytest.raises(UserError, match=said):
        load_documents(config, "test")
