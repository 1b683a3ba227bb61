"""Findings from made-up tables in which each holds, is contrary, and is undecided; boxes and pairs by hand."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from eraserhead.erasure.plotted import read_points
from eraserhead.erasure.verdict import VerdictKind
from eraserhead.method.statistics import Estimate
from eraserhead.study.cell_tables import common_rows, read_boxes, read_fractions
from eraserhead.study.cells import Cell, PaperModel, ends, read_cells
from eraserhead.study.comparisons import Comparison, Finding, Support, bound
from eraserhead.study.findings import findings
from references import weighted_quantile
from studies import NEVER, Document, Single, made_up, random_documents

pytestmark = pytest.mark.slow

DOCUMENTS = 40
HOLDS, CONTRARY, UNDECIDED, MIXED = Support.HOLDS, Support.CONTRARY, Support.UNDECIDED, Support.MIXED


def alternating(first: Document, second: Document, count: int = DOCUMENTS) -> dict[str, Document]:
    """Documents of two kinds in turns, whose divergences differ a little."""
    documents = [(first, second)[number % 2] for number in range(count)]
    return {f"d{number}": varied(document, 1 + number / 1000) for number, document in enumerate(documents)}


def varied(document: Document, factor: float) -> Document:
    moved = factor * document.single.expected_delta_js
    return replace(document, single=replace(document.single, expected_delta_js=moved))


def removals(**removed) -> Document:
    return Document(removed)


def singles(**values) -> Document:
    return Document(single=Single(**values))


# For each claim about a cell: a document that speaks for it, and one that speaks against it.
WITHIN = {
    "attention-random": (removals(attention=1, random=[5, NEVER, 4]), removals(attention=5, random=[1, 2, 3])),
    "gradient-attention": (removals(gradient=2, attention=NEVER), removals(gradient=NEVER, attention=2)),
    "product-attention": (removals(product=1, attention=2), removals(product=4, attention=2)),
    "attention-shuffled": (
        removals(attention=1, random=[5, 5, 5], shuffled=[2, 3], shuffled_random=[2, 3]),
        removals(attention=5, random=[5, 5, 5], shuffled=[1, 2], shuffled_random=[2, NEVER]),
    ),
    "top-moves": (singles(expected_delta_js=0.2), singles(expected_delta_js=-0.2)),
    "top-flips": (singles(top_flips=True), singles(share_random_flips=0.9)),
    "large-share": (removals(attention=NEVER), removals(attention=2)),
    "few-suffice": (removals(minimum=2), removals(minimum=3)),
}


def found(folder, documents: dict[str, dict[str, Document]]) -> dict[str, Finding]:
    cells = [made_up(folder, "imdb", model, rows) for model, rows in documents.items()]
    return {finding.key: finding for finding in findings(read_cells(cells))}


@pytest.mark.parametrize("key", WITHIN)
def test_a_claim_about_cells_holds_or_is_contrary_or_undecided(key, tmp_path):
    """All documents speak for it, all against it, or each half for one side."""
    speaks_for, against = WITHIN[key]
    studies = {
        HOLDS: alternating(speaks_for, speaks_for),
        CONTRARY: alternating(against, against),
        UNDECIDED: alternating(speaks_for, against),
    }
    for verdict, documents in studies.items():
        finding = found(tmp_path / verdict, {"flan-none": documents})[key]
        assert [comparison.where for comparison in finding.comparisons] == ["imdb-flan-none"]
        assert finding.support == finding.comparisons[0].support == verdict


@pytest.mark.parametrize("key", WITHIN)
def test_nine_documents_have_no_part_in_a_finding(key, tmp_path):
    speaks_for = WITHIN[key][0]
    assert found(tmp_path, {"flan-none": alternating(speaks_for, speaks_for, count=9)})[key].comparisons == ()
    assert found(tmp_path / "ten", {"flan-none": alternating(speaks_for, speaks_for, 10)})[key].support == HOLDS


def test_five_documents_that_differ_decide_nothing(tmp_path):
    """Of 10: attention needs fewer removals than gradient on 5, or on 6, and as many on the others."""
    for differing, support in ((5, UNDECIDED), (6, HOLDS)):
        documents = {f"d{n}": removals(gradient=1 if n < differing else 3) for n in range(10)}
        finding = found(tmp_path / str(differing), {"flan-none": documents})["gradient-attention"]
        assert finding.comparisons[0].larger.low > 0
        assert finding.support == support


def test_a_cell_at_chance_level_has_no_part_in_findings(tmp_path):
    """Half of the documents are of each class, and class 0 is always decided for; then the decisions are right."""
    documents = alternating(*[WITHIN["gradient-attention"][0]] * 2)
    for right, count in ((False, 0), (True, 1)):
        cell = made_up(tmp_path / str(right), "imdb", "flan-none", documents, right=right)
        (read,) = read_cells([cell])
        by_key = {finding.key: finding for finding in findings([read])}
        assert len(by_key["gradient-attention"].comparisons) == count
        assert read.silent == (None if right else VerdictKind.CHANCE_LEVEL)
        assert read.summary.largest_class.value == 0.5
        assert read.summary.accuracy.value == (1.0 if right else 0.5)


@pytest.mark.parametrize(
    ("close", "far", "verdict"), [((0.01, 0.03), (0.2, 0.6), HOLDS), ((0.2, 0.6), (0.01, 0.03), CONTRARY)]
)
def test_weights_are_closer_where_another_component_matters_more(close, far, verdict, tmp_path):
    """`close` are the differences of the weights where dJS < 0; -1e-8 is not below 0."""
    rows = [singles(delta_attention=value, delta_js=-0.1) for value in close * 10]
    rows += [singles(delta_attention=value, delta_js=js) for value in far * 10 for js in (0.1, -1e-8)]
    finding = found(tmp_path, {"flan-none": {f"d{i}": row for i, row in enumerate(rows)}})["negative-close"]
    (comparison,) = finding.comparisons
    assert finding.support == verdict
    assert (comparison.larger.value, comparison.smaller.value) == pytest.approx((np.mean(far), np.mean(close)))
    assert (comparison.larger.count, comparison.smaller.count, comparison.deciding) == (40, 20, 20)


def test_weights_that_differ_alike_are_undecided(tmp_path):
    rows = [singles(delta_attention=a, delta_js=js) for a in (0.1, 0.5) for js in (0.1, -0.1)] * 10
    finding = found(tmp_path, {"flan-none": {f"d{i}": row for i, row in enumerate(rows)}})["negative-close"]
    assert finding.support == UNDECIDED


def test_without_negative_differences_the_weights_are_not_compared(tmp_path):
    assert found(tmp_path, {"flan-none": alternating(Document(), Document())})["negative-close"].comparisons == ()


FEWER = {"gradient": removals(gradient=1, attention=2), "product": removals(product=1, attention=2)}
MORE = removals(gradient=3, product=3, attention=2)


@pytest.mark.parametrize("ranking", FEWER)
def test_flat_models_are_compared_with_hierarchical_ones_of_the_same_context(ranking, tmp_path):
    fewer, more = alternating(FEWER[ranking], FEWER[ranking]), alternating(MORE, MORE)
    half = alternating(FEWER[ranking], MORE)
    other_half = alternating(MORE, FEWER[ranking])
    studies = {HOLDS: (fewer, more), CONTRARY: (half, fewer), UNDECIDED: (half, other_half)}
    for verdict, (flat, hierarchical) in studies.items():
        for context in ("conv", "rnn", "transformer"):
            models = {f"flan-{context}": flat, f"han-{context}": hierarchical}
            finding = found(tmp_path / verdict / context, models)[f"{ranking}-flat"]
            assert [comparison.where for comparison in finding.comparisons] == [
                f"imdb: flan-{context} and han-{context}"
            ]
            assert finding.support == verdict
    # Among 20 documents that are no ties 15 and 5: .75 - 1 of 8, though 15 of 40 are more than 8 of 40. 8 are too few.
    ties = Document()
    flat = {f"d{n}": FEWER[ranking] if n < 15 else MORE if n < 20 else ties for n in range(40)}
    hierarchical = {f"d{n}": FEWER[ranking] if n < 8 else ties for n in range(40)}
    (comparison,) = found(tmp_path / "ties", {"flan-rnn": flat, "han-rnn": hierarchical})[f"{ranking}-flat"].comparisons
    assert comparison.larger.value == pytest.approx(15 / 20 - 1)
    assert (comparison.deciding, comparison.support) == (8, UNDECIDED)
    models = {"flan-none": fewer, "han-none": more, "flan-rnn": fewer, "han-conv": more}
    assert found(tmp_path / "none", models)[f"{ranking}-flat"].comparisons == ()


def test_later_flips_are_counted_on_common_documents_with_never_as_the_latest(tmp_path):
    """Common are d2..d39. Earlier on d2 (never, then 2), a tie on d3 (2 of 23 twice), later on the other 36."""
    narrow = {f"d{number}": removals(attention=2) for number in range(40)} | {"d2": removals(attention=NEVER)}
    wide = {f"d{number}": removals(attention=NEVER) for number in range(2, 45)}
    wide |= {"d2": removals(attention=2), "d3": removals(attention=2)}
    (comparison,) = found(tmp_path, {"han-none": narrow, "han-conv": wide})["context-later"].comparisons
    assert comparison.where == "imdb: han-none to han-conv"
    assert comparison.larger.value == pytest.approx((36 - 1) / 38)
    assert (comparison.larger.count, comparison.deciding, comparison.support) == (38, 37, HOLDS)


def test_contexts_are_compared_with_the_next_that_there_is(tmp_path):
    early, late = alternating(removals(attention=1), removals(attention=2)), alternating(Document(), Document())
    finding = found(tmp_path, {"flan-transformer": late, "flan-none": early, "flan-rnn": late, "other": late})[
        "context-later"
    ]
    verdicts = {comparison.where: comparison.support for comparison in finding.comparisons}
    assert verdicts == {"imdb: flan-none to flan-rnn": HOLDS, "imdb: flan-rnn to flan-transformer": UNDECIDED}
    assert finding.support == UNDECIDED  # one of two is not more than half
    backwards = found(tmp_path / "b", {"flan-none": late, "flan-rnn": early})["context-later"]
    assert backwards.support == CONTRARY


def claim(*verdicts) -> Finding:
    one, two = Estimate(1.0, 0.9, 1.1, 50), Estimate(2.0, 1.9, 2.1, 50)
    pairs = {HOLDS: (two, one), CONTRARY: (one, two), UNDECIDED: (one, one)}
    return Finding("key", "claim", "measure", tuple(Comparison("cell", *pairs[verdict], 50) for verdict in verdicts))


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ((HOLDS, HOLDS, UNDECIDED), HOLDS),
        ((HOLDS, UNDECIDED), UNDECIDED),
        ((CONTRARY, CONTRARY, UNDECIDED), CONTRARY),
        ((CONTRARY, UNDECIDED), UNDECIDED),
        ((HOLDS, HOLDS, HOLDS, CONTRARY), MIXED),
        ((), UNDECIDED),
    ],
)
def test_the_overall_verdict_follows_the_stated_rule(verdicts, overall):
    assert claim(*verdicts).support == overall


def test_intervals_that_touch_decide_nothing_and_a_missing_quantile_is_larger_than_everything():
    touching = Comparison("cell", Estimate(2.0, 1.0, 3.0, 50), Estimate(0.5, 0.0, 1.0, 50), 50)
    assert touching.support == UNDECIDED
    assert Comparison("cell", Estimate(None, 0.6, None, 50), bound(0.5), 50).support == HOLDS
    assert Comparison("cell", bound(0.5), Estimate(None, None, None, 50), 50).support == CONTRARY
    assert Comparison("cell", *[Estimate(None, None, None, 50)] * 2, 50).support == UNDECIDED


def test_numbers_without_an_interval_decide_nothing():
    alone = Estimate(0.9, None, None, 50)
    assert Comparison("cell", alone, bound(0.5), 50).support == UNDECIDED
    assert Comparison("cell", bound(0.5), alone, 50).support == UNDECIDED
    assert ends(alone) == (0.9, None, None)
    assert ends(Estimate(None, 0.5, None, 50)) == (inf, 0.5, inf)


@pytest.mark.parametrize("never", ["beyond_all", "all"])
@pytest.mark.parametrize("quantity", ["fraction", "mass"])
def test_boxes_follow_both_conventions(quantity, never, tmp_path):
    documents = random_documents(67, seed=3)
    (cell,) = read_cells([made_up(tmp_path, "imdb", "flan-rnn", documents, never)])
    analysed = [document for document in documents.values() if document.n > 1]
    latest = np.inf if never == "beyond_all" else 1.0
    boxes = {(box.ranking, box.convention): box for box in read_boxes(cell, quantity)}
    assert len(boxes) == 10
    for ranking in ("random", "attention", "gradient", "product", "minimum"):
        values = []
        for document in analysed:
            draws = document.removed[ranking]
            draws = draws if isinstance(draws, list) else [draws]
            size = document.n if quantity == "fraction" else 1000
            values.append([np.nan if draw is None else draw / size for draw in draws])
        paper = [[draws[0]] for draws in values if not np.isnan(draws[0])]
        ours = [[latest if np.isnan(draw) else draw for draw in draws] for draws in values]
        for convention, expected in (("paper", paper), ("ours", ours)):
            box = boxes[ranking, convention]
            shares = (0.05, 0.25, 0.5, 0.75, 0.95)
            assert box.quantiles == pytest.approx([weighted_quantile(expected, share) for share in shares])
            assert box.documents == len(expected)
        assert boxes[ranking, "paper"].never == pytest.approx(1 - len(paper) / len(analysed))
        assert boxes[ranking, "ours"].never == pytest.approx(np.mean(np.isinf(ours)))


def test_points_leave_out_documents_of_one_component_and_differences_without_a_sign(tmp_path):
    documents = random_documents(67, seed=5)
    (cell,) = read_cells([made_up(tmp_path, "imdb", "flan-rnn", documents)])
    points = read_points(cell.tables)
    analysed = {name: document.single for name, document in documents.items() if document.n > 1}
    assert points.ids.to_pylist() == list(analysed)
    assert points.delta_js.tolist() == [single.delta_js for single in analysed.values()]
    assert points.negative.sum() == sum(single.delta_js < -1e-7 for single in analysed.values()) > 0
    assert points.zero.sum() == sum(abs(single.delta_js) < 1e-7 for single in analysed.values()) > 0


def test_fractions_are_infinite_where_nothing_flips(tmp_path):
    documents = {"a": removals(attention=NEVER, gradient=2), "b": Document(n=1), "c": removals(attention=23)}
    fractions = read_fractions(read_cells([made_up(tmp_path, "imdb", "flan-rnn", documents)])[0])
    assert fractions.ids.tolist() == ["a", "c"]
    assert fractions.removed["attention"].tolist() == [[np.inf], [1.0]]
    assert fractions.removed["gradient"][:, 0].tolist() == pytest.approx([2 / 23, 3 / 23])


def test_common_rows_pair_documents_by_id(tmp_path):
    orders = {"one": "badc", "two": "xcab"}
    one, two = (
        read_points(read_cells([made_up(tmp_path, "imdb", name, dict.fromkeys(order, Document()))])[0].tables).ids
        for name, order in orders.items()
    )
    first, second = common_rows(one, two)
    assert (first.tolist(), second.tolist()) == ([0, 1, 3], [3, 2, 1])


def test_cells_are_read_in_the_order_of_the_context_and_the_unfinished_left_out(tmp_path):
    documents = alternating(Document(), Document(), 7)
    cells = [made_up(tmp_path, "yelp", model, documents) for model in ("mine", "han-none", "flan-rnn", "flan-none")]
    cells.append(Cell("yelp", "han-conv", tmp_path / "nothing"))
    results = read_cells(cells)
    assert [found.cell.model for found in results] == ["flan-none", "flan-rnn", "han-none", "mine"]
    assert results[1].cell.paper_model == PaperModel("flan", "rnn")
    assert results[3].cell.paper_model is None
    assert (results[0].test_accuracy, results[0].test_documents) == (0.75, 41)
    fewer = results[0].summary.pair("gradient", "attention").fewer
    assert (fewer.value, fewer.low, fewer.count) == (0.0, 0.0, 7)
    assert results[0].ranking("no such") is None
