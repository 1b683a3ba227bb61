"""To the hub and back over real HTTP: the command line and the real clients, against a hub on loopback."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from huggingface_hub import ModelCard
from transformers import BertConfig, BertForSequenceClassification

import eraserhead
from eraserhead.cli.main import main
from eraserhead.erasure.finding import found_results
from eraserhead.models.modeling_attention_pooling import AttentionPoolingForSequenceClassification
from hub_clients import DRIVER, Client
from hub_server import Fault, Hub
from tiny import saved_hierarchical, saved_limited, tiny_encoder, tiny_tokenizer

pytestmark = pytest.mark.hub

TEXTS = ["a fine cast but the script was never good", "dull"]
LONG = "it was a fine cast but never good " * 10
LOGITS = f"""
import torch
from transformers import AutoTokenizer
def logits(model, name, **options):
    inputs = AutoTokenizer.from_pretrained(name, **options)({TEXTS!r}, padding=True, return_tensors="pt")
    keep = torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    keep[:, 2:5] = False
    with torch.no_grad():
        for given in ({{}}, {{"keep": keep}}):
            print(model.eval()(**inputs, **given).logits.numpy().tobytes().hex())
"""


def expected(folder: Path) -> list[str]:
    """Logits of the model where it was made, in bits: whole, and with weights erased."""
    model = AttentionPoolingForSequenceClassification.from_pretrained(folder).eval()
    inputs = tiny_tokenizer()(TEXTS, padding=True, return_tensors="pt")
    keep = torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    keep[:, 2:5] = False
    with torch.no_grad():
        logits = [model(**inputs, **given).logits for given in ({}, {"keep": keep})]
    assert not torch.equal(*logits)
    return [each.numpy().tobytes().hex() for each in logits]


def test_there_and_back_with_the_package(hub, owner, run, data, tmp_path):
    name = "user/there-and-back"
    push = ["push", run, name, "--private", "--tag", "v1", "--license", "apache-2.0", "--language", "en"]
    first, again = owner.run(push, push)
    assert (first.code, again.code) == (0, 0), (first, again)
    repository = hub.repository(name)
    assert repository.private
    assert len(repository.commits) == 2  # the hub's own, and one
    commit = repository.head().sha
    assert repository.tags == {"v1": commit}
    assert f"pushed to {hub.url}/{name} (commit {commit}, tag v1)" in first.out
    assert f"unchanged at {hub.url}/{name} (commit {commit}, tag v1)" in again.out

    results = tmp_path / "results"
    erase = ["erase", name, "--revision", "v1", "--data.path", data, "--output_dir", results, "--cpu"]
    erased = owner.run(erase)[0]
    assert erased.code == 0, erased
    summary = json.loads((results / "summary.json").read_text())
    assert summary["setup"]["model"]["revision"] == commit
    here = json.loads((run / "erasure" / "summary.json").read_text())
    assert summary["rankings"] == here["rankings"]
    assert summary["setup"]["model"]["weights"] == here["setup"]["model"]["weights"]

    code = f"""
import eraserhead
from transformers import AutoModelForSequenceClassification, pipeline
{LOGITS}
name = {name!r}
for kind in (AutoModelForSequenceClassification, eraserhead.AttentionPoolingForSequenceClassification):
    logits(kind.from_pretrained(name), name)
classify = pipeline("text-classification", model=name)
print(type(classify).__module__, round(classify({TEXTS[0]!r}, top_k=None)[0]["score"], 6))
"""
    done = owner.python(code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert lines[:4] == 2 * expected(run)
    assert lines[4].startswith("eraserhead.models.pipeline_attention_pooling ")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """Python of a fresh environment with what is installed here, but without this package and without sentencex."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            ours = "eraserhead" in entry.name or entry.name.startswith(("sentencex", "__editable__"))
            if not ours and entry.suffix != ".pth" and not (packages / entry.name).exists():
                (packages / entry.name).symlink_to(entry)
    return str(folder / "bin" / "python")


def test_without_the_package_the_same_logits_to_the_last_bit(hub, owner, run, bare, tmp_path):
    flat, deep, long = "user/flat", "user/deep", "user/long"
    folder = saved_hierarchical(tmp_path / "deep", "rnn")
    windowed = Path(saved_limited(tmp_path / "long", tokens=5, long_documents="windows", window_overlap=1))
    done = owner.run(["push", run, flat], ["push", folder, deep], ["push", windowed, long])
    assert [each.code for each in done] == [0, 0, 0], done
    code = f"""
from importlib.util import find_spec
assert find_spec("eraserhead") is None and find_spec("sentencex") is None
from transformers import AutoModelForSequenceClassification, pipeline
{LOGITS}
name, options = {flat!r}, {{"trust_remote_code": True}}
logits(AutoModelForSequenceClassification.from_pretrained(name, **options), name, **options)
classify = pipeline("text-classification", model=name, **options)
print(type(classify).__name__, round(classify({TEXTS[0]!r}, top_k=None)[0]["score"], 6))
deep = pipeline("text-classification", model={deep!r}, **options)
try:
    deep("A fine cast.")
except ImportError as error:
    print(error)
try:
    AutoModelForSequenceClassification.from_pretrained(name, trust_remote_code=False)
except ValueError as error:
    print("refused", "trust_remote_code" in str(error))
logits(AutoModelForSequenceClassification.from_pretrained({long!r}, **options), {long!r}, **options)
print(pipeline("text-classification", model={long!r}, **options)({LONG!r}, top_k=None)[0]["score"])
"""
    stranger = Client(hub, tmp_path / "stranger", None)
    done = stranger.python(code, executable=bare, PYTHONPATH="")  # which may lead to this package
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert lines[:2] == expected(run)
    assert lines[2].startswith("AttentionPoolingPipeline 0.")
    assert "pip install sentencex" in lines[3]
    assert lines[4] == "refused True"
    assert lines[5:7] == expected(windowed)
    own = eraserhead.erase(str(windowed), [LONG], draws=1, cpu=True).documents
    assert float(lines[7]) == pytest.approx(max(own.probabilities[0]), abs=1e-5)
    assert own.n[0] == len(LONG.split()) > 64  # beyond what the encoder reads at once


def test_what_is_published_and_what_is_not(hub, owner, run, data, tmp_path):
    plain, texts = "user/plain", "user/texts"
    done = owner.run(["push", run, plain], ["push", run, texts, "--include_texts"], ["push", run, texts])
    assert [each.code for each in done] == [0, 0, 0], done
    files = hub.repository(plain).files()
    assert {*files} == {
        *(".gitattributes", "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
        *(
            "architecture.py",
            "configuration_attention_pooling.py",
            "context.py",
            "encoders.py",
            "heads.py",
            "long_documents.py",
            "outputs.py",
            "special_tokens.py",
        ),
        *("modeling_attention_pooling.py", "pipeline_attention_pooling.py", "pooling.py", "splitting.py"),
        *("training.json", "summary.json", "flips.parquet", "erasure.png"),
    }
    rows = [json.loads(line)["text"] for line in (data / "test.jsonl").read_text().splitlines()]
    secret = [run, run.parent, data, data.parent, tmp_path, Path.home(), hub.write_token]
    for name, content in files.items():
        for text in [*map(str, secret), *(row for row in rows if len(row) > 30)]:
            assert text.encode() not in content, (name, text)
    summary = json.loads(files["summary.json"])["setup"]
    assert summary["model"]["name"] == plain
    assert re.fullmatch(rf"data \(sha256 {summary['data']['fingerprint'][:16]}\)", summary["data"]["path"])
    training = json.loads(files["training.json"])
    assert training["config"]["model"]["encoder"] == "encoder"
    assert training["config"]["data"]["path"].startswith("data (sha256 ")
    assert json.loads(files["config.json"])["encoder_config"]["_name_or_path"] == ""

    history = hub.repository(texts).commits
    for name in ("documents.parquet", "signals.parquet"):
        assert name in history[1].files
        assert name not in history[2].files  # the second push took the texts away again
    assert {*history[2].files} == {*files}


def test_the_card_is_valid_and_says_what_the_results_say(hub, owner, run):
    name = "user/card"
    assert owner.run(["push", run, name, "--license", "mit", "--language", "en,de"])[0].code == 0
    text = hub.repository(name).files()["README.md"].decode()
    card = ModelCard(text)
    results = card.data.eval_results
    assert (card.data.license, card.data.language, card.data.pipeline_tag) == (
        "mit", ["en", "de"], "text-classification",
    )  # fmt: skip
    metrics = json.loads((run / "metrics.json").read_text())["test"]
    summary = json.loads((run / "erasure" / "summary.json").read_text())
    found = {result.metric_type: result.metric_value for result in results}
    assert found["accuracy"] == round(metrics["accuracy"], 3)
    for ranking, numbers in summary["rankings"].items():
        median = numbers["fraction"]["median"]["value"]
        assert found.get(f"erased_fraction_{ranking}") == (None if median is None else round(median, 3))
        assert f"| {ranking} | {numbers['fraction']['q25']['value']:.3f}" in text
    assert any(request.path.startswith("/api/validate-yaml") for request in hub.requests)
    assert owner.run(["push", run, name])[0].code == 0  # what the card says already is not lost
    again = ModelCard(hub.repository(name).files()["README.md"].decode()).data
    assert (again.license, again.language) == ("mit", ["en", "de"])
    assert len(hub.repository(name).commits) == 2


def test_the_hub_refuses_what_is_no_card(hub):
    """Positive control: the loopback hub does look at cards."""
    body = json.dumps({"repoType": "model", "content": "---\nmodel-index: 3\n---\n"}).encode()
    request = urllib.request.Request(
        f"{hub.url}/api/validate-yaml", body, {"Content-Type": "application/json"}, method="POST"
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request)


def test_pushes_that_fail_leave_nothing_half_done(hub, owner, run, warm, tmp_path):
    hub.add("user/public", files={"a.txt": b"x"})
    hub.add("user/tagged", files={"a.txt": b"x"})
    hub.repository("user/tagged").tags["v1"] = hub.repository("user/tagged").head().sha
    hub.add("somebody/else", files={"a.txt": b"x"})
    hub.faults += [
        Fault("PUT", r"user/interrupted", times=-1, status=400, message="no space left"),
        Fault("POST", r"user/refused/commit", times=-1, status=403, message="Forbidden"),
        Fault("POST", r"user/out-of-order/commit", times=-1, status=500),
    ]
    before = len(hub.faults)
    interrupted, refused, out, public, tagged, other = owner.run(
        ["push", run, "user/interrupted"],
        ["push", run, "user/refused"],
        ["push", run, "user/out-of-order"],
        ["push", run, "user/public", "--private"],
        ["push", run, "user/tagged", "--tag", "v1"],
        ["push", run, "somebody/else"],
    )
    assert "user/interrupted" in interrupted.line
    assert "403" in refused.line
    assert "try again later" in out.line
    assert "is public" in public.line
    assert "'v1'" in tagged.line
    assert "403" in other.line
    for name in ("interrupted", "refused", "out-of-order", "public", "tagged"):
        assert len(hub.repository(f"user/{name}").commits) == 1, name
    del hub.faults[before - 3 :]
    again = owner.run(*(["push", run, f"user/{name}"] for name in ("interrupted", "refused", "out-of-order")))
    assert [each.code for each in again] == [0, 0, 0], again
    for name in ("interrupted", "refused", "out-of-order"):
        assert len(hub.repository(f"user/{name}").commits) == 2, name

    hub.faults.append(Fault("POST", r"user/untagged/tag", times=-1, status=403, message="no tags"))
    untagged = owner.run(["push", run, "user/untagged", "--tag", "v1"])[0]
    commit = hub.repository("user/untagged").head().sha
    assert f"pushed (commit {commit}), but not tagged 'v1'" in untagged.line

    nobody, reader = (
        Client(hub, tmp_path / who, token, warm) for who, token in (("no", None), ("read", hub.read_token))
    )
    assert "hf auth login" in nobody.run(["push", run, "user/nobody"])[0].line
    assert "403" in reader.run(["push", run, "user/reader"])[0].line
    assert not hub.has("user/nobody")
    assert not hub.has("user/reader")


def test_a_push_that_is_killed_in_the_middle_of_the_upload_can_be_done_again(hub, owner, run):
    fault = Fault("PUT", r"user/killed", times=-1, status=503)  # the client keeps trying for a while
    hub.faults.append(fault)
    push = json.dumps([["push", str(run), "user/killed"]])
    process = subprocess.Popen([sys.executable, "-c", DRIVER, push], env=owner.environment)
    while not fault.hits:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    hub.faults.remove(fault)
    assert len(hub.repository("user/killed").commits) == 1
    assert owner.run(["push", run, "user/killed"])[0].code == 0
    assert len(hub.repository("user/killed").commits) == 2
    assert "model.safetensors" in hub.repository("user/killed").files()


class SomebodyElse(Fault):
    """Not the hub's fault: another commit is made while this one is on its way."""

    hub: Hub

    def matches(self, method: str, path: str) -> bool:
        if super().matches(method, path):
            self.times = 0
            self.hub.commit("user/contested", {"handler.py": b"theirs", "README.md": b"# theirs"})
        return False


def test_a_push_does_not_undo_another(hub, owner, run):
    fault = SomebodyElse("POST", r"user/contested/commit")
    fault.hub = hub
    hub.faults.append(fault)
    push = ["push", run, "user/contested"]
    first, second = owner.run(push, push)
    theirs = hub.repository("user/contested").commits[1].sha
    assert f"somebody else pushed meanwhile ({theirs[:8]})" in first.line
    assert second.code == 0, second  # having been told, the owner pushes again; files that are not ours stay
    assert len(hub.repository("user/contested").commits) == 3
    assert hub.repository("user/contested").files()["handler.py"] == b"theirs"


def test_pushes_go_on_after_faults_that_pass(hub, owner, run):
    hub.faults += [
        Fault("POST", r"/api/repos/create", status=429, headers={"Retry-After": "1"}),
        Fault("PUT", r"user/patient", times=2, status=500),
        Fault("POST", r"user/patient/commit", times=3, status=500),
        Fault("POST", r"user/unheard/commit", drop_after=True),
    ]
    done = owner.run(["push", run, "user/patient", "--tag", "v1"], ["push", run, "user/unheard", "--tag", "v1"])
    assert [each.code for each in done] == [0, 0], done
    for name in ("user/patient", "user/unheard"):
        repository = hub.repository(name)
        assert len(repository.commits) == 2, name  # the answer that got lost is no reason to commit again
        assert repository.tags == {"v1": repository.head().sha}
    assert all(fault.hits == fault.times for fault in hub.faults[-4:])
    assert "trying again in 0.05 s" in done[0].err


def test_a_model_of_the_hub_is_exported_at_a_revision(hub, owner, run, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    name, folder = "user/exported", tmp_path / "graph"
    export = ["export", name, "--revision", "v1", "--output_dir", folder]
    pushed, exported, again, replaced = owner.run(
        ["push", run, name, "--tag", "v1"], export, export, [*export, "--overwrite"]
    )
    assert (pushed.code, exported.code, replaced.code) == (0, 0, 0), (pushed, exported, replaced)
    assert f"{folder}: holds an exported model" in again.line
    assert {"model.onnx", "config.json", "tokenizer.json"} <= {file.name for file in folder.iterdir()}


def test_files_of_another_tokenizer_go_and_others_stay(hub, owner, run):
    there = {"added_tokens.json": b'{"zzz": 27}', "special_tokens_map.json": b'{"unk_token": "never"}'}
    hub.add("user/before", files=there | {"handler.py": b"theirs"})
    assert owner.run(["push", run, "user/before"])[0].code == 0
    files = hub.repository("user/before").files()
    assert "handler.py" in files
    assert not {*there} & {*files}


def test_a_branch_of_its_own(hub, owner, run):
    done = owner.run(["push", run, "user/branches", "--revision", "trial"])
    assert done[0].code == 0, done
    repository = hub.repository("user/branches")
    assert "model.safetensors" in repository.files("trial")
    assert "model.safetensors" not in repository.files("main")


def published(run: Path) -> dict[str, bytes]:
    """A model as it stands on the hub, for tests that only load."""
    assert main(["push", str(run), "user/model", "--dry_run"]) == 0
    return {file.name: file.read_bytes() for file in (run / "hub").iterdir()}


def test_downloads_that_fail_are_one_line_and_leave_nothing_damaged(hub, run, warm, tmp_path):
    files = published(run)
    for name in ("halved", "busy", "limited", "flipped", "spoilt", "whole"):
        hub.add(f"user/{name}", files=files)
    hub.add("user/gated", files=files, gated=True)
    hub.add("user/hidden", files=files, private=True)
    pickled = {name: content for name, content in files.items() if not name.endswith(".safetensors")}
    hub.add("user/pickled", files=pickled | {"pytorch_model.bin": b"cos\nsystem\n(S'true'\ntR."})
    foreign = {"model_type": "never_heard_of", "auto_map": {"AutoConfig": "code.Config"}}
    hub.add("user/foreign", files={"config.json": json.dumps(foreign).encode(), "code.py": b"raise SystemExit(7)"})
    hub.faults += [
        Fault("GET", r"user/halved/resolve/.*safetensors", cut_after=1000),
        Fault("GET", r"api/models/user/busy", times=3, status=500),
        Fault("GET", r"user/limited/resolve", status=429, headers={"Retry-After": "1"}),
        Fault("GET", r"user/flipped/resolve/.*safetensors", corrupt=True),
        Fault("GET", r"user/spoilt/resolve/.*safetensors", times=2, corrupt=True),
    ]
    nobody = Client(hub, tmp_path / "nobody", None, warm)

    def explain(name: str, *options: str) -> list[object]:
        return ["explain", name, TEXTS[0], "--cpu", *options]

    good = ("halved", "busy", "limited", "flipped")
    bad = ("spoilt", "gated", "hidden", "missing", "pickled", "foreign")
    done = nobody.run(
        *(explain(f"user/{name}") for name in (*good, *bad)),
        explain("user/whole", "--revision", "v9"),
        explain("user/spoilt"),
        explain("no//name"),
    )
    ended = dict(zip((*good, *bad, "revision", "again", "name"), done, strict=True))
    for name in (*good, "again"):
        assert ended[name].code == 0, ended[name]
        assert ended[name].out == ended["halved"].out
    assert all(fault.hits == fault.times for fault in hub.faults[-5:])
    assert "model.safetensors: damaged" in ended["flipped"].err
    expected_words = {
        "spoilt": "model.safetensors arrived damaged twice",
        "gated": "gated: ask for access",
        "hidden": "private and there is no token",
        "missing": "not on the hub",
        "pickled": "refused by torch.load(weights_only=True)",
        "foreign": "--trust_remote_code",
        "revision": "has no revision 'v9'",
        "name": "valid hub id",
    }
    for name, words in expected_words.items():
        assert words in ended[name].line, name
    for blob in nobody.blobs:  # the cache holds nothing that is not what its name says
        if len(blob.name) == 64:
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    assert sum(len(blob.name) == 64 for blob in nobody.blobs) >= 5


def test_data_sets_and_encoders_of_the_hub(hub, warm, tmp_path, data):
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    folder = tmp_path / "imdb"
    folder.mkdir()
    for split, part in {"train": rows[:40], "test": rows[40:]}.items():
        labels = [int(row["label"] == "pos") for row in part]
        pq.write_table(pa.table({"text": [row["text"] for row in part], "label": labels}), folder / f"{split}.parquet")
    dataset = hub.add("stanfordnlp/imdb", folder, "dataset", subset="plain_text")
    encoder = hub.add("user/encoder", Path(tiny_encoder(tmp_path / "encoder")))
    hub.faults += [
        Fault("GET", r"stanfordnlp/imdb/resolve/.*train.parquet", corrupt=True),
        Fault("GET", r"stanfordnlp/imdb/resolve/.*test.parquet", cut_after=100),
        Fault("GET", r"api/datasets/stanfordnlp/imdb", times=2, status=500),
    ]
    client = Client(hub, tmp_path / "home", None, warm)
    options = [
        "--data.name",
        "imdb",
        "--model.encoder",
        "user/encoder",
        "--data.validation_size",
        10,
        "--training.epochs",
        1,
    ]
    train = ["train", *options, "--cpu", "--output_dir"]
    erase = ["erase", tmp_path / "one", "--cpu", "--output_dir"]
    done = client.run([*train, tmp_path / "one"], [*erase, tmp_path / "erased"])
    assert [each.code for each in done] == [0, 0], done
    assert all(fault.hits == fault.times for fault in hub.faults[-3:])
    assert json.loads((tmp_path / "one" / "environment.json").read_text())["encoder"] == {
        "name": "user/encoder",
        "revision": encoder,
    }
    documents = json.loads((tmp_path / "one" / "data.json").read_text())["documents"]
    assert {role: found["revision"] for role, found in documents.items()} == dict.fromkeys(
        ("train", "validation", "test"), dataset
    )
    summary = json.loads((tmp_path / "erased" / "summary.json").read_text())["setup"]
    assert summary["data"]["revision"] == dataset

    asked = len(hub.requests)
    done = client.run([*train, tmp_path / "two"], [*erase, tmp_path / "again"], HF_HUB_OFFLINE="1")
    assert [each.code for each in done] == [0, 0], done
    assert len(hub.requests) == asked
    assert (
        json.loads((tmp_path / "again" / "summary.json").read_text())["rankings"]
        == json.loads((tmp_path / "erased" / "summary.json").read_text())["rankings"]
    )

    code = """
from datasets import load_dataset
rows = load_dataset("stanfordnlp/imdb", "plain_text", split="test", streaming=True)
print(len(list(rows)), next(iter(rows))["text"])
"""
    streamed = Client(hub, tmp_path / "fresh", None, warm).python(code)
    assert streamed.stdout.strip() == f"{len(rows) - 40} {rows[40]['text']}", streamed.stderr


def test_training_pushes_the_best_models_and_the_finished_one(hub, owner, data, tmp_path):
    encoder = tiny_encoder(tmp_path / "encoder")
    options = [
        "--data.path",
        data,
        "--model.encoder",
        encoder,
        "--training.epochs",
        5,
        "--training.learning_rate",
        0.05,
    ]
    options += ["--cpu", "--push_every", "best", "--push_private", "--output_dir", tmp_path / "run", "--push_to_hub"]
    hub.faults.append(Fault("POST", r"user/failing/commit", times=-1, status=403, message="quota"))
    trained, again = owner.run(["train", *options, "user/trained"], ["train", *options, "user/trained"])
    assert (trained.code, again.code) == (0, 0), (trained, again)
    repository = hub.repository("user/trained")
    best = json.loads((tmp_path / "run" / "metrics.json").read_text())["best_epoch"]
    assert repository.private
    assert len(repository.commits) >= 3  # the hub's own, a best model, the finished one with its test metrics
    assert (
        "test" not in json.loads(repository.commits[1].files["training.json"])["metrics"]
        or not json.loads(repository.commits[1].files["training.json"])["metrics"]["test"]
    )
    assert json.loads(repository.files()["training.json"])["metrics"]["best_epoch"] == best
    assert json.loads(repository.files()["training.json"])["metrics"]["test"]["accuracy"] >= 0
    assert "unchanged at" in again.out
    nothing = owner.run(["train", "--data.name", "planted", "--push_every", "best"])[0]
    assert "nothing is pushed without --push_to_hub" in nothing.line
    options[options.index(tmp_path / "run")] = tmp_path / "other"
    failed = owner.run(["train", *options, "user/failing"])[0]
    assert "is complete: `eraserhead push" in failed.line
    assert "training goes on" in failed.err
    assert (tmp_path / "other" / "model.safetensors").is_file()
    assert len(hub.repository("user/failing").commits) == 1


def test_an_ordinary_classifier_with_results_from_inside(hub, owner, data, tmp_path):
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=27, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=29,
        max_position_embeddings=64, initializer_range=0.4, id2label={0: "neg", 1: "pos"}, label2id={"neg": 0, "pos": 1},
    )  # fmt: skip
    folder = tmp_path / "bert"
    BertForSequenceClassification(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    erase = ["erase", folder, "--data.path", data, "--cpu", "--output_dir", tmp_path / "inside"]
    push = ["push", folder, "user/ordinary", "--erasure", tmp_path / "inside"]
    load = ["explain", "user/ordinary", TEXTS[0], "--cpu"]
    done = owner.run(erase, push, load)
    assert [each.code for each in done] == [0, 0, 0], done
    files = hub.repository("user/ordinary").files()
    assert not any(name.endswith(".py") for name in files)
    assert "auto_map" not in json.loads(files["config.json"])
    card = files["README.md"].decode()
    assert "upper bound" in card
    assert "trust_remote_code" not in card


def test_results_of_another_model_are_refused(run, tmp_path, capfd):
    other = saved_hierarchical(tmp_path)
    assert main(["push", other, "user/x", "--erasure", str(run / "erasure"), "--dry_run"]) == 2
    assert "erasure results of another model" in capfd.readouterr().err
    assert not (Path(other) / "hub").exists()
    assert main(["push", str(tmp_path / "nothing"), "user/x", "--dry_run"]) == 2
    assert "no such folder" in capfd.readouterr().err


def test_a_dry_run_prints_the_card_and_asks_nobody(run, capfd):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert main(["push", str(run), "user/dry", "--dry_run"]) == 0
    out = capfd.readouterr().out
    card = (run / "hub" / "README.md").read_text()
    assert card.strip() in out
    assert f"nothing was pushed; the folder to push is {run / 'hub'}" in out
    assert (run / "hub" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()
    assert found_results(run).path == run / "erasure"  # what was left to push is passed over


def test_a_dry_run_replaces_what_it_wrote_and_nothing_else(run, tmp_path, capfd):
    model = tmp_path / "model"
    shutil.copytree(run, model, ignore=shutil.ignore_patterns("hub"))
    dry = ["push", str(model), "user/dry", "--dry_run"]
    assert main(dry) == 0
    assert main(dry) == 0
    card, first = model / "hub" / "README.md", {path.name for path in (model / "hub").iterdir()}
    written = card.read_text()
    for file, content in ((card, written + "My own words.\n"), (model / "hub" / "notes.txt", "mine")):
        file.write_text(content)
        capfd.readouterr()
        assert main(dry) == 2
        assert f"{file}: not as a dry run writes it, and a dry run would replace it" in capfd.readouterr().err
        assert file.read_text() == content
        card.write_text(written)
    (model / "hub" / "notes.txt").unlink()
    (model / "hub" / "config.json").unlink()
    assert main(dry) == 0
    assert {path.name for path in (model / "hub").iterdir()} == first
    assert not list(model.glob(".hub*"))


@pytest.mark.parametrize("file", ["tokenizer.json", "erasure/flips.parquet"])
def test_what_is_damaged_is_not_published(run, tmp_path, capfd, file):
    model = tmp_path / "model"
    shutil.copytree(run, model, ignore=shutil.ignore_patterns("hub"))
    content = bytearray((model / file).read_bytes())
    content[len(content) // 2] ^= 1
    (model / file).write_bytes(content)
    assert main(["push", str(model), "user/dry", "--dry_run"]) == 2
    assert f"{model / file}: damaged (its digest differs" in capfd.readouterr().err
    assert not (model / "hub").exists()
