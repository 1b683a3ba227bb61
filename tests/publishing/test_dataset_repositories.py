"""Erasure results as a data set on the hub, over real HTTP; and how many bytes a second push sends."""

import json
import re

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from eraserhead.cli.main import main
from hub_server import Hub

pytestmark = pytest.mark.hub

LOAD = """
from datasets import load_dataset
flips = load_dataset("user/results", "flips", split="test")
print(len(flips), sorted(flips.column_names))
"""


def bodies(hub: Hub, name: str, since: int) -> dict[str, int]:
    """Bytes of the bodies of requests by what they are for: large files, and commits with the others in them."""
    found = {"PUT": 0, "commit": 0}
    for request in hub.requests[since:]:
        if name in request.path and request.method == "PUT":
            found["PUT"] += request.sent
        elif re.search(rf"{name}/commit/", request.path):
            found["commit"] += request.sent
    return found


def test_a_second_push_sends_no_file_again(hub, owner, run):
    push = ["push", run, "user/bytes", "--license", "mit"]
    begun = len(hub.requests)
    assert owner.run(push)[0].code == 0
    first, begun = bodies(hub, "user/bytes", begun), len(hub.requests)
    files = hub.repository("user/bytes").files()
    assert first["PUT"] == sum(len(files[name]) for name in ("model.safetensors", "flips.parquet", "erasure.png"))
    assert first["commit"] > len(files["tokenizer.json"])
    assert owner.run(push)[0].code == 0
    assert bodies(hub, "user/bytes", begun) == {"PUT": 0, "commit": 0}
    begun = len(hub.requests)
    assert owner.run([*push[:-1], "apache-2.0"])[0].code == 0  # the card alone is another
    third = bodies(hub, "user/bytes", begun)
    assert third["PUT"] == 0
    assert 0 < third["commit"] < 2 * len(files["README.md"]) + 1000


def test_results_are_pushed_as_a_data_set(hub, owner, run, data):
    push = ["push", run, "user/results", "--dataset", "--license", "cc-by-4.0", "--language", "en"]
    first, again = owner.run(push, push)
    assert (first.code, again.code) == (0, 0), (first, again)
    assert f"pushed to {hub.url}/datasets/user/results (commit " in first.out
    assert not hub.has("user/results")
    repository = hub.repository("user/results", "dataset")
    assert len(repository.commits) == 2
    files = repository.files()
    assert {*files} == {".gitattributes", "README.md", "summary.json", "flips.parquet", "erasure.png"}
    card = DatasetCard(files["README.md"].decode())
    assert card.data.configs == [{"config_name": "flips", "data_files": [{"split": "test", "path": "flips.parquet"}]}]
    assert (card.data.license, card.data.language) == ("cc-by-4.0", ["en"])
    assert (card.data.task_categories, card.data.size_categories) == (["text-classification"], "n<1K")
    rows = [json.loads(line)["text"] for line in (data / "test.jsonl").read_text().splitlines()]
    for name, content in files.items():
        for text in [str(run), str(data), *(row for row in rows if len(row) > 30)]:
            assert text.encode() not in content, (name, text)
    loaded = owner.python(LOAD)
    table = pq.read_table(run / "erasure" / "flips.parquet")
    assert loaded.stdout.strip() == f"{table.num_rows} {sorted(table.column_names)}", loaded.stderr


def test_a_data_set_of_somebody_else_is_refused(hub, owner, run):
    theirs = {"README.md": b"# My data", "documents.parquet": b"theirs"}
    hub.add("user/corpus", kind="dataset", files=theirs)
    push = ["push", run, "user/corpus", "--dataset"]
    refused, asked = owner.run(push, [*push, "--as_pull_request"])
    for ended in (refused, asked):
        assert "datasets/user/corpus: holds a data set that is no earlier push" in ended.line
    repository = hub.repository("user/corpus", "dataset")
    assert repository.files() == theirs
    assert not repository.requests


def test_a_data_set_has_texts_where_they_are_asked_for_and_results_by_their_folder(hub, owner, run):
    results = run / "erasure"
    texts = ["push", results, "user/with-texts", "--dataset", "--include_texts", "--page"]
    first, second = owner.run(texts, ["push", results, "user/with-texts", "--dataset"])
    assert (first.code, second.code) == (0, 0), (first, second)
    with_texts, without = (each.files for each in hub.repository("user/with-texts", "dataset").commits[1:])
    more = {"documents.parquet", "signals.parquet", "page.html"}
    assert more <= {*with_texts}
    assert not more & {*without}
    names = [
        each["config_name"] for each in yaml.safe_load(with_texts["README.md"].decode().split("---\n")[1])["configs"]
    ]
    assert names == ["flips", "documents", "signals"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--license", "apache2"],
            "--license apache2: the hub has no licence of this identifier; did you mean 'apache-2.0'",
        ),
        (["--license", "other"], "--license other: give its name too, with --license_name"),
        (
            ["--license", "mit", "--license_link", "LICENSE"],
            "--license_link LICENSE: has no effect without --license other",
        ),
        (["--license", "other", "--license_name", "Mine!"], "the hub takes small letters"),
        (["--page"], "would show the documents' texts"),
        (["--examples", "['a', ' ', '']"], "--examples: text 2 of 3 is empty; leave it out; --examples: text 3 of 3"),
        (["--dataset", "--examples", "x", "--trust_remote_code"], "has no effect on a data set of results"),
        (["--erasure", "a,a"], "name a once"),
        (["--erasure", "nowhere"], "nowhere: no erasure results"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(run, capfd, options, words):
    assert main(["push", str(run), "user/x", "--dry_run", *options]) == 2
    line = capfd.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("eraserhead: error: ")
    assert words in line
