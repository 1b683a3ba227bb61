"""What is unusual about an analysis is said beside its numbers; of what is usual, not a word."""

from dataclasses import replace

import pytest
from rich.console import Console

from eraserhead.data.provenance import LabelsRead
from eraserhead.erasure.conditions import labels_line, loading_line, seen_in_training
from eraserhead.erasure.view import summary_view
from summaries import RUN_RECORD, SETUP, SITE, estimate, full_summary


def shown(summary) -> str:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(summary_view(summary))
    return console.export_text()


def test_a_usual_analysis_has_no_such_lines():
    summary = full_summary()
    assert seen_in_training(summary.documents) is None
    assert seen_in_training(replace(summary.documents, trained_on=0, validated_on=0)) is None
    assert labels_line(summary) is None
    assert loading_line(SETUP.model) is None
    heads = {line.split()[0] for line in shown(summary).split("Fraction")[0].splitlines() if line.strip()}
    assert not heads & {"training", "labels", "loaded", "continued"}


def test_documents_that_training_saw_are_counted_and_the_accuracy_without_them_is_given():
    """Of 10 documents, 6 were trained on and 1 chose the epoch: 3 are left, of accuracy .333 instead of .8."""
    counts = replace(full_summary().documents, trained_on=6, validated_on=1)
    assert counts.unseen == 3
    text = shown(full_summary(documents=counts, accuracy_unseen=estimate(1 / 3, count=3)))
    assert (
        "training   The model was trained on 6 of the 10 documents analysed, and its best epoch was chosen with 1"
        in text
    )
    assert "0.800 [0.700, 0.900]; 0.333† over the 3 documents that training did not see" in text
    every = full_summary(
        documents=replace(counts, trained_on=10, validated_on=0), accuracy_unseen=estimate(None, count=0)
    )
    assert "0.800 [0.700, 0.900]; training saw every labelled document among them" in shown(every)
    assert "best epoch" not in shown(every)


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (LabelsRead("none"), "there are none, so no accuracy is reported"),
        (LabelsRead("unmatched", ("x", "y")), "the data's classes (x, y) are not the model's (neg, pos): no accuracy"),
        (LabelsRead("label_map", ("x", "y")), "matched by x=neg, y=pos; 4 of 12 documents have none"),
        (LabelsRead("name", ("neg", "pos"), ("pos",)), "4 of 12 documents have none; no documents of the classes pos"),
        (LabelsRead("index"), "4 of 12 documents have none"),
    ],
)
def test_how_labels_were_read_is_said(read, expected):
    counts = replace(full_summary().documents, unlabelled=4)
    setup = replace(SETUP, labels=read, label_map=["x=neg", "y=pos"])
    summary = full_summary(documents=counts, setup=setup)
    assert labels_line(summary) == expected
    assert f"labels     {expected}\n" in "\n".join(line.rstrip() for line in shown(summary).splitlines())


def test_how_the_model_was_loaded_is_said():
    model = replace(SETUP.model, pickled=True, unexpected=("a.b", "c.d"), lent_padding="<eos>", own_code=True)
    assert loading_line(model) == (
        "read from pickles (.bin); 2 weights in its file left out, such as 'a.b'; the tokenizer's '<eos>' pads, since "
        "the model names no padding token; Python code of its repository ran"
    )
    assert "loaded     read from pickles" in shown(full_summary(setup=replace(SETUP, model=model)))


def test_a_family_that_only_probes_prove_is_said_with_the_site():
    site = replace(SITE, site="layer:2", unlisted="strange")
    assert "site: layer:2, special tokens left out, its family 'strange' proved by probes of this model alone" in shown(
        full_summary(setup=replace(SETUP, site=site))
    )


def test_a_continued_analysis_says_whose_time_is_given():
    text = shown(full_summary(run=replace(RUN_RECORD, earlier_shards=3)))
    assert "continued  3 shards are of earlier calls; times are the last call's" in text
