"""Orders of documents against their annotators, against one document at a time; and the whole way through `erase`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

import eraserhead
from eraserhead.erasure.plausibility import Marks, annotator_ceiling, order_agreement
from tiny import tiny_classifier, tiny_tokenizer

LENGTHS = np.array([7, 0, 5, 11, 3])
SPANS = [[(0, 3), (9, 10)], [(2, 5)], [], [(8, 30)]]  # one span covers two characters of a component


def components():
    """Components of three characters, one after the other; the first of each document stands for [CLS]."""
    starts = np.concatenate([3 * np.arange(length) for length in LENGTHS])
    ends = starts + 3
    firsts = (LENGTHS.cumsum() - LENGTHS)[LENGTHS > 0]
    starts[firsts] = ends[firsts] = 0
    return starts, ends


def written(spans):
    return [{"start": start, "end": end} for start, end in spans]


@pytest.fixture
def rationales():
    return [[written(SPANS[0]), written(SPANS[1])], [written(SPANS[0])], None, [written(own) for own in SPANS], [[]]]


def by_document(rationales, orders):
    """Yield for each document its orders among the components with text, and the marks of its annotators."""
    starts, ends = components()
    for row, (first, length) in enumerate(zip(LENGTHS.cumsum() - LENGTHS, LENGTHS, strict=True)):
        place = slice(first, first + length)
        shown = np.flatnonzero(ends[place] > starts[place])
        marks = [
            [any(starts[place][at] < s["end"] and ends[place][at] > s["start"] for s in own) for at in shown]
            for own in rationales[row] or ()
        ]
        ranks = [np.argsort(order[place])[shown] for order in orders] if length else []
        yield row, ranks, np.array(marks, dtype=bool)


def test_orders_and_ceiling_are_those_of_one_document_at_a_time(rationales):
    rng = np.random.default_rng(1)
    orders = np.stack([np.concatenate([rng.permutation(length) for length in LENGTHS]) for _ in range(3)])
    starts, ends = components()
    marks = Marks.of(rationales, starts, ends, LENGTHS)
    found = order_agreement(marks, orders, LENGTHS, ends > starts)
    reached = annotator_ceiling(marks, LENGTHS, ends > starts)
    seen = 0
    for row, ranks, own in by_document(rationales, orders):
        usable = [marked for marked in own if 0 < marked.sum() < len(marked)]
        for ranking, rank in enumerate(ranks):
            values = [found[name][ranking, row] for name in ("average_precision", "auc", "f1")]
            if not usable:
                assert np.isnan(values).all()
                continue
            size = round(own.sum(1).mean())
            chosen = rank.argsort().argsort() < size
            expected = [
                [average_precision_score(marked, -rank), roc_auc_score(marked, -rank), f1_score(marked, chosen)]
                for marked in usable
            ]
            assert_allclose(values, np.mean(expected, axis=0), rtol=1e-12)
            seen += 1
        pairs = [(a, b) for a in range(len(own)) for b in range(len(own)) if a != b and 0 < own[b].sum() < len(own[b])]
        expected = np.mean([roc_auc_score(own[b], own[a]) for a, b in pairs]) if pairs else np.nan
        assert_allclose(reached["auc"][row], expected, rtol=1e-12)
    assert seen == 6


def test_rows_with_rationales_are_compared_with_people(tmp_path):
    """Two annotators mark the same word of the first text, one nothing of the second; the third has no annotator."""
    model, tokenizer = tiny_classifier(tmp_path), tiny_tokenizer()
    rows = [
        {"text": "good bad fine cast", "marks": [[[5, 8]], [[5, 8]]]},
        {"text": "never bad", "marks": [[]]},
        {"text": "a fine cast", "marks": None},
    ]
    found = eraserhead.erase(model, rows, tokenizer=tokenizer, rationale_column="marks", draws=2)
    people = found.summary.people
    assert people is not None
    assert (people.documents, people.annotators) == (2, 1.5)
    assert people.ceiling is not None
    assert [people.ceiling.auc.value, people.ceiling.f1.value, people.ceiling.auc.count] == [1, 1, 1]
    attention = found.signals.query("ranking == 'attention' and id == 'texts/0'").scores.iloc[0]
    document = found.documents.iloc[0]
    shown = document.ends > document.starts
    marked = (document.starts < 8) & (document.ends > 5)
    assert marked.sum() == 1
    expected = average_precision_score(marked[shown], attention[shown])
    assert people.rankings["attention"].average_precision.value == pytest.approx(expected)
    assert list(found.documents.annotators.fillna(-1)) == [2, 1, -1]


def test_without_rationales_nothing_is_said_of_people(tmp_path):
    model, tokenizer = tiny_classifier(tmp_path), tiny_tokenizer()
    found = eraserhead.erase(model, ["good bad fine cast", "never bad"], tokenizer=tokenizer, draws=1)
    assert found.summary.people is None
    assert found.flips.rationale_auc.isna().all()
