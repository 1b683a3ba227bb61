"""A model on the hub gets results and a section of its card: directly, or by a pull request; over real HTTP."""

import json
from pathlib import Path

import pytest
import yaml

from eraserhead.cli.main import main
from eraserhead.publishing.own_section import BEGIN, END
from hub_clients import Client
from hub_server import Fault, Hub

pytestmark = pytest.mark.hub

CARD = """---
# Whoever wrote this comment wants to keep it.
license: cc-by-4.0
model-index:
- name: theirs
  results:
  - task: {type: text-classification}
    dataset: {type: data, name: their data, split: test}
    metrics:
    - {type: accuracy, value: 0.75, name: Accuracy}
tags: [mine]
---

# Theirs

```
## What its attention is worth
```

## What its attention is worth

Nobody knows.

```
## not a heading
```

## Their last words

Farewell.
"""
OURS = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@pytest.fixture(scope="module")
def files(run) -> dict[str, bytes]:
    """A model that somebody has pushed, with a card of their own."""
    assert main(["push", str(run), "somebody/model", "--dry_run"]) == 0
    model = {name: (run / "hub" / name).read_bytes() for name in OURS}
    return model | {"README.md": CARD.encode(), "handler.py": b"theirs", ".eval_results/accuracy.yaml": b"[]"}


@pytest.fixture(scope="module")
def results(hub, warm, files, data, tmp_path_factory) -> Path:
    """Results of that model, erased by its name on the hub."""
    folder = tmp_path_factory.mktemp("results")
    hub.add("somebody/model", files=files)
    client = Client(hub, folder / "home", None, warm)
    erase = ["erase", "somebody/model", "--data.path", data, "--draws", 2, "--cpu", "--output_dir", folder / "erasure"]
    assert client.run(erase)[0].code == 0
    return folder / "erasure"


def rest(card: str) -> tuple[str, str]:
    """What stands in front of the section and behind it, without the `model-index`."""
    front, _, behind = card.partition(f"\n{BEGIN}")
    metadata, _, text = front.removeprefix("---\n").partition("\n---\n")
    kept = [line for line in metadata.split("\n") if not line.startswith((" ", "-", "model-index"))]
    return "\n".join([*kept, text]), behind.partition(f"\n{END}\n")[2]


def test_a_pull_request_amends_the_card_of_somebody_elses_model(hub, owner, results, files, tmp_path):
    push = ["push", "somebody/model", "--erasure", results, "--as_pull_request"]
    first, again = owner.run(push, push)
    assert (first.code, again.code) == (0, 0), (first, again)
    repository = hub.repository("somebody/model")
    assert len(repository.requests) == 1  # the second finds that it is open
    commit = repository.head("refs/pr/1")
    assert f"opened the pull request {hub.url}/somebody/model/discussions/1 (commit {commit.sha})" in first.out
    assert f"already open: the pull request {hub.url}/somebody/model/discussions/1" in again.out
    assert repository.files() == files  # nothing is merged
    assert commit.parent == repository.head().sha

    changed = {name for name, content in commit.files.items() if files.get(name) != content}
    assert changed == {"README.md", "summary.json", "flips.parquet", "erasure.png"}
    assert {*files} <= {*commit.files}
    card = commit.files["README.md"].decode()
    assert rest(card) == (
        "# Whoever wrote this comment wants to keep it.\nlicense: cc-by-4.0\ntags: [mine]\n\n# Theirs\n\n"
        "```\n## What its attention is worth\n```\n",
        "\n## Their last words\n\nFarewell.\n",
    )
    metadata = yaml.safe_load(card.split("---\n")[1])
    (model,) = metadata["model-index"]
    assert model["name"] == "theirs"
    assert model["results"][0] == yaml.safe_load(CARD.split("---\n")[1])["model-index"][0]["results"][0]
    summary = json.loads(commit.files["summary.json"])
    fractions = {each["type"]: each["value"] for each in model["results"][1]["metrics"]}
    assert fractions["erased_fraction_product"] == round(
        summary["rankings"]["product"]["fraction"]["median"]["value"], 3
    )
    assert "accuracy" not in fractions  # which is theirs to state
    assert summary["setup"]["model"]["name"] == "somebody/model"


def test_a_lost_answer_opens_no_second_pull_request(hub, owner, results, files):
    hub.add("somebody/unheard", files=files)
    hub.faults += [
        Fault("POST", r"somebody/unheard/commit", status=503),
        Fault("POST", r"somebody/unheard/commit", drop_after=True),
    ]
    done = owner.run(["push", "somebody/unheard", "--erasure", results, "--as_pull_request"])[0]
    assert done.code == 0, done
    assert "opened the pull request" in done.out
    assert len(hub.repository("somebody/unheard").requests) == 1


def test_the_owner_amends_a_card_twice_and_adds_nothing_the_second_time(hub, owner, results, files):
    card = b"\xef\xbb\xbf" + files["README.md"].replace(b"\n", b"\r\n")
    theirs = dict.fromkeys(("page.html", "decision.png", "documents.parquet"), b"theirs")
    hub.add("user/model", files=files | theirs | {"README.md": card})
    push = ["push", "user/model", "--erasure", results]
    first, again, with_texts = owner.run(push, push, [*push, "--include_texts"])
    assert (first.code, again.code) == (0, 0), (first, again)
    repository = hub.repository("user/model")
    assert len(repository.commits) == 2
    assert "unchanged at" in again.out
    card = repository.files()["README.md"].decode()
    assert card.count("\r\n") == card.count("\n")
    assert card.count("How much of the attention") == 1
    assert card.startswith("---\r\n# Whoever")
    assert "license: cc-by-4.0\r\n" in card
    assert {name: repository.files()[name] for name in theirs} == theirs
    assert repository.files()[".eval_results/accuracy.yaml"] == b"[]"
    assert "user/model: documents.parquet: already there" in with_texts.line


class SomebodyElse(Fault):
    """Not the hub's fault: the card is changed while it is amended."""

    hub: Hub

    def matches(self, method: str, path: str) -> bool:
        if super().matches(method, path):
            self.times = 0
            self.hub.commit("user/contested-card", {"README.md": b"# theirs"})
        return False


def test_a_card_that_somebody_changes_meanwhile_is_not_overwritten(hub, owner, results, files):
    hub.add("user/contested-card", files=files)
    fault = SomebodyElse("POST", r"user/contested-card/commit")
    fault.hub = hub
    hub.faults.append(fault)
    push = ["push", "user/contested-card", "--erasure", results]
    first, second = owner.run(push, push)
    repository = hub.repository("user/contested-card")
    theirs = repository.commits[1]
    assert f"somebody else pushed meanwhile ({theirs.sha[:8]}); look at it, and push again" in first.line
    assert theirs.files["README.md"] == b"# theirs"
    assert second.code == 0, second
    assert repository.files()["README.md"].decode().startswith("---\nmodel-index:")
    assert f"\n# theirs\n\n{BEGIN}" in repository.files()["README.md"].decode()


def test_what_cannot_be_amended_is_one_line(hub, owner, warm, results, files, run, data, tmp_path):
    hub.add("somebody/listed", files=files | {"README.md": b"---\n- a\n---\n"})
    hub.add("somebody/index", files=files | {"README.md": b"---\nmodel-index: 3\n---\n"})
    weights = files["model.safetensors"]
    hub.add("somebody/other", files=files | {"model.safetensors": weights[:-1] + bytes([weights[-1] ^ 1])})
    hub.add("somebody/no-model", files={"README.md": b"# theirs"})
    hub.add("somebody/readable", files=files)
    reader = Client(hub, tmp_path / "reader", hub.read_token, warm)

    def push(name: str, *options: object) -> list[object]:
        return ["push", name, "--erasure", results, *options]

    ended = owner.run(
        push("somebody/model"),
        push("somebody/missing", "--as_pull_request"),
        ["push", "somebody/model", "--as_pull_request"],
        push("somebody/listed", "--as_pull_request"),
        push("somebody/index", "--as_pull_request"),
        push("somebody/other", "--as_pull_request"),
        push("somebody/model", "--as_pull_request", "--license", "mit", "--tag", "v1", "--revision", "x"),
        ["push", "somebody/model", "user/elsewhere", "--erasure", results],
        ["push", run, "user/not-there", "--as_pull_request"],
        push("somebody/no-model", "--as_pull_request"),
    )
    lines = [each.line for each in ended] + [reader.run(push("somebody/readable", "--as_pull_request"))[0].line]
    for line, words in zip(
        lines,
        (
            "or open a pull request, with --as_pull_request",
            "somebody/missing: not on the hub",
            "for a model on the hub, give --erasure",
            "its metadata are no mapping",
            "its model-index is not what the hub reads",
            "erasure results of another model than somebody/other",
            "--license mit: has no effect on a model on the hub, which keeps its own; leave it out; --tag v1",
            "leave user/elsewhere out",
            "user/not-there: not on the hub",
            "error: somebody/no-model: not a model (no config.json in it)",
            "403",
        ),
        strict=True,
    ):
        assert words in line, (words, line)
    assert "leave out --as_pull_request to create it" in lines[8]
    offline = owner.run(push("somebody/model", "--as_pull_request"), HF_HUB_OFFLINE="1")[0].line
    assert "HF_HUB_OFFLINE forbids asking the hub" in offline
    for name in ("listed", "index", "other"):
        assert not hub.repository(f"somebody/{name}").requests
    assert not hub.has("user/not-there")


def test_a_pull_request_with_a_whole_model(hub, owner, run):
    hub.add("user/proposed", files={"README.md": b"# mine\n"})
    done = owner.run(["push", run, "user/proposed", "--as_pull_request"])[0]
    assert done.code == 0, done
    repository = hub.repository("user/proposed")
    assert repository.files() == {"README.md": b"# mine\n"}
    assert "model.safetensors" in repository.files("refs/pr/1")
