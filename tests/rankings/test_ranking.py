import re

import pytest
import torch

from eraserhead.errors import UserError
from eraserhead.rankings.ranking import Ranking
from heads import random_head
from readings import affine

READING = affine(random_head(0, [3, 2]))


def scored(*rows: list[float]) -> Ranking:
    return Ranking("mine", lambda reading: torch.tensor(rows, dtype=torch.float64))


def test_components_are_ordered_by_descending_score_and_results_keep_the_scores():
    mine = scored([0.5, -2.0, 0.5], [-1.0, 3.0, 9.0])
    assert mine.order(READING).tolist() == [[0, 2, 1], [1, 0, 2]]
    assert mine.values(READING).tolist() == [[0.5, -2.0, 0.5], [-1.0, 3.0, 9.0]]


def test_results_may_keep_something_else_than_what_orders():
    mine = Ranking("mine", scored([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).score, shown=lambda reading: reading.weights)
    assert mine.order(READING).tolist() == [[2, 1, 0], [1, 0, 2]]
    assert torch.equal(mine.values(READING), READING.weights)


@pytest.mark.parametrize(
    ("mine", "message"),
    [
        (
            Ranking("mine", lambda reading: reading.signals["norms"], frozenset({"norms", "entropy"})),
            "ranking 'mine': this site does not give the signals entropy, norms; it gives gradient, margin_gradient, "
            "margin_product, product",
        ),
        (
            scored([1.0, 2.0, 3.0]),
            "ranking 'mine': its scores have shape (1, 3); it must give one for each component, (2, 3)",
        ),
        (
            scored([1.0, 2.0, 3.0], [1.0, float("nan"), 3.0]),
            "ranking 'mine': a component's score is not a number (NaN)",
        ),
    ],
    ids=["missing signals", "wrong shape", "not a number"],
)
def test_what_gives_no_order_is_refused(mine, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        mine.order(READING)


def test_nothing_at_padding_is_refused():
    assert scored([1.0, 2.0, 3.0], [1.0, 2.0, float("nan")]).order(READING).tolist() == [[2, 1, 0], [1, 0, 2]]
