"""Tables of scores: laid on components by hand, in every form that they come in, and refused with a number."""

import json
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

from eraserhead.errors import UserError
from eraserhead.rankings.score_table import Located
from eraserhead.rankings.tables import given_table, read_table
from heads import random_head
from readings import affine

READING = affine(random_head(0, [3, 2]))
# "fine film" and "ab": three components of the first, of which the last lies nowhere, and two of the second.
LOCATED = Located(["d1", "d0"], np.array([3, 2]), np.array([0, 5, 0, 0, 1]), np.array([4, 9, 0, 1, 2]))


def table(scores):
    found = given_table(scores, "theirs")
    assert found is not None
    return found


def laid(scores, located: Located = LOCATED) -> list[list[float]]:
    return table(scores).ranking(located).score(READING).tolist()


def test_scores_of_components_are_theirs():
    scores = {"d0": [5.0, 4.0], "d1": [0.5, -2.0, 3.0], "of another set": [1.0]}
    assert laid(scores) == [[0.5, -2.0, 3.0], [5.0, 4.0, 0.0]]
    assert table(scores).ranking(LOCATED).order(READING).tolist() == [[2, 0, 1], [0, 1, 2]]


def test_spans_are_summed_over_the_components_that_share_a_character_with_them():
    """Of d1 "ne fi" lies on both words and "film" on the second; what ends where a component begins is beside it."""
    spans = {"d1": [(2, 7, 1.0), (5, 9, 0.25), (4, 5, 8.0)], "d0": [(1, 2, -1.0)]}
    assert laid(spans) == [[1.0, 1.25, 0.0], [0.0, -1.0, 0.0]]
    found = table(spans)
    assert found.unlaid("d1", [0, 5, 0], [4, 9, 0]) == 1  # the space
    assert found.unlaid("d0", [0, 1], [1, 2]) == 0
    assert found.unlaid("d0", [0], [1]) == 1
    assert table({"d1": [1.0]}).unlaid("d1", [0], [1]) == 0


def test_every_form_of_a_table_is_the_same_table(tmp_path):
    scores = {"07": [0.1, 0.3], "1": [-2e-17]}
    rows = [(document, number, score) for document, own in scores.items() for number, score in enumerate(own)]
    frame = pd.DataFrame(rows, columns=["id", "component", "score"])
    frame.to_parquet(tmp_path / "theirs.parquet")
    frame.iloc[::-1].to_csv(tmp_path / "theirs.csv", index=False)
    (tmp_path / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    found = [read_table(tmp_path / f"theirs.{kind}", "theirs") for kind in ("parquet", "csv", "jsonl")]
    found += [table(scores), table(frame), table(pa.Table.from_pandas(frame))]
    found += [table({name: np.array(own) for name, own in scores.items()})]
    for each in found:
        assert each.numbers == {"07": 0, "1": 1}
        assert each.scores.tolist() == [0.1, 0.3, -2e-17]
        assert each.digest == found[0].digest
    for other in (
        {"07": [0.1, 0.3], "1": [-3e-17]},
        {"07": [0.1, 0.3], "2": [-2e-17]},
        {"07": [0.1], "1": [0.3, -2e-17]},
    ):
        assert table(other).digest != found[0].digest
    spans = {"d": [(0, 4, 1.0)]}
    assert table(spans).digest != table({"d": [(0, 3, 1.0)]}).digest


def test_numbers_are_ids_as_they_are_written():
    assert laid({0: [5, 4], "1": [1, 2, 3]}, Located(["1", "0"], np.array([3, 2]))) == [[1, 2, 3], [5, 4, 0]]


WRONG = {
    "columns": (pd.DataFrame({"id": ["a"], "scores": [1]}), "ranking 'theirs': has the columns id, scores; a table of"),
    "no id": (
        pd.DataFrame({"id": [None], "component": [0], "score": [1.0]}),
        "1 of 1 rows have no id; the first: id=None",
    ),
    "not a number": (
        {"a": [1.0, float("nan")]},
        "1 of 2 rows have a score that is no number; the first: id=a, component=1",
    ),
    "text": (pd.DataFrame({"id": ["a"], "component": [0], "score": ["high"]}), "have a score that is no number"),
    "half a component": (
        pd.DataFrame({"id": ["a"], "component": [0.5], "score": [1.0]}),
        "have a component that is no whole number",
    ),
    "a component twice": (
        pd.DataFrame({"id": ["a", "b", "b"], "component": [0, 0, 0], "score": [1.0, 2.0, 3.0]}),
        "1 of 3 rows score the same component of a document again; the first: id=b, component=0, score=3.0",
    ),
    "a component left out": (
        pd.DataFrame({"id": ["a", "a"], "component": [0, 2], "score": [1.0, 2.0]}),
        "1 of 2 rows come after a component without a score: each needs one, from 0 on; the first: id=a, component=2",
    ),
    "a span twice": ({"a": [(0, 1, 1.0), (0, 1, 2.0)]}, "1 of 2 rows score the same span of a document again"),
    "an empty span": ({"a": [(3, 3, 1.0)]}, "1 of 1 rows are about spans that hold no character"),
    "both kinds": ({"a": [(0, 1, 1.0)], "b": [2.0]}, "2.0 of document 'b' is no (start, end, score), and others are"),
    "one number": ({"a": 1.0}, "the scores of document 'a' are a float, and no list"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_table_of_scores_is_refused(kind):
    scores, message = WRONG[kind]
    with pytest.raises(UserError, match=re.escape(message)):
        given_table(scores, "theirs")


def test_documents_without_scores_are_counted():
    scores = table({"a": [1.0], "c": [], "z": [1.0], "y": [2.0]})
    assert scores.check(["a", "c"], ["one", ""]) == 2
    assert scores.check(["a", "b"], ["one", "  "]) == 3  # without a text there is nothing to score
    with pytest.raises(
        UserError, match=r"^ranking 'theirs': no scores for 2 of 4 documents, the first 'b'; add.*'y', which is"
    ):
        scores.check(["a", "b", "c", "d"], ["one", "two", "three", "four"])


def test_other_components_than_the_documents_are_refused():
    message = "ranking 'theirs': document 'd0' has 2 components and 1 scores"
    with pytest.raises(UserError, match=message):
        laid({"d1": [1.0, 2.0, 3.0], "d0": [1.0]})
    with pytest.raises(UserError, match="the tokenizer does not tell where tokens lie"):
        laid({"d1": [(0, 1, 1.0)]}, Located(["d1", "d0"], np.array([3, 2])))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "no such file"),
        ("cut.parquet", b"PAR1", "damaged"),
        ("cut.jsonl", b'\n{"id": "a", ', "line 2 is no JSON"),
        ("lists.jsonl", b'["a", 0, 1.0]\n', "line 1 is a list, and no object"),
        ("empty.jsonl", b"\n", "is empty"),
        ("cut.csv", b"id,component,score\na,0\n", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}.*{message}"):
        read_table(tmp_path / name, "theirs")


def test_padding_has_no_score():
    scores = table({"d1": [1.0, 2.0, 3.0], "d0": [7.0, 9.0]}).ranking(LOCATED).score(READING)
    assert torch.equal(scores[1], torch.tensor([7.0, 9.0, 0.0], dtype=torch.float64))
