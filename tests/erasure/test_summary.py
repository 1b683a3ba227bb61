"""Aggregates from made-up tables, where each number can be worked out by hand."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from eraserhead.data.seen import TRAIN, UNSEEN
from eraserhead.erasure.aggregates import (
    accuracies,
    pair_estimates,
    pairs,
    ranking_estimates,
    ranking_summary,
    single_estimates,
    single_summary,
)
from eraserhead.erasure.fewest import fewest_removals
from eraserhead.erasure.flip_values import COLUMNS, flips_by_ranking, own_decisions
from eraserhead.erasure.permuted import shuffled_estimates, shuffled_weights
from eraserhead.erasure.schemas import RATIONALE_COLUMNS
from eraserhead.method.names import Outcome

ABSENT = np.nan


def flips(count_never_as="beyond_all", **rankings):
    """Rows of `flips.parquet`: for each ranking the removals of documents of five components, a list for draws."""
    rows = []
    for ranking, documents in rankings.items():
        for number, removed in enumerate(documents):
            for draw, count in enumerate(np.atleast_1d(removed)):
                outcome = "never" if np.isnan(count) else "flip"
                numbered = draw if np.ndim(removed) else ABSENT
                people = [ABSENT] * len(RATIONALE_COLUMNS)
                rows.append((f"d{number}", ranking, numbered, 5, count, count / 10, outcome, ABSENT, *people))
    return flips_by_ranking([pa.Table.from_pandas(pd.DataFrame(rows, columns=COLUMNS))], count_never_as)


def summary_of(name, flips, yardstick=None):
    return ranking_summary(name, flips, dict(ranking_estimates(name, flips, yardstick)))


def pair_of_attention(rankings):
    found = pairs(rankings, dict(pair_estimates(rankings)))
    pair = next(pair for pair in found if pair.first == "attention")
    reverse = next(other for other in found if (other.first, other.second) == (pair.second, pair.first))
    assert (reverse.fewer, reverse.equal, reverse.more) == (pair.more, pair.equal, pair.fewer)
    return [share.value for share in (pair.fewer, pair.equal, pair.more)]


def test_a_ranking_that_never_flips_is_not_optimal_and_has_no_excess():
    """Minimum 1, 1, 2, 1 and never; attention 1, never, 4, never and never: optimal on 1 of 4, excess (0 + 2) / 2."""
    rankings = flips(attention=[1, ABSENT, 4, ABSENT, ABSENT], minimum=[1, 1, 2, 1, ABSENT])
    summary = summary_of("attention", rankings["attention"], rankings["minimum"])
    assert (summary.optimal.value, summary.optimal.count) == (0.25, 4)
    assert (summary.excess.value, summary.excess.count) == (1.0, 2)


def test_one_draw_that_never_flips_is_half_of_its_document_and_counts_as_everything_in_the_mean():
    """Fractions (.2, .4), (.6, never), of which each is a quarter: quartiles .2, .4 and .6, and never beyond .75.

    The mean is that of .3 and (.6 + 1) / 2, of removals that of 1.5 and (3 + 5) / 2, of flips alone of .3 and .6.
    """
    rankings = flips(random=[[1, 2], [3, ABSENT]])
    summary = summary_of("random", rankings["random"])
    quartiles = (summary.fraction.q25, summary.fraction.median, summary.fraction.q75)
    assert [quartile.value for quartile in quartiles] == pytest.approx([0.2, 0.4, 0.6])
    assert summary.fraction.mean.value == pytest.approx(0.55)
    assert summary.removed.mean.value == pytest.approx(2.75)
    assert summary.mass.mean.value == pytest.approx((0.15 + 0.65) / 2)
    assert summary.fraction.mean_of_flips.value == pytest.approx(0.45)
    assert summary.share(Outcome.NEVER).value == 0.25
    assert summary.spread.value == pytest.approx(np.std([0.2, 0.4], ddof=1))


def test_a_set_is_beyond_the_rankings_where_it_is_smaller_than_the_best_draw_of_each():
    """Best rankings 2, 2, 4, 2, never, sets of 2, 1, 3, 2, never: smaller for the second and the third of five."""
    rankings = {
        "random": [[4, 2], [3, 5], [4, ABSENT], [5, 2], [ABSENT, ABSENT]],
        "attention": [3, 2, ABSENT, 2, ABSENT],
    }
    with_best = dict(pair_estimates(flips(**rankings, best_found=[2, 1, 3, 2, ABSENT])))
    beyond = with_best["beyond_rankings",]
    assert (beyond.value, beyond.count) == (0.4, 5)
    with_minimum = dict(pair_estimates(flips(**rankings, minimum=[2, 1, 3, 2, ABSENT])))
    assert ("beyond_rankings",) not in with_minimum


def test_pairs_average_the_comparison_over_draws():
    """Attention 2 against draws (1, 2, 3, never) and never against (1, never, 1, never)."""
    rankings = flips(attention=[2, ABSENT], random=[[1, 2, 3, ABSENT], [1, ABSENT, 1, ABSENT]])
    assert pair_of_attention(rankings) == [0.25, 0.375, 0.375]


def test_untied_shares_are_of_the_documents_on_which_two_rankings_differ():
    """Attention fewer on two of three documents and as many on two more, one of which never flips."""
    rankings = flips(attention=[1, 2, 4, 3, ABSENT], gradient=[2, ABSENT, 3, 3, ABSENT])
    found = pairs(rankings, dict(pair_estimates(rankings)))
    untied = {pair.first: pair.fewer_untied for pair in found}
    assert (untied["attention"].value, untied["attention"].count) == (pytest.approx(2 / 3), 3)
    assert (untied["gradient"].value, untied["gradient"].count) == (pytest.approx(1 / 3), 3)
    assert untied["gradient"].high == pytest.approx(1 - untied["attention"].low)


def test_draws_that_tie_leave_the_untied_share_to_the_others():
    """Attention 2: of draws 1, 2, 3, 4 two of three that differ are more; of 2, 2, 2, 2 none does."""
    rankings = flips(attention=[2, 2], random=[[1, 2, 3, 4], [2, 2, 2, 2]])
    (pair,) = (pair for pair in pairs(rankings, dict(pair_estimates(rankings))) if pair.first == "attention")
    assert (pair.fewer_untied.value, pair.fewer_untied.count) == (pytest.approx(2 / 3), 1)
    assert pair.equal.value == pytest.approx((0.25 + 1) / 2)


def test_never_counted_as_all_is_a_number_like_any_other():
    """Attention 1, never, 5, never is counted as 1, 5, 5, 5; the minimum 1, 2, 4, never as 1, 2, 4, 5.

    Fractions (.2, 1, 1, 1), masses (.1, 1, .5, 1); excess (0, 3, 1, 0), so optimal on the first and the last.
    """
    rankings = flips("all", attention=[1, ABSENT, 5, ABSENT], minimum=[1, 2, 4, ABSENT])
    summary = summary_of("attention", rankings["attention"], rankings["minimum"])
    for name in ("fraction", "removed", "mass"):
        assert getattr(summary, name).mean_of_flips == getattr(summary, name).mean
    means = {name: getattr(summary, name).mean for name in ("fraction", "removed", "mass")} | {
        name: getattr(summary, name) for name in ("excess", "optimal")
    }
    expected = {"fraction": 0.8, "removed": 4.0, "mass": 0.65, "excess": 1.0, "optimal": 0.5}
    assert {name: mean.value for name, mean in means.items()} == pytest.approx(expected)
    assert {mean.count for mean in means.values()} == {4}
    assert [getattr(summary.fraction, name).value for name in ("q25", "median", "q75")] == [0.2, 1.0, 1.0]
    assert [getattr(summary.mass, name).value for name in ("q25", "median", "q75")] == [0.1, 0.5, 1.0]
    assert summary.share(Outcome.NEVER).value == 0.5


def test_draws_that_never_flip_counted_as_all_enter_the_average():
    """Fractions (.2, .4), (.6, 1) with means .3 and .8, and spreads .2 / sqrt 2 and .4 / sqrt 2."""
    summary = summary_of("random", flips("all", random=[[1, 2], [3, ABSENT]])["random"])
    assert [getattr(summary.fraction, name).value for name in ("median", "q75")] == pytest.approx([0.4, 0.6])
    assert summary.fraction.mean.value == pytest.approx(0.55)
    assert summary.spread.value == pytest.approx(0.3 / np.sqrt(2))


def test_permuted_weights_are_compared_draw_by_draw_with_their_own_random_orders():
    """Attention 2 and never against draws (1, 3) and (4, 5): advantages 0 and -1.

    Permuted (1, 3) against (2, never), and (never, 4) against (5, never): 1, and (-1 + 1) / 2. Differences -1 and -1.
    """
    rankings = flips(
        attention=[2, ABSENT],
        random=[[1, 3], [4, 5]],
        shuffled=[[1, 3], [ABSENT, 4]],
        shuffled_random=[[2, ABSENT], [5, ABSENT]],
    )
    found = shuffled_weights(rankings, dict(shuffled_estimates(rankings)))
    assert found.count == 2
    values = {name: getattr(found, name).value for name in ("fewer", "equal", "more", "own_advantage", "advantage")}
    assert values == {"fewer": 0.75, "equal": 0.0, "more": 0.25, "own_advantage": -0.5, "advantage": 0.5}
    assert (found.difference.value, found.difference.count) == (-1.0, 2)
    assert list(own_decisions(rankings)) == ["attention", "random"]
    assert shuffled_weights(own_decisions(rankings), {}) is None
    assert list(shuffled_estimates(own_decisions(rankings))) == []


def test_the_largest_class_is_that_of_the_documents_and_each_labels_more_frequent_state():
    """Classes 0, 0, 1, unknown and 0, decided 0, 1, 1, 1 and 0. Then labels on in 2, 1 and 0 of 3 documents."""
    rows = {"id": list("abcde"), "label": [0, 0, 1, None, 0], "prediction": [0, 1, 1, 1, 0]}
    rows["training_role"] = [None] * 5
    means = dict(accuracies(pd.DataFrame(rows)))
    assert [(means["accuracy", which].value, means["accuracy", which].count) for which in ("all", "largest_class")] == [
        (0.75, 4),
        (0.75, 4),
    ]
    unlabelled = pd.DataFrame({**rows, "label": [None] * 5})
    assert ("accuracy", "largest_class") not in dict(accuracies(unlabelled))
    documents = pd.DataFrame({"id": list("abcd"), "labels": [np.array([0, 1]), np.array([0]), np.array([]), None]})
    documents["predictions"], documents["training_role"] = [np.array([])] * 4, None
    means = dict(accuracies(documents, ("a", "b", "c")))
    right = ([1, 0, 1], [1, 1, 1], [0, 1, 1])  # a is on, b and c are off
    assert means["accuracy", "largest_class"].value == pytest.approx(np.mean(right))


@pytest.mark.parametrize(
    ("count_never_as", "shares"), [("beyond_all", [0.5, 0.25, 0.25]), ("all", [0.25, 0.75, 0.0])], ids=str
)
def test_a_never_counted_as_all_ties_with_a_flip_at_the_last_component(count_never_as, shares):
    """Attention 2, 5, never, never against gradient never, never, 5, never: shares fewer, equal and more."""
    rankings = flips(count_never_as, attention=[2, 5, ABSENT, ABSENT], gradient=[ABSENT, ABSENT, 5, ABSENT])
    assert pair_of_attention(rankings) == shares


def test_the_exact_table_holds_where_the_other_may_be_the_top():
    """Two documents, others drawn by position.

    Of three components the second is on top and alone flips, so that the other (second or third) flips half of the
    time: both 1/2, top alone 1/2. Of two the first is on top and does not flip, the second does: the other alone, 1.
    """
    names = ("random_flips", "expected_delta_js", "share_negative", "share_zero", "delta_js", "delta_attention")
    known = {"id": ["a", "b"], "top_flips": [True, False], "share_random_flips": [0.5, 1.0]}
    means = dict(single_estimates("attention", pd.DataFrame({**known, **dict.fromkeys(names, 0.0)})))
    exact = {cell: share.value for cell, share in vars(single_summary("attention", means).exact).items()}
    assert exact == {"both_flip": 0.25, "top_alone_flips": 0.25, "other_alone_flips": 0.5, "none_flips": 0.0}


def test_accuracy_is_over_labelled_documents_and_apart_over_those_not_seen_in_training():
    """Right, wrong, unknown, right; the first was trained on."""
    documents = pd.DataFrame(
        {
            "id": list("abcd"),
            "label": [1, 0, ABSENT, 0],
            "prediction": [1, 1, 1, 0],
            "training_role": [TRAIN, UNSEEN, UNSEEN, UNSEEN],
        }
    )
    means = dict(accuracies(documents))
    assert (means["accuracy", "all"].value, means["accuracy", "all"].count) == (pytest.approx(2 / 3), 3)
    assert (means["accuracy", UNSEEN].value, means["accuracy", UNSEEN].count) == (0.5, 2)


def test_the_ranking_with_the_fewest_removals_and_those_that_cannot_be_told_from_it():
    """Attention removes 1 of 5 on twelve documents; gradient 2 on all of them, product 2 on one and 1 on the others."""
    rankings = flips(attention=[1] * 12, gradient=[2] * 12, product=[2, *[1] * 11], random=[[3, 4]] * 12)
    found = fewest_removals(rankings)
    assert found.ranking == "attention"
    gradient, product = found.rivals
    assert (gradient.ranking, gradient.advantage.value) == ("gradient", 1)
    assert (product.ranking, product.advantage.value) == ("product", pytest.approx(1 / 12))
    assert gradient.p_value < 0.01
    assert product.p_value == 1
    assert fewest_removals(flips(attention=[1], random=[[3, 4]])) is None
