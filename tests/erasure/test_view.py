"""Tables are views: what they say follows from the summary, and never more than the intervals allow."""

import re
from dataclasses import replace

from rich.console import Console

from eraserhead.erasure.advantages import FewestRemovals, Rival
from eraserhead.erasure.answer import answer_view
from eraserhead.erasure.view import summary_view
from eraserhead.explanation.explained import Explanation, RankingExplained, Word
from eraserhead.explanation.view import explanation_view, shaded
from eraserhead.method.statistics import Estimate
from eraserhead.showing.shading import Shading
from eraserhead.showing.terminal import interval
from summaries import SETUP, SITE, estimate, full_ranking, full_summary


def written(renderable, width: int = 130) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderable)
    return console.export_text()


def test_every_number_of_the_summary_is_shown():
    text = " ".join(written(summary_view(full_summary())).split())
    for expected in (
        "runs/[red]x",
        "imdb, split test: 12 documents, 10 analysed",
        "1 without components, 1 with one component",
        "10 tokens (10.0 %) of 3 documents",
        "0.800 [0.700, 0.900]",
        "0.500 [0.400, never]",
        "never",
        "1.5 n=40",
        "E[dJS]",
        "20.0",
        "the model's own │ 60.0 │ 10.0 │ 30.0 │ 30.0",
        "shuffled │ 50.0 │ 10.0 │ 40.0 │ 10.0",
        "20.0 [5.0, 35.0]",
    ):
        assert expected in text, expected


def test_numbers_over_few_documents_say_so_and_have_no_interval_that_means_nothing():
    """29 are few and 30 are not; without an interval the count stands in its place; the note explains the dagger."""
    shown = {count: interval(estimate(0.5, 0.4, 0.6, count)) for count in (29, 30)}
    assert shown == {29: "0.500† [0.400, 0.600]", 30: "0.500 [0.400, 0.600]"}
    assert interval(Estimate(0.5, None, None, 4)) == "0.500† (n=4)"
    assert interval(Estimate(0.5, None, None, 400)) == "0.500 (n=400)"
    ranking = replace(full_ranking(), excess=Estimate(1.5, None, None, 4))
    text = written(summary_view(full_summary(rankings={"attention": ranking})))
    assert "1.5† (n=4)" in text
    assert "†: over fewer than 30 documents" in text


def test_means_over_the_same_documents_stand_first_and_ties_beside_their_shares():
    lines = [line.split("│")[1:-1] for line in written(summary_view(full_summary())).splitlines() if "│" in line]
    cells = {tuple(cell.strip() for cell in line) for line in lines}
    fractions = next(line for line in cells if line[0] == "attention" and "never" in line)
    assert fractions[4:6] == ("0.350", "0.300† n=9")
    assert ("attention", "random", "60.0", "10.0", "30.0", "55.0†", "9") in cells


def test_shares_out_of_the_ordinary_are_shown_where_they_are_known():
    """And said what they are, or from how many documents on they would be known."""
    known = replace(full_ranking(), out_of_ordinary=estimate(0.0625, 0.01, 0.12))
    several = {"attention": known, "gradient": full_ranking()}
    text = " ".join(written(summary_view(full_summary(rankings=several, ordinary_documents=1200))).split())
    assert "6.2 [1.0, 12.0]" in text
    assert "of 1,200 documents with nothing erased than 99 % of these" in text
    text = " ".join(written(summary_view(full_summary())).split())
    assert "% of flips" not in text
    assert "out of the ordinary is told from 100 documents on" in text


def test_definitions_that_are_not_the_default_are_said():
    """Each in a line of the header and in what it changes below; of the default neither is a word."""
    default = written(summary_view(full_summary()))
    lines = {
        ("random_other", "position"): ("test 1     the other component is drawn from all positions but the first",
                                       "exactly over all positions but the first)"),
        ("count_never_as", "all"): ("never      counts as a flip when everything is erased",
                                    "over all documents, whether or not"),
    }  # fmt: skip
    for (option, value), expected in lines.items():
        summary = full_summary(setup=replace(SETUP, **{option: value}))
        text = " ".join(written(summary_view(summary)).split())
        for words in expected:
            assert " ".join(words.split()) in text
            assert " ".join(words.split()) not in " ".join(default.split())


def explained(words, rankings):
    return Explanation("A fine (!) cast again", None, "pos", {"neg": 0.25, "pos": 0.75}, words, rankings, 3, 2, SITE)


WORDS = [
    Word("A", 0, 1, 0.01, 0.0, False),
    Word("fine", 2, 6, 0.7, 0.1, True),
    Word("cast", 11, 15, 0.29, -0.1, False),
]


def styles_of(text) -> dict[str, str]:
    return {text.plain[span.start : span.end]: str(span.style) for span in text.spans}


def test_the_shaded_text_is_the_text_with_the_minimal_set_marked():
    text = shaded(explained(WORDS, []), Shading((0, 0, 0)))
    assert text.plain == "A ⟦fine⟧ (!) cast✂ again"
    assert styles_of(text)["⟦fine⟧"] == "bold rgb(0,0,0) on rgb(240,125,25)"  # the strongest attention
    assert re.fullmatch(r"rgb\(255,255,255\) on rgb\(\d+,\d+,\d+\)", styles_of(text)["cast"])
    assert "A" not in styles_of(text)


def test_where_no_colour_can_tell_bars_stand_behind_the_words():
    """.29 of .7 is .414: the fourth of eight bars."""
    assert shaded(explained(WORDS, []), Shading()).plain == "A ⟦fine█⟧ (!) cast▄✂ again"
    assert styles_of(shaded(explained(WORDS, []), Shading())) == {"⟦fine█⟧": "bold", " again": "dim"}
    assert styles_of(shaded(explained(WORDS, []), Shading(underlined=True))) == {
        "⟦fine█⟧": "bold underline",
        " again": "dim",
    }
    assert "Bars: attention. ⟦" in written(explanation_view(explained(WORDS, [])))
    assert "Shading: attention. ⟦" in written(explanation_view(explained(WORDS, []), Shading((0, 0, 0))))


def test_tokens_outside_the_text_do_not_set_the_scale():
    few = [replace(word, attention=0.2 * word.attention) for word in WORDS]
    outside = [Word("[CLS]", 0, 0, 0.5, 0.0, False), *few, Word("[SEP]", 0, 0, 0.3, 0.0, False)]
    assert "fine█" in shaded(explained(outside, []), Shading()).plain
    assert "[CLS]█" in shaded(explained(outside, []), Shading()).plain
    said = "attention, up to that of the strongest word; [CLS] and [SEP] take 80 % beside it."
    assert said in " ".join(written(explanation_view(explained(outside, []))).split())


def test_sentences_have_a_line_each_with_their_share_and_their_words_shaded():
    """Shares .8 and .2; "cast" has all attention in the first sentence; the second is the minimal set."""
    text = "A fine\ncast.  \n It was bad! Never seen"
    sentences = [Word("A fine cast.", 0, 15, 0.8, 0.1, False), Word("It was bad!", 15, 28, 0.2, 0.0, True)]
    inside = [[Word("fine", 2, 6, 0.04, 0.0, False), Word("cast", 7, 11, 0.96, 0.0, False)], []]
    site = replace(SITE, components="sentences")
    shown = Explanation(text, None, "pos", {"neg": 0.25, "pos": 0.75}, sentences, [], 2, 2, site, inside)
    shaded_text = shaded(shown, Shading((255, 255, 255)))
    assert shaded_text.plain == " 80.0 %  A fine cast.\n 20.0 % ⟦It was bad!⟧\n✂Never seen"
    styles = styles_of(shaded_text)
    assert "on rgb(240,125,25)" in styles["cast"]
    assert "on rgb(240,125,25)" in styles[" 80.0 %"]
    assert "bold" in styles[" 20.0 %"]
    assert "fine" not in styles
    assert "Sentences by attention" in written(explanation_view(shown))
    assert "site: pooling over sentences" in written(explanation_view(shown))


def test_tables_stand_beside_each_other_where_there_is_room():
    rankings = [RankingExplained("attention", 2, 0.5, "flip", "neg")]
    beside, below = (written(explanation_view(explained(WORDS, rankings)), width) for width in (200, 80))
    assert [line for line in beside.splitlines() if "│ attention" in line and "│ fine" in line]
    assert not [line for line in below.splitlines() if "│ attention" in line and "│ fine" in line]
    assert max(map(len, below.splitlines())) <= 80


def test_a_text_without_components_is_told():
    empty = Explanation("", None, "pos", {"neg": 0.25, "pos": 0.75}, [], [], 0, 0, SITE)
    assert "no components to attend to: the bias alone decides" in written(explanation_view(empty))
    assert "no components" not in written(explanation_view(explained([], [])))


def test_special_tokens_stand_beside_the_text_by_their_names():
    words = [
        Word("[CLS]", 0, 0, 0.5, 0.0, False),
        Word("A", 0, 1, 0.1, 0.0, True),
        Word("[SEP]", 0, 0, 0.4, 0.0, True),
    ]
    explanation = explained(words, [RankingExplained("best_found", 2, 0.5, "bias_only", "neg")])
    assert shaded(explanation, Shading((0, 0, 0))).plain == "[CLS] ⟦A⟧ ⟦[SEP]⟧✂ fine (!) cast again"
    text = written(explanation_view(explanation))
    assert "neg (no attention left)" in text
    assert "│ [CLS] │" in text


def test_explained_rankings_say_what_the_decision_becomes():
    rankings = [
        RankingExplained("attention", 2, 0.5, "flip", "neg"),
        RankingExplained("gradient", 3, 1.0, "bias_only", "neg"),
        RankingExplained("product", None, None, "never", None),
        RankingExplained("random", 50 / 7, 0.6, "flip", None, (7, 10)),
    ]
    text = written(explanation_view(explained([], rankings)))
    lines = {line.split("│")[1].strip(): line for line in text.splitlines() if line.count("│") > 3}
    assert "0.667" in lines["attention"]
    assert "neg (by the bias alone)" in lines["gradient"]
    assert "does not flip" in lines["product"]
    assert "7.1" in lines["random"]
    assert "7 of 10 that flip" in lines["random"]
    assert "site: pooling, special tokens left out" in text
    assert "2 tokens cut off" in text


def test_the_answer_is_one_row_a_ranking_beneath_what_may_be_said():
    """Of 40 documents 10 % never flip along each; the median of attention is above all."""
    never = replace(full_ranking(), fraction=replace(full_ranking().fraction, median=Estimate(None, 0.9, None, 40)))
    rivals = (Rival("gradient", estimate(0.5, 0.4, 0.6), 0.001), Rival("attention", estimate(0.01, -0.1, 0.1), 0.6))
    further = Rival("lime", estimate(0.7, 0.6, 0.8), 0.001)
    rankings = {"attention": never, "gradient": full_ranking(), "product": full_ranking()}
    shown = written(answer_view(full_summary(rankings=rankings, fewest=FewestRemovals("product", (further, *rivals)))))
    text, rows = " ".join(shown.split()), [line.split("│")[1:-1] for line in shown.splitlines() if "│" in line]
    assert [cell.strip() for cell in rows[0]] == ["attention", "90.0", "never [90.0, never]", "1.5", "25.0"]
    assert len(rows) == 3
    assert "product needs the fewest removals: fewer than gradient, the nearest, by 50.0 [40.0, 60.0] points" in text
    assert "attention cannot be told from it" in text
    few = full_summary(
        documents=replace(full_summary().documents, analysed=9), fewest=FewestRemovals("product", rivals)
    )
    assert "needs the fewest removals" not in written(answer_view(few))


def test_in_a_narrow_terminal_no_name_of_a_ranking_is_cut_and_no_number_lost():
    names = ("attention", "integrated_gradients", "gradient_of_a_colleague")
    summary = full_summary(rankings=dict.fromkeys(names, full_ranking()))
    for view in (answer_view, summary_view):
        shown = written(view(summary), width=80)
        assert all(name in shown for name in names)
        assert "…" not in shown
        assert max(map(len, shown.splitlines())) <= 80


def test_the_answer_about_no_documents_has_no_table():
    shown = written(answer_view(full_summary(rankings={}, pairs=(), fewest=None)))
    assert "┃" not in shown
    assert "Median erased" not in shown


def test_the_answer_says_which_numbers_are_over_few_documents():
    few = {"attention": replace(full_ranking(), excess=estimate(1.5, 1.0, 2.0, 29))}
    assert "†: over fewer than" in " ".join(written(answer_view(full_summary(rankings=few))).split())
    assert "†" not in written(answer_view(full_summary()))
