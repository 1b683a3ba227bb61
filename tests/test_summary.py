"""Aggregates from made-up tables, where each number can be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from eraserhead.runs.summary import _accuracy, _by_ranking, _pairs, _ranking

ABSENT = np.nan


def flips(**rankings):
    """Rows of `flips.parquet`: for each ranking the removals of documents of five components, a list for draws."""
    rows = []
    for ranking, documents in rankings.items():
        for number, removed in enumerate(documents):
            for draw in np.atleast_1d(removed):
                outcome = "never" if np.isnan(draw) else "flip"
                rows.append((f"d{number}", ranking, 5, draw, draw / 5, draw / 10, outcome, ABSENT))
    columns = ["id", "ranking", "n", "removed", "fraction", "mass", "outcome", "evidence_auc"]
    return _by_ranking(pd.DataFrame(rows, columns=columns))


def test_a_ranking_that_never_flips_is_not_optimal_and_has_no_excess():
    """Minimum 1, 1, 2, 1 and never; attention 1, never, 4, never and never: optimal on 1 of 4, excess (0 + 2) / 2."""
    rankings = flips(attention=[1, ABSENT, 4, ABSENT, ABSENT], minimum=[1, 1, 2, 1, ABSENT])
    summary = _ranking("attention", rankings["attention"], rankings["minimum"], 0)
    assert (summary["optimal"]["value"], summary["optimal"]["count"]) == (0.25, 4)
    assert (summary["excess"]["value"], summary["excess"]["count"]) == (1.0, 2)


def test_one_draw_that_never_flips_makes_a_quantile_infinite_and_leaves_the_mean():
    """Fractions (.2, .4), (.6, never): medians .3 and > all; the mean is (.3 + .6) / 2."""
    rankings = flips(random=[[1, 2], [3, ABSENT]])
    summary = _ranking("random", rankings["random"], None, 0)
    assert summary["fraction"]["median"]["value"] == pytest.approx(0.3)
    assert summary["fraction"]["q75"]["value"] is None
    assert summary["fraction"]["mean"]["value"] == pytest.approx(0.45)
    assert summary["outcomes"]["never"]["value"] == 0.25
    assert summary["spread"]["value"] == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_pairs_average_the_comparison_over_draws():
    """Attention 2 against draws (1, 2, 3, never) and never against (1, never, 1, never)."""
    rankings = flips(attention=[2, ABSENT], random=[[1, 2, 3, ABSENT], [1, ABSENT, 1, ABSENT]])
    pair = next(pair for pair in _pairs(rankings, 0) if pair["first"] == "attention")
    assert [pair[name]["value"] for name in ("fewer", "equal", "more")] == [0.25, 0.375, 0.375]


def test_accuracy_is_over_labelled_documents_of_two_components_or_more():
    documents = pd.DataFrame({"n": [0, 1, 2, 3, 4], "label": [0, 0, 1, 0, ABSENT], "prediction": [0, 0, 1, 1, 1]})
    accuracy = _accuracy(documents, 0)
    assert (accuracy["value"], accuracy["count"]) == (0.5, 2)
