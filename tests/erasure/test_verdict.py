"""The verdict on attention: which it is follows from the numbers, and what it says is what was measured."""

from dataclasses import replace

import pytest

from eraserhead.erasure.verdict import FEWEST_DOCUMENTS, VerdictKind, caveats, verdict
from eraserhead.method.statistics import Estimate
from summaries import against_shuffled, estimate, full_ranking, full_summary, pair

NOTHING = estimate(None, count=0)
DIFFERENCES = {
    VerdictKind.MORE: estimate(0.2, 0.01, 0.4),
    VerdictKind.LESS: estimate(-0.2, -0.4, -0.01),
    VerdictKind.SAME: estimate(0.2, -0.01, 0.4),
}


def of_documents(count, **changes):
    summary = full_summary(**changes)
    return replace(summary, documents=replace(summary.documents, analysed=count))


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_the_difference_to_shuffled_weights_decides(kind):
    """Attention needs fewer removals than random on twice the documents, whatever the verdict is."""
    found = verdict(of_documents(10, shuffled=against_shuffled(DIFFERENCES[kind])))
    assert (found.kind, found.documents, found.given) == (kind, 10, True)
    assert found.difference == DIFFERENCES[kind]
    assert "fewer removals than in random orders on 60.0 % of documents" in found.sentence
    assert "with as many on 10.0 %, with more on 30.0 %" in found.sentence
    assert "weights shuffled, on 50.0, 10.0 and 40.0 %" in found.sentence
    assert "20.0 [" in found.sentence


def test_the_sentences_differ_and_none_says_what_the_decision_rests_on():
    sentences = {verdict(full_summary(shuffled=against_shuffled(each))).sentence for each in DIFFERENCES.values()}
    assert len(sentences) == 3
    assert not [sentence for sentence in sentences if "rests on" in sentence or "chance" in sentence]


def test_without_shuffled_weights_there_is_no_verdict_but_what_was_measured():
    found = verdict(full_summary(shuffled=None))
    assert (found.kind, found.difference, found.given) == (VerdictKind.NO_BASELINE, None, False)
    assert found.sentence.startswith("No verdict on attention: weights cannot be shuffled at this site")
    assert "on 60.0 % of documents" in found.sentence
    assert "shuffled, on" not in found.sentence


def test_fewer_than_ten_documents_give_no_verdict():
    few, enough = (verdict(of_documents(count)) for count in (FEWEST_DOCUMENTS - 1, FEWEST_DOCUMENTS))
    assert (few.kind, few.given) == (VerdictKind.TOO_FEW, False)
    assert few.sentence.startswith("No verdict on attention: 9 documents are too few, it takes 10.")
    assert enough.kind == VerdictKind.MORE
    single = verdict(of_documents(1)).sentence
    assert single.startswith("No verdict on attention: 1 document is too few, it takes 10.")


@pytest.mark.parametrize(
    ("accuracy", "largest", "kind"),
    [
        (estimate(0.6, 0.5, 0.7), estimate(0.5), VerdictKind.CHANCE_LEVEL),  # the interval touches it
        (estimate(0.6, 0.501, 0.7), estimate(0.5), VerdictKind.MORE),
        (estimate(0.4, 0.3, 0.5), estimate(0.9), VerdictKind.CHANCE_LEVEL),
        (NOTHING, None, VerdictKind.MORE),  # no labels: nobody knows
    ],
)
def test_a_model_no_better_than_its_largest_class_gets_no_verdict(accuracy, largest, kind):
    found = verdict(full_summary(accuracy=accuracy, largest_class=largest))
    assert found.kind == kind
    said = "is not above what its largest class alone gives" in found.sentence
    assert said == (kind == VerdictKind.CHANCE_LEVEL)


def test_documents_without_components_have_nothing_to_compare():
    found = verdict(of_documents(0, pairs=pair(NOTHING, NOTHING), shuffled=None))
    assert found.kind == VerdictKind.NOTHING
    assert "nothing to compare" in found.sentence


def test_how_often_attention_is_as_short_as_the_yardstick_is_said_where_there_is_one():
    assert "as short as the exact minimum on 25.0 %" in verdict(full_summary()).sentence
    without = {"attention": replace(full_ranking(), optimal=NOTHING)}
    assert "as short" not in verdict(full_summary(rankings=without)).sentence
    assert "an upper bound of the minimum" in verdict(full_summary(yardstick="best_found")).sentence


@pytest.mark.parametrize(("low", "said"), [(0.51, True), (0.5, False), (0.2, False), (None, False)])
def test_that_attention_does_not_matter_is_said_where_the_whole_interval_says_it_of_most_documents(low, said):
    """95 % of the documents never flip; along the minimum no set at all flips, along others no order that was tried."""
    never = Estimate(0.95, low, 0.99, 40)
    ranking = replace(full_ranking(), outcomes={**full_ranking().outcomes, "never": never})
    other = {"attention": full_ranking()}
    sentence = verdict(full_summary(rankings=other | {"minimum": ranking})).sentence
    assert ("no amount of attention erased at this site changes the decision" in sentence) == said
    assert ("On 95.0 [51.0, 99.0] % of documents, no amount" in sentence) == said
    for rankings, yardstick in (({"attention": ranking}, "minimum"), (other | {"best_found": ranking}, "best_found")):
        sentence = verdict(full_summary(rankings=rankings, yardstick=yardstick)).sentence
        assert ("erased at this site, in any order tried, changes the decision" in sentence) == said


def test_caveats_are_those_of_the_site():
    everywhere, affine = (" ".join(caveats(full_summary(yardstick=name))) for name in ("best_found", "minimum"))
    assert "weights, not on words" in everywhere
    assert "bias" not in everywhere
    assert "Smallest sets are not unique" in affine
    assert "by construction" not in affine  # there is no product
    both = full_summary(rankings={"attention": full_ranking(), "product": full_ranking()})
    assert "Product needs fewer removals than attention almost by construction" in " ".join(caveats(both))
