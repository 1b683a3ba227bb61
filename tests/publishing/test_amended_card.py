"""What an amendment does to a card: the section and the `model-index`, and nothing else."""

from dataclasses import replace

import pytest
import yaml

from eraserhead.errors import UserError
from eraserhead.publishing.amended_card import amended_card
from eraserhead.publishing.facts import Facts, Training
from eraserhead.publishing.own_section import BEGIN, END, earlier_files, lines_of
from eraserhead.publishing.own_section import HEADING as SECTION
from summaries import estimate, full_ranking, full_summary

RANKING = full_ranking()
SUMMARY = full_summary(
    rankings={"attention": replace(RANKING, fraction=replace(RANKING.fraction, median=estimate(0.375)))}
)
FACTS = Facts(
    repository="user/model",
    family="bert",
    classes=("neg", "pos"),
    by_label=False,
    architecture=None,
    encoder_family=None,
    reads=None,
    training=Training(),
    summary=SUMMARY,
    base_model=None,
    datasets=(),
    license=None,
    language=(),
    texts=False,
)
CHANGED = replace(FACTS, summary=replace(SUMMARY, rankings={"attention": RANKING}))
OURS = {
    "type": "erased_fraction_attention",
    "value": 0.375,
    "name": "Median fraction erased before the decision flips (attention)",
}


def amended(metadata: str, body: str = "# Theirs\n") -> tuple[str, str]:
    """The metadata and the body of a card after its amendment."""
    _, front, rest = amended_card(f"---\n{metadata}\n---\n{body}", FACTS).split("---\n", 2)
    return front, rest


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ("license: mit", "license: mit\n"),
        ("# mine\nlicense: mit # of 1988\ntags:\n- a", "# mine\nlicense: mit # of 1988\ntags:\n- a\n"),
        ("a: 1\nmodel-index:\n- name: x\n  results: []\n# of b\nb: 2", "a: 1\n# of b\nb: 2\n"),
        ("'model-index':\n  - name: x\n    results: []\n\nb: |\n  model-index: 3", "\nb: |\n  model-index: 3\n"),
        ("", "\n"),
        ("a: 1\r\nb: 2\n\n", "a: 1\r\nb: 2\n\n\n"),
    ],
)
def test_all_other_metadata_stay_to_the_byte(metadata, kept):
    front, _ = amended(metadata)
    begin = front.index("model-index:\n-")
    block = front[begin:].split("\n")
    end = next((place for place, line in enumerate(block) if place and line[:1] not in ("-", " ")), len(block))
    assert front[:begin] + "\n".join(block[end:]) == kept
    assert yaml.safe_load(front)["model-index"][0]["results"][-1]["metrics"] == [OURS]


def test_results_of_others_stay_and_an_earlier_one_of_ours_is_replaced():
    theirs = {
        "task": {"type": "x"},
        "dataset": {"type": "d", "name": "D", "args": {"a": 1}},
        "metrics": [{"type": "m"}],
    }
    front, body = amended(yaml.safe_dump({"model-index": [{"name": "n", "results": [theirs]}]}).strip())
    (model,) = yaml.safe_load(front)["model-index"]
    assert model["name"] == "n"
    assert model["results"][0] == theirs
    again = amended_card(f"---\n{front}---\n{body}", FACTS)
    assert again == f"---\n{front}---\n{body}"

    values = yaml.safe_load(amended_card(again, CHANGED).split("---\n")[1])["model-index"][0]["results"]
    assert [[each.get("value") for each in result["metrics"]] for result in values] == [[None], [0.5]]


def test_a_section_without_markers_is_replaced_up_to_where_something_else_begins():
    fenced = f"````\n{SECTION}\n```python\n````python\n{SECTION}\n````\n"
    section = f"{SECTION}\n\nOLD\n\n### One decision\n\n```\n## code\n```\n"
    _, body = amended("a: 1", f"# T\n{fenced}\n{section}\n## Next\n\nend\n")
    assert body.startswith(f"# T\n{fenced}\n{BEGIN} none -->\n\n{SECTION}\n\nHow much")
    assert body.endswith(f"\n\n{END}\n\n## Next\n\nend\n")
    assert "OLD" not in body
    assert "code" not in body
    assert body.count(SECTION) == 3


@pytest.mark.parametrize(
    "theirs",
    [
        "Citation\n=====\n\nx",
        "Two lines\nof a heading\n---\nx\n",
        "<h2>Citation</h2>\nx",
        " <H3 id='x'>Citation</H3>\nx",
        "### Mine\n\nx\n",
        "# Mine",
        "<!--\n# To do\n-->\nx",
        "<!--\nto do\n-->\n\n### Further results\n",
        "\n---\n\nx",
        "***\n\nx",
        "_ _ _\nx",
        "<details>\nx\n</details>\n",
        "```python\n# never closed",
        "just words",
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_stands_behind_the_section_stays_to_the_byte(theirs, line_end):
    theirs = theirs.replace("\n", line_end)
    first = amended_card(f"# T{line_end}", FACTS)
    card = first + line_end + theirs
    changed = amended_card(card, CHANGED)
    assert changed == amended_card(f"# T{line_end}", CHANGED) + line_end + theirs
    assert amended_card(card, FACTS) == card
    assert changed != card
    if theirs[:1] not in ("`", "j"):  # else nothing tells an earlier section without markers from what follows
        unmarked = "".join(line for line in lines_of(card) if not line.startswith((BEGIN, END)))
        assert amended_card(unmarked, FACTS).endswith(f"{END}{line_end * 3}{theirs}")
        assert amended_card(card.replace(END, "", 1), FACTS).endswith(theirs)


@pytest.mark.parametrize(
    ("card", "begin", "behind"),
    [
        ("\n \n---\r\na: 1\n---\nx\r\ny", "\n \n---\r\na: 1\nmodel-index:\n", "---\nx\r\ny\n\n"),
        ("---\r\n---\r\n# T\r\nx\r\n\r\n---\nmore \n ", "---\r\nmodel-index:\r\n", "---\nmore \n \r\n\r\n"),
        ("---\na: 1\n---", "---\na: 1\nmodel-index:\n", "---\n\n"),
        ("x\u2028y \t\n\n\n", "---\nmodel-index:\n", "---\nx\u2028y \t\n\n\n"),
        ("", "---\nmodel-index:\n", "---\n\n# model\n\n"),
        ("\n```\nnever closed", "---\nmodel-index:\n", "---\n\n```\nnever closed\n\n"),
        ("\n```\n```python\n```\n", "---\nmodel-index:\n", "---\n\n```\n```python\n```\n\n"),
    ],
)
def test_line_ends_and_white_space_stay(card, begin, behind):
    written = amended_card(card, FACTS)
    front, marker, _ = written.partition(BEGIN)
    assert marker
    assert front.startswith(begin)
    assert front.endswith(behind)
    assert amended_card(written, FACTS) == written


def test_an_end_behind_a_section_of_the_owner_is_not_ours():
    theirs = f"## Mine\n\n```\n{END}\n```\n\n{END}\n"
    card = amended_card("# T\n", FACTS).replace(END, "") + theirs
    assert amended_card(card, FACTS).endswith(theirs)


def test_the_card_tells_which_files_a_push_wrote():
    files = [".eval_results/erased_fraction.yaml", "erasure/layer-2-tokens/flips.parquet", "flips.parquet", "page.html"]
    card = amended_card("# T\n\nSee summary.json.\n", FACTS, files)
    assert earlier_files(card) == {*files}
    assert earlier_files(amended_card(card, FACTS)) == set()
    assert earlier_files("# T\n\nSee summary.json.\n") is None
    unmarked = "".join(line for line in lines_of(card) if not line.startswith((BEGIN, END)))
    assert earlier_files(f"{SECTION}\n\nmysummary.json, homepage.html, page.html.bak and flips.parquet\n") == {
        "flips.parquet",
        ".eval_results/erased_fraction.yaml",
    }
    named = {"summary.json", "flips.parquet", "erasure.png", ".eval_results/erased_fraction.yaml"}
    assert earlier_files(unmarked) == named
    further = unmarked.replace("In brackets", "- `erasure/layer-2-tokens/` (layer 2): few.\n\nIn brackets")
    inside = ("summary.json", "flips.parquet", "documents.parquet", "signals.parquet", "erasure.png")
    assert earlier_files(further) == named | {f"erasure/layer-2-tokens/{name}" for name in inside}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("{license: mit}", "written in a way that cannot be amended"),
        ("- a", "are no mapping"),
        ("a: [", "are no YAML"),
        ("model-index: 3", "is not what the hub reads"),
        ("model-index:\n- results:\n  - metrics: []", "is not what the hub reads"),
    ],
)
def test_metadata_that_cannot_be_amended_are_refused(metadata, words):
    with pytest.raises(UserError, match=f"^user/model: README.md: .*{words}"):
        amended(metadata)
