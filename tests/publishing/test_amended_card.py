"""What an amendment does to a card: the section and the `model-index`, and nothing else."""

from dataclasses import replace

import pytest
import yaml

from eraserhead.errors import UserError
from eraserhead.publishing.amended_card import amended_card
from eraserhead.publishing.facts import Facts, Training
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
OURS = {
    "type": "erased_fraction_attention",
    "value": 0.375,
    "name": "Median fraction erased before the decision flips (attention)",
}
SECTION = "## What its attention is worth"


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
        ("", ""),
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

    changed = replace(FACTS, summary=replace(SUMMARY, rankings={"attention": RANKING}))
    values = yaml.safe_load(amended_card(again, changed).split("---\n")[1])["model-index"][0]["results"]
    assert [[each.get("value") for each in result["metrics"]] for result in values] == [[None], [0.5]]


def test_the_section_takes_the_place_of_the_earlier_one_outside_of_code():
    fenced = f"````\n{SECTION}\n```\n{SECTION}\n````\n"
    _, body = amended("a: 1", f"# T\n{fenced}\n{SECTION}\n\nOLD\n\n### inner\n\n```\n## code\n```\n\n## Next\n\nend\n")
    assert body.startswith(f"# T\n{fenced}\n{SECTION}\n\nHow much")
    assert body.endswith("\n\n## Next\n\nend\n")
    assert "OLD" not in body
    assert "inner" not in body
    assert body.count(SECTION) == 3
    _, body = amended("a: 1", "# T\n\nwords")
    assert body.startswith(f"# T\n\nwords\n\n{SECTION}\n\nHow much")
    assert amended_card("", FACTS).split("---\n", 2)[2].startswith(f"\n# model\n\n{SECTION}\n\n")


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
