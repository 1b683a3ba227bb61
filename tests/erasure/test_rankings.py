"""Erasing along rankings of one's own: functions, tables and packages' names, to the tables of results."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

import eraserhead
from eraserhead.cli.main import main
from eraserhead.data.config import DataConfig
from eraserhead.erasure.config import EraseConfig, MergeConfig
from eraserhead.erasure.erasing import erase_to_folder
from eraserhead.erasure.merging import merge_folders
from eraserhead.errors import UserError
from labels import multi_label
from tables import frames, scores
from tiny import random_texts, saved_classifier, saved_hierarchical, sentence_texts

pytestmark = pytest.mark.slow

TEXTS = [*random_texts(19, seed=5, longest=9), "", "good"]
IDS = [f"texts/{number}" for number in range(len(TEXTS))]
MODULE = """
import os


def last_first(reading):
    return reading.positions.double()


def fails_on_long(reading):
    if "LONGEST" in os.environ and int(reading.lengths.max()) > int(os.environ["LONGEST"]):
        raise ZeroDivisionError("too long")
    return reading.positions.float()


def no_numbers(reading):
    return (reading.weights - 1) * float("nan")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A working folder with a model, texts, functions, and scores of every word by its place and by its component."""
    folder = tmp_path_factory.mktemp("rankings")
    saved_classifier(folder)
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    (folder / "own.py").write_text(MODULE)
    spans = [
        (name, word.start(), word.end(), score(name, number))
        for name, text in zip(IDS, TEXTS, strict=True)
        for number, word in enumerate(re.finditer(r"\w+", text))
    ]
    spans.append(("texts/20", 4, 5, 9.0))  # behind the text
    pd.DataFrame(spans, columns=["id", "start", "end", "score"]).to_csv(folder / "by_span.csv", index=False)
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(made, monkeypatch):
    monkeypatch.chdir(made)
    yield
    sys.modules.pop("own", None)


def score(document: str, component: int) -> float:
    return float(np.random.default_rng([len(document), component, int(document.split("/")[1])]).normal())


def config(output: str, rankings: list[str] | None, **changes) -> EraseConfig:
    data = DataConfig(path="texts.jsonl", max_length=32)
    settings = {"draws": 2, "shard_size": 2, "cpu": True, "data": data, **changes}
    return EraseConfig("model", output, rankings=rankings, **settings)


ASKED = ["value_norm", "leave_one_out", "own:last_first", "theirs=by_span.csv"]
NAMES = ["attention", "value_norm", "leave_one_out", "last_first", "theirs"]


def test_every_table_and_the_summary_have_what_was_asked_for(made):
    results = erase_to_folder(config("all", ASKED))
    tables, found, summary = frames(results), scores(results), results.summary()
    assert list(found) == NAMES
    assert list(summary.rankings) == ["random", *NAMES, "minimum"]
    assert set(tables["singles"].ranking) == set(NAMES)
    assert [found["last_first"][name].tolist() for name in IDS] == [
        list(range(1, len(text.split()) + 1)) for text in TEXTS
    ]
    expected = [[score(name, at) for at in range(len(text.split()))] for name, text in zip(IDS, TEXTS, strict=True)]
    assert [found["theirs"][name].tolist() for name in IDS] == expected
    orders = tables["flips"][tables["flips"].ranking == "theirs"].set_index("id").order
    assert [orders[name].tolist() for name in IDS] == [
        np.argsort([-value for value in own]).tolist() for own in expected
    ]
    setup, run = summary.setup, summary.run
    assert setup.rankings == tuple(NAMES)
    assert setup.ranking_sources.keys() == {"last_first", "theirs"}
    assert setup.ranking_sources["last_first"] == "own:last_first"
    assert run.unlaid_spans == {"theirs": 1}
    assert list(run.ranking_seconds) == NAMES
    assert all(0 < seconds < run.seconds for seconds in run.ranking_seconds.values())
    assert run.ranked == len(TEXTS)


def test_show_tells_where_scores_come_from_and_what_they_cost(made, capsys):
    erase_to_folder(config("shown", ASKED))
    assert main(["show", "shown"]) == 0
    shown = " ".join(capsys.readouterr().out.split())  # long lines are wrapped
    assert "ranking last_first is from own:last_first " in shown
    assert re.search(r"ranking theirs is from table \w{32}; 1 of its spans lie on no component ", shown)
    costs = re.search(r"cost seconds a document: (.*)", shown)
    assert costs is not None
    assert [name for name in re.findall(r"(\w+) [<.\d]", costs[1]) if name in NAMES] == NAMES[1:]


def test_the_command_line_and_python_have_the_same_results(made, monkeypatch):
    theirs = {name: [(at, at + 1, value) for at, value in own] for name, own in by_character().items()}
    assert main(["erase", "model", "--data.path", "texts.jsonl", "--rankings", ",".join(ASKED), "--draws", "2",
                 "--output_dir", "cli", "--cpu", "--data.max_length", "32"]) == 0  # fmt: skip
    monkeypatch.syspath_prepend(str(made))
    from own import last_first

    rows = [{"id": name, "text": text} for name, text in zip(IDS, TEXTS, strict=True)]
    given = ["value_norm", "leave_one_out", last_first, {"theirs": theirs}]
    found = eraserhead.erase("model", rows, draws=2, max_length=32, cpu=True, rankings=given)
    pd.testing.assert_frame_equal(found.flips, eraserhead.read("cli").flips)
    assert found.summary.setup.ranking_sources["last_first"] == "own:last_first"


def by_character() -> dict[str, list[tuple[int, float]]]:
    """The score of each word at its first character alone."""
    return {
        name: [(word.start(), score(name, number)) for number, word in enumerate(re.finditer(r"\w+", text))]
        for name, text in zip(IDS, TEXTS, strict=True)
    }


def test_results_along_another_table_are_not_continued(made):
    scores_of = {name: [1.0] * len(text.split()) for name, text in zip(IDS, TEXTS, strict=True)}
    rows = [(name, at, value) for name, own in scores_of.items() for at, value in enumerate(own)]
    frame = pd.DataFrame(rows, columns=["id", "component", "score"])
    frame.to_parquet("changing.parquet")
    erase_to_folder(config("table", ["changing.parquet"]))
    first = erase_to_folder(config("table", ["changing.parquet"])).summary()
    assert first.setup.rankings == ("attention", "changing")
    frame.assign(score=2.0).to_parquet("changing.parquet")
    with pytest.raises(UserError, match=r"different: ranking_sources\.changing\)"):
        erase_to_folder(config("table", ["changing.parquet"]))
    with pytest.raises(UserError, match=r"different: ranking_sources\.changing, rankings\)"):
        erase_to_folder(config("table", ["value_norm"]))


def test_a_function_that_raises_shows_its_traceback_and_loses_nothing(made, capsys, monkeypatch):
    """The longest documents raise at first; what is finished before is not made again."""
    command = ["erase", "model", "--data.path", "texts.jsonl", "--rankings", "own:fails_on_long", "--draws", "2",
               "--output_dir", "raising", "--shard_size", "1", "--cpu"]  # fmt: skip
    monkeypatch.setenv("LONGEST", str(max(len(text.split()) for text in TEXTS) - 1))
    assert main(command) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "own.py" in said
    last = said.splitlines()[-1]
    assert last.startswith(
        "eraserhead: error: ranking 'fails_on_long': its function raised ZeroDivisionError: too long;"
    )
    monkeypatch.delenv("LONGEST")
    finished = len(list((made / "raising" / "shards").iterdir()))
    assert main(command) == 0
    run = eraserhead.read("raising").summary.run
    assert run.earlier_shards == finished > 0
    assert run.ranked == len(TEXTS) - finished


def test_scores_that_are_no_numbers_are_refused_with_the_document(made):
    with pytest.raises(UserError, match=r"^ranking 'no_numbers': .*\(NaN\) in \d rows, the first of 'texts/\d+'$"):
        erase_to_folder(config("nan", ["own:no_numbers"]))


def test_documents_without_scores_are_refused_before_anything_is_written(made):
    with pytest.raises(UserError, match=r"^ranking 'theirs': no scores for 19 of 21 documents, the first 'texts/1'"):
        eraserhead.erase("model", [{"id": name, "text": text} for name, text in zip(IDS, TEXTS, strict=True)],
                         rankings=[{"theirs": {"texts/0": [1.0]}}], output_dir="missing", cpu=True)  # fmt: skip
    assert not (made / "missing" / "setup.json").exists()


def test_parts_are_merged_to_the_results_of_one_run(made):
    whole = erase_to_folder(config("whole", ASKED))
    for part in ("1/2", "2/2"):
        erase_to_folder(config(f"part-{part[0]}", ASKED, part=part))
    merged = merge_folders(MergeConfig(["part-1", "part-2"], "merged"))
    for name, table in frames(whole).items():
        pd.testing.assert_frame_equal(frames(merged)[name], table)
    run = merged.summary().run
    assert run.unlaid_spans == {"theirs": 1}
    assert run.ranked == len(TEXTS)
    assert list(run.ranking_seconds) == NAMES


def test_labels_of_a_document_share_its_scores(tmp_path):
    model = multi_label(tmp_path)
    texts = random_texts(5, seed=2)
    given = {f"texts/{number}": [float(at) for at, _ in enumerate(text.split())] for number, text in enumerate(texts)}
    found = eraserhead.erase(model, texts, rankings=[{"theirs": given}, "leave_one_out"], target="all", cpu=True)
    own = found.signals[found.signals.ranking == "theirs"]
    assert len(own) > len(texts)
    assert all(row.scores.tolist() == given[row.id] for row in own.itertuples())


@pytest.mark.parametrize("site", ["pooling", "words"])
def test_spans_are_laid_on_sentences_and_on_their_words(tmp_path, site):
    folder, texts = saved_hierarchical(tmp_path), sentence_texts(5, seed=3, most=3)
    spans = {f"texts/{number}": [(0, 1, 1.0), (len(text) - 2, len(text), 2.0)] for number, text in enumerate(texts)}
    found = eraserhead.erase(folder, texts, site=site, rankings=[{"ends": spans}], draws=1, cpu=True)
    own = found.signals[found.signals.ranking == "ends"].scores
    for text, scored in zip(texts, own, strict=True):
        if site == "pooling":
            assert scored.tolist() == ([3.0] if text.count(".") == 1 else [1.0, *[0.0] * (text.count(".") - 2), 2.0])
        else:
            assert scored[0] == 1.0 + 2.0 * (len(text.split()) == 1)
            assert scored[-1] == 2.0


def test_a_ranking_that_is_not_defined_at_the_site_is_refused(tmp_path):
    folder, texts = saved_hierarchical(tmp_path), sentence_texts(2)
    with pytest.raises(UserError, match=r"^ranking 'value_norm': not defined at words of this model; it is at pooling"):
        eraserhead.erase(folder, texts, site="words", rankings=["value_norm"], cpu=True)
    every = eraserhead.erase(folder, texts, site="words", rankings=["all"], draws=1, cpu=True).summary.setup.rankings
    assert "leave_one_out" in every
    assert "value_norm" not in every
