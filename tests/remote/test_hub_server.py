"""The hub of tests/hub_server.py against the real clients, which know nothing of it but its address."""

import hashlib
import http.client
import json
import re
import socket
import subprocess
import sys
import textwrap
import time
from base64 import b64encode
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hub_server
from hub_server import Fault, Hub, Request

pytestmark = pytest.mark.hub

TEXT = "déjà vu\n".encode()
WEIGHTS = bytes(range(251)) * 11
BINARY = b"\x89PNG\r\n\x00\x01"
CARD = b"---\nlicense: mit\ntags:\n- attention\n---\nA model.\n"
PRELUDE = """
import json, sys
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from pathlib import Path

api, told = HfApi(), {}

def failure(function, *values, **named):
    try:
        function(*values, **named)
    except Exception as error:
        return [type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)]

def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes().hex()
            for path in Path(folder).rglob("*") if path.is_file()}
"""


@pytest.fixture
def hub():
    with Hub() as running:
        yield running


def client(hub: Hub, home: Path, code: str, token: str | None = None, **environment: str) -> dict:
    """What a process of its own, with the real client and nothing cached but in `home`, wrote into `told`."""
    code = f"{PRELUDE}{textwrap.dedent(code)}\nprint(json.dumps(told))"
    surroundings = hub.environment(home, token) | environment
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def ask(hub: Hub, method: str, path: str, body: bytes | None = None, token: str | None = None, **headers: str):
    """The status, the headers and the body of an answer; http.client hides nothing and repeats nothing."""
    connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body, headers | ({"Authorization": f"Bearer {token}"} if token else {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def git_oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def commit_lines(*operations: dict, **header: str) -> bytes:
    lines = [{"key": "header", "value": {"summary": "by hand"} | header}, *operations]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def added(path: str, content: bytes) -> dict:
    return {"key": "file", "value": {"path": path, "content": b64encode(content).decode(), "encoding": "base64"}}


# --- models ----------------------------------------------------------------------------------------------------------


def test_what_is_pushed_is_read_back_byte_for_byte(hub, tmp_path):
    """LFS files and others, whole and as listed; a second push of the same files makes no commit."""
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    files = {"README.md": CARD, "notes.txt": TEXT, "model.safetensors": WEIGHTS}
    files |= {
        "images/a.png": BINARY,
        "empty.bin": b"",
    }  # the one in LFS for what it holds, the other not though named so
    for path, content in files.items():
        (source / path).write_bytes(content)
    told = client(
        hub,
        tmp_path / "home",
        f"""
        source = Path({str(source)!r})
        def push(**named):
            operations = [CommitOperationAdd(path.relative_to(source).as_posix(), str(path))
                          for path in source.rglob("*") if path.is_file()]
            return api.create_commit("user/model", operations, commit_message="all", **named)
        told["url"] = api.create_repo("user/model", private=True)
        told["exists"] = failure(api.create_repo, "user/model")
        told["again"] = api.create_repo("user/model", exist_ok=True)
        told["first"], told["second"] = push().oid, push().oid
        told["files"] = contents(snapshot_download("user/model"))
        told["at"] = contents(snapshot_download("user/model", revision=told["first"]))
        info = api.model_info("user/model", files_metadata=True)
        told["info"] = [info.sha, info.private, info.gated, info.tags, info.card_data.license]
        told["siblings"] = {{one.rfilename: [one.size, one.blob_id, one.lfs and one.lfs.sha256]
                            for one in info.siblings}}
        tree = list(api.list_repo_tree("user/model", recursive=True))
        told["tree"] = {{one.path: one.blob_id for one in tree if hasattr(one, "blob_id")}}
        told["folders"] = [one.path for one in tree if hasattr(one, "tree_id")]
        told["top"] = [one.path for one in api.list_repo_tree("user/model")]
        told["paths"] = [one.path for one in api.get_paths_info("user/model", ["images", "notes.txt", "no.txt"])]
        told["unmoved"] = push(parent_commit="0" * 40).oid
        told["moved"] = failure(api.create_commit, "user/model", [CommitOperationAdd("notes.txt", b"else")],
                                commit_message="late", parent_commit="0" * 40)
        api.create_commit("user/model", [CommitOperationDelete("images/"), CommitOperationDelete("notes.txt")],
                          commit_message="less", parent_commit=told["second"])
        told["missing"] = failure(api.delete_file, "notes.txt", "user/model")
        told["left"] = sorted(contents(snapshot_download("user/model")))
        """,
        hub.write_token,
    )
    repository = hub.repository("user/model")
    initial, pushed, less = repository.commits
    attributes = {".gitattributes": initial.files[".gitattributes"]}
    assert told["url"] == told["again"] == f"{hub.url}/user/model"
    assert told["exists"] == ["HfHubHTTPError", 409]
    assert told["first"] == told["second"] == pushed.sha
    assert (pushed.message, pushed.parent, less.parent) == ("all", initial.sha, pushed.sha)
    assert pushed.files == files | attributes
    assert told["files"] == told["at"] == {path: content.hex() for path, content in pushed.files.items()}
    assert told["info"] == [pushed.sha, True, False, ["attention"], "mit"]
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(WEIGHTS)}\nsize 2761\n".encode()
    assert told["siblings"]["model.safetensors"] == [len(WEIGHTS), git_oid(pointer), sha256(WEIGHTS)]
    assert told["siblings"]["images/a.png"][2] == sha256(BINARY)
    assert told["siblings"]["notes.txt"] == [len(TEXT), git_oid(TEXT), None]
    assert told["siblings"]["empty.bin"] == [0, git_oid(b""), None]
    assert told["tree"] == {path: oid for path, (_, oid, _) in told["siblings"].items()}
    assert told["folders"] == ["images"]
    assert sorted(told["top"]) == sorted({path.partition("/")[0] for path in pushed.files})
    assert told["paths"] == ["images", "notes.txt"]
    assert told["moved"] == ["HfHubHTTPError", 412]
    assert told["unmoved"] == pushed.sha  # with nothing to change, the client never asks about the parent
    assert told["missing"] == ["RemoteEntryNotFoundError", 404]
    assert told["left"] == [".gitattributes", "README.md", "empty.bin", "model.safetensors"]
    assert repository.files() == {path: content for path, content in pushed.files.items() if path in told["left"]}
    uploads = [request.path[-64:] for request in hub.requests if request.method == "PUT"]
    assert sorted(uploads) == sorted([sha256(WEIGHTS), sha256(BINARY)])  # each once, though pushed twice


def test_branches_and_tags(hub, tmp_path):
    first = hub.add("user/model", files={"a.txt": b"1"})
    second = hub.commit("user/model", {"a.txt": b"2"})
    told = client(
        hub,
        tmp_path,
        f"""
        def read(revision):
            return Path(hf_hub_download("user/model", "a.txt", revision=revision)).read_text()
        api.create_tag("user/model", tag="v1", revision={first!r})
        told["again"] = failure(api.create_tag, "user/model", tag="v1")
        api.create_tag("user/model", tag="v1", exist_ok=True)
        api.create_branch("user/model", branch="try/this", revision="v1")
        told["branch again"] = failure(api.create_branch, "user/model", branch="try/this")
        told["read"] = [read("v1"), read("try/this"), read("main"), read({first!r})]
        api.create_commit("user/model", [CommitOperationAdd("a.txt", b"3")], commit_message="3", revision="try/this")
        told["changed"] = read("try/this")
        refs = api.list_repo_refs("user/model")
        told["refs"] = {{ref.ref: ref.target_commit for ref in refs.branches + refs.tags}}
        api.delete_tag("user/model", tag="v1")
        told["deleted"] = [failure(api.delete_tag, "user/model", tag="v1"), failure(read, "v2")]
        """,
        hub.write_token,
    )
    repository = hub.repository("user/model")
    third = repository.commits[-1].sha
    assert told["again"] == told["branch again"] == ["HfHubHTTPError", 409]
    assert (told["read"], told["changed"]) == (["1", "1", "2", "1"], "3")
    assert told["refs"] == {"refs/heads/main": second, "refs/heads/try/this": third, "refs/tags/v1": first}
    assert told["deleted"] == [["RevisionNotFoundError", 404], ["RevisionNotFoundError", 404]]
    assert (repository.branches, repository.tags) == ({"main": second, "try/this": third}, {})
    assert repository.head("try/this").parent == first
    assert repository.files("try/this") == {"a.txt": b"3"}


def test_who_may_do_what(hub, tmp_path):
    """A token's owner reads what is named after him; a stranger learns no more of a private name than of none."""
    names = ["user/open", "user/private", "user/gated", "other/open", "other/private", "other/gated", "other/none"]
    for name in names[:-1]:
        hub.add(name, private="private" in name, gated="gated" in name, files={"a.txt": b"1"})
    told = client(
        hub,
        tmp_path,
        f"""
        def info(name, token):
            api.repo_info(name, token=token)
        def read(name, token):
            hf_hub_download(name, "a.txt", token=token, cache_dir=f"{tmp_path}/{{token}}")
        def write(name, token):
            operations = [CommitOperationAdd("a.txt", str((name, token)).encode())]
            api.create_commit(name, operations, commit_message="x", token=token)
        tokens = {{"nobody": False, "reader": {hub.read_token!r}, "writer": {hub.write_token!r}, "forger": "hf_x"}}
        for function in (info, read, write):
            for who, token in tokens.items():
                told[function.__name__ + " " + who] = [failure(function, name, token) for name in {names!r}]
        told["create"] = [failure(api.create_repo, name, token=token)
                          for name, token in [("user/new", tokens["reader"]), ("other/new", tokens["writer"])]]
        told["names"] = [api.whoami(token=tokens[who])["name"] for who in ("reader", "writer")]
        told["nobody"] = failure(api.whoami, token="hf_x")
        """,
    )
    missing, anonymous = ["RepositoryNotFoundError", 404], ["RepositoryNotFoundError", 401]
    gated, closed = ["GatedRepoError", 403], ["GatedRepoError", 401]
    forbidden, forged = ["HfHubHTTPError", 403], ["HfHubHTTPError", 401]
    assert told["info nobody"] == [None, anonymous, None, None, anonymous, None, anonymous]
    assert told["info reader"] == told["info writer"] == [None, None, None, None, missing, None, missing]
    assert told["read nobody"] == [None, anonymous, closed, None, anonymous, closed, anonymous]
    assert told["read reader"] == told["read writer"] == [None, None, None, None, missing, gated, missing]
    assert told["write nobody"] == [forged, anonymous, forged, forged, anonymous, forged, anonymous]
    assert told["write reader"] == [forbidden] * 4 + [missing, forbidden, missing]
    assert told["write writer"] == [None, None, None, forbidden, missing, forbidden, missing]
    assert told["info forger"] == told["read forger"] == told["write forger"] == [forged] * 7
    assert told["create"] == [forbidden, forbidden]
    assert (told["names"], told["nobody"]) == (["user", "user"], ["HfHubHTTPError", 401])
    assert [len(hub.repository(name).commits) for name in names[:-1]] == [2, 2, 2, 1, 1, 1]
    assert not hub.has("user/new")


def test_transformers_push_and_load_again(hub, tmp_path):
    told = client(
        hub,
        tmp_path,
        """
        import torch
        from transformers import AutoConfig, AutoModel, BertConfig, BertModel
        torch.manual_seed(0)
        config = BertConfig(vocab_size=13, hidden_size=6, num_hidden_layers=1, num_attention_heads=2,
                            intermediate_size=7, max_position_embeddings=5)
        model = BertModel(config)
        model.push_to_hub("user/bert", private=True)
        again = AutoModel.from_pretrained("user/bert")
        told["sizes"] = [again.config.vocab_size, AutoConfig.from_pretrained("user/bert").intermediate_size]
        told["equal"] = all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
        """,
        hub.write_token,
    )
    repository = hub.repository("user/bert")
    assert told == {"sizes": [13, 7], "equal": True}
    assert {"config.json", "model.safetensors"} <= set(repository.files())
    assert repository.private


# --- cards -----------------------------------------------------------------------------------------------------------


def result(**replaced) -> dict:
    whole = {"task": {"type": "t"}, "dataset": {"type": "d", "name": "D"}, "metrics": [{"type": "m", "value": 0.5}]}
    return {key: value for key, value in (whole | replaced).items() if value is not None}


def index(*results: object) -> str:
    return json.dumps({"model-index": [{"name": "a", "results": list(results)}]})


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("- a\n- b", '"metadata" must be of type object'),
        ("a: [", "invalid YAML"),
        ("tags:\n- 1", '"tags[0]" has the wrong type'),
        ('{"model-index": {"name": "a"}}', '"model-index" has the wrong type'),
        ('{"model-index": [{"results": []}]}', '"model-index[0].name" is required'),
        (index(result(task=None)), '"model-index[0].results[0].task" is required'),
        (index(result(), result(dataset={"type": "d"})), '"model-index[0].results[1].dataset.name" is required'),
        (index(result(metrics=[{"type": "m", "value": None}])), '[0].metrics[0].value" is required'),
    ],
)
def test_a_malformed_card_is_refused_and_not_committed(hub, metadata, said):
    hub.add("user/model", files={"a.txt": b"1"})
    text = f"---\n{metadata}\n---\nText"
    asked = json.dumps({"content": text, "repoType": "model"}).encode()
    status, _, body = ask(hub, "POST", "/api/validate-yaml", asked)
    assert status == 400
    assert said in json.loads(body)["errors"][0]["message"]
    lines = commit_lines(added("README.md", text.encode()))
    assert ask(hub, "POST", "/api/models/user/model/commit/main", lines, hub.write_token)[0] == 400
    assert hub.repository("user/model").files() == {"a.txt": b"1"}


def test_a_sound_card_passes_and_one_without_metadata_with_a_warning(hub):
    def validated(text: str) -> tuple[int, dict]:
        asked = json.dumps({"content": text, "repoType": "model"}).encode()
        status, _, body = ask(hub, "POST", "/api/validate-yaml", asked)
        return status, json.loads(body)

    assert validated(f"---\n{index(result())}\n---\n") == (200, {"errors": [], "warnings": []})
    assert validated(CARD.decode()) == (200, {"errors": [], "warnings": []})
    status, said = validated("No metadata")
    assert (status, said["errors"], len(said["warnings"])) == (200, [], 1)


# --- data sets -------------------------------------------------------------------------------------------------------


def test_a_data_set_is_loaded_streamed_and_found_again_offline(hub, tmp_path):
    folder = tmp_path / "imdb"
    folder.mkdir()
    for split, rows in (("train", 7), ("test", 3)):
        table = pa.table({"text": [f"{split} {row}" for row in range(rows)], "label": [row % 2 for row in range(rows)]})
        pq.write_table(table, folder / f"{split}.parquet")
    sha = hub.add("stanfordnlp/imdb", folder, kind="dataset", subset="plain_text")
    load = """
        from datasets import load_dataset
        found = load_dataset("stanfordnlp/imdb", "plain_text")
        told["rows"] = {split: [found[split][row] for row in (0, -1)] + [len(found[split])] for split in sorted(found)}
    """
    stream = """
        streamed = load_dataset("stanfordnlp/imdb", "plain_text", split="train", streaming=True)
        told["streamed"] = list(streamed)
        told["info"] = api.dataset_info("stanfordnlp/imdb").sha
    """
    online = client(hub, tmp_path / "home", textwrap.dedent(load) + textwrap.dedent(stream))
    assert online["rows"] == {
        "test": [{"text": "test 0", "label": 0}, {"text": "test 2", "label": 0}, 3],
        "train": [{"text": "train 0", "label": 0}, {"text": "train 6", "label": 0}, 7],
    }
    assert online["streamed"] == [{"text": f"train {row}", "label": row % 2} for row in range(7)]
    assert online["info"] == sha
    page = f"/datasets/stanfordnlp/imdb/resolve/{sha}/train.parquet"
    assert [request.status for request in hub.requests if (request.method, request.path) == ("GET", page)] == [200, 206]
    hub.requests.clear()
    offline = client(hub, tmp_path / "home", load, HF_HUB_OFFLINE="1")
    assert offline["rows"] == online["rows"]
    assert hub.requests == []


# --- HTTP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-", 0, 2760), ("bytes=5-9", 5, 9), ("bytes=-4", 2757, 2760), ("bytes=2700-9999", 2700, 2760)],
)
def test_part_of_a_file(hub, asked, first, last):
    sha = hub.add("user/model", files={"model.safetensors": WEIGHTS})
    status, headers, body = ask(hub, "GET", "/user/model/resolve/main/model.safetensors", Range=asked)
    assert (status, body) == (206, WEIGHTS[first : last + 1])
    assert headers["Content-Range"] == f"bytes {first}-{last}/2761"
    assert headers["X-Repo-Commit"] == sha
    assert headers["X-Linked-Etag"] == headers["ETag"] == f'"{sha256(WEIGHTS)}"'
    assert headers["X-Linked-Size"] == "2761"


def test_a_part_beyond_the_file_and_other_heads(hub):
    sha = hub.add("user/model", files={"model.safetensors": WEIGHTS, "a b/ü.txt": TEXT})
    page = "/user/model/resolve/main/"
    status, headers, _ = ask(hub, "GET", f"{page}model.safetensors", Range="bytes=2761-")
    assert (status, headers["Content-Range"]) == (416, "bytes */2761")
    status, headers, body = ask(hub, "HEAD", f"{page}a%20b/%C3%BC.txt")
    assert (status, body, headers["Content-Length"]) == (200, b"", str(len(TEXT)))
    assert (headers["ETag"], headers["X-Linked-Etag"]) == (f'"{git_oid(TEXT)}"', None)
    status, headers, _ = ask(hub, "HEAD", f"{page}no.txt")
    assert (status, headers["X-Error-Code"], headers["X-Repo-Commit"]) == (404, "EntryNotFound", sha)


def test_an_upload_is_checked_and_a_pointer_to_nothing_refused(hub):
    hub.add("user/model", files={"a.txt": b"1"})
    oid = sha256(WEIGHTS)
    pointer = {"path": "model.safetensors", "algo": "sha256", "oid": oid, "size": len(WEIGHTS)}
    lines = commit_lines({"key": "lfsFile", "value": pointer})
    asked = json.dumps({"operation": "upload", "objects": [{"oid": oid, "size": len(WEIGHTS)}]}).encode()

    def planned() -> dict:
        answer = ask(hub, "POST", "/user/model.git/info/lfs/objects/batch", asked, hub.write_token)
        return json.loads(answer[2])["objects"][0]

    def committed() -> int:
        return ask(hub, "POST", "/api/models/user/model/commit/main", lines, hub.write_token)[0]

    href = planned()["actions"]["upload"]["href"].removeprefix(hub.url)
    assert ask(hub, "PUT", href, WEIGHTS[:-1])[0] == 400
    assert committed() == 400
    assert ask(hub, "PUT", href, WEIGHTS)[0] == 200
    assert "actions" not in planned()
    assert committed() == 200
    assert hub.repository("user/model").files() == {"a.txt": b"1", "model.safetensors": WEIGHTS}


# --- faults ----------------------------------------------------------------------------------------------------------

PAGE = "/user/model/resolve/main/model.safetensors"


@pytest.fixture
def faulty(hub):
    hub.add("user/model", files={"model.safetensors": WEIGHTS})
    return hub


def test_a_status_comes_with_its_headers_and_message_as_often_as_said(faulty):
    headers = {"Retry-After": "1", "X-Error-Code": "GatedRepo"}
    fault = Fault("GET", "/resolve/main/", times=2, status=403, headers=headers, message="ask first")
    faulty.faults += [fault, Fault("*", "never/asked", status=500)]
    assert ask(faulty, "HEAD", PAGE)[0] == 200  # another method
    for _ in range(2):
        status, answered, body = ask(faulty, "GET", PAGE)
        assert (status, json.loads(body)) == (403, {"error": "ask first"})
        assert (answered["Retry-After"], answered["X-Error-Code"]) == ("1", "GatedRepo")
        assert answered["X-Error-Message"] == "ask first"
    assert ask(faulty, "GET", PAGE)[2] == WEIGHTS
    assert [fault.hits for fault in faulty.faults] == [2, 0]
    assert [request.status for request in faulty.requests] == [200, 403, 403, 200]
    assert faulty.requests[-1] == Request("GET", PAGE, 200, authorization=False, sent=0)


def test_faults_come_one_after_the_other_and_one_may_last(faulty):
    faulty.faults += [Fault("*", "model", status=500), Fault("GET", "model", times=-1, status=503)]
    assert [ask(faulty, "GET", PAGE)[0] for _ in range(4)] == [500, 503, 503, 503]
    assert [fault.hits for fault in faulty.faults] == [1, 3]
    faulty.faults.clear()
    assert ask(faulty, "GET", PAGE)[0] == 200


def test_headers_alone_change_the_right_answer(faulty):
    faulty.faults += [Fault("HEAD", "model", headers={"ETag": '"other"'})]
    status, headers, _ = ask(faulty, "HEAD", PAGE)
    assert (status, headers["ETag"], headers["X-Linked-Etag"]) == (200, '"other"', f'"{sha256(WEIGHTS)}"')


def test_a_status_below_400_has_the_message_as_its_body(faulty):
    faulty.faults += [Fault("GET", "model", status=200, headers={"Content-Type": "text/html"}, message="<p>Log in</p>")]
    status, headers, body = ask(faulty, "GET", "/api/models/user/model")
    assert (status, headers["Content-Type"], body) == (200, "text/html", b"<p>Log in</p>")


def test_a_cut_body_has_the_headers_of_the_whole(faulty):
    faulty.faults += [Fault("GET", "model", cut_after=100)]
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(faulty, "GET", PAGE)
    assert (caught.value.partial, caught.value.expected) == (WEIGHTS[:100], len(WEIGHTS) - 100)
    assert ask(faulty, "GET", PAGE)[2] == WEIGHTS


def test_a_corrupt_body_has_the_size_and_the_headers_of_the_right_one(faulty):
    faulty.faults += [Fault("GET", "model", corrupt=True)]
    status, headers, body = ask(faulty, "GET", PAGE)
    assert (status, headers["ETag"], len(body)) == (200, f'"{sha256(WEIGHTS)}"', len(WEIGHTS))
    differing = [place for place, (one, other) in enumerate(zip(body, WEIGHTS, strict=True)) if one != other]
    assert differing == list(range(1380, 1388))  # from the middle of 2761 bytes


@pytest.mark.parametrize(("drop_after", "commits"), [(True, 2), (False, 1)])
def test_a_dropped_commit_is_made_and_one_to_a_silent_server_is_not(faulty, drop_after, commits):
    faulty.faults += [Fault("POST", "/commit/", drop_after=drop_after)]
    lines = commit_lines(added("b.txt", TEXT))
    with pytest.raises(http.client.RemoteDisconnected):
        ask(faulty, "POST", "/api/models/user/model/commit/main", lines, faulty.write_token)
    assert [request.status for request in faulty.requests] == [0]
    assert len(faulty.repository("user/model").commits) == commits
    assert faulty.repository("user/model").files().get("b.txt") == (TEXT if drop_after else None)


def test_what_the_real_client_does_about_faults(hub, tmp_path):
    """It resumes a cut download, asks again after a 429, repeats an upload but no commit, and checks no hash."""
    large = bytes(range(256)) * 4096 * 12  # 12 MiB: the client writes, and so can resume, in steps of 10
    hub.add("user/model", files={"cut.bin": large, "late.txt": TEXT, "corrupt.bin": WEIGHTS})
    hub.faults += [
        Fault("GET", "cut.bin", cut_after=11 * 2**20),
        Fault("GET", "late.txt", status=429, headers={"Retry-After": "0"}),
        Fault("GET", "corrupt.bin", corrupt=True),
        Fault("PUT", "/lfs/", status=500),
        Fault("POST", "/commit/", status=500),
        Fault("POST", "/commit/", drop_after=True),
    ]
    told = client(
        hub,
        tmp_path,
        """
        import hashlib
        for name in ("cut.bin", "late.txt", "corrupt.bin"):
            told[name] = hashlib.sha256(Path(hf_hub_download("user/model", name)).read_bytes()).hexdigest()
        def push(text):
            api.create_commit("user/model", [CommitOperationAdd("new.bin", text)], commit_message="new")
        told["failures"] = [failure(push, b"new"), failure(push, b"new")]
        """,
        hub.write_token,
    )
    assert [fault.hits for fault in hub.faults] == [1] * 6
    assert told["cut.bin"] == sha256(large)
    assert told["late.txt"] == sha256(TEXT)
    assert told["corrupt.bin"] != sha256(WEIGHTS)  # over HTTP, the size is all that the client compares
    assert told["failures"] == [["HfHubHTTPError", 500], ["RemoteProtocolError", None]]

    def statuses(method: str, path: str) -> list[int]:
        return [asked.status for asked in hub.requests if asked.method == method and re.search(path, asked.path)]

    assert statuses("GET", "cut.bin") == [200, 206]
    assert statuses("GET", "late.txt") == [429, 200]
    assert statuses("PUT", "/lfs/") == [500, 200]
    assert statuses("POST", "/commit/") == [500, 0]
    assert hub.repository("user/model").files()["new.bin"] == b"new"


# --- the server itself -----------------------------------------------------------------------------------------------


def test_a_failure_of_the_server_is_no_fault_of_the_hub():
    hub = Hub().__enter__()
    hub.add("user/model", files={"a.txt": b"1"})
    with pytest.raises(http.client.RemoteDisconnected):
        ask(hub, "POST", "/api/models/user/model/commit/main", b"no JSON", hub.write_token)
    with pytest.raises(RuntimeError, match="the server itself failed"):
        hub.__exit__()


def test_a_stopped_hub_answers_nobody():
    with Hub() as hub:
        connection = http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/api/models/user/none")
        assert connection.getresponse().read() == b'{"error": "Repository not found"}'
    connection.request("GET", "/api/models/user/none")
    with pytest.raises(ConnectionError):
        connection.getresponse()
    with pytest.raises(ConnectionRefusedError):
        ask(hub, "GET", "/api/models/user/none")


def test_environment_and_tokens(hub, tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE", "HF_DATASETS_OFFLINE", "ERASERHEAD_CACHE", "http_proxy"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    anonymous, known = hub.environment(tmp_path), hub.environment(tmp_path, hub.read_token)
    assert known == anonymous | {"HF_TOKEN": hub.read_token}
    named = {
        name: value
        for name, value in anonymous.items()
        if name.startswith(("HF_", "ERASERHEAD_CACHE", "OMP_", "http_"))
    }
    assert named == {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path),
        "HF_DATASETS_CACHE": str(tmp_path / "datasets"),
        "ERASERHEAD_CACHE": str(tmp_path / "eraserhead"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
    }
    with Hub() as other:
        tokens = {hub.write_token, hub.read_token, other.write_token, other.read_token}
    assert len(tokens) == 4
    assert all(re.fullmatch("hf_[A-Za-z]{34}", token) for token in tokens)


def test_served_by_hand(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT)
    options = ["--model", f"user/model={tmp_path}", "--dataset", f"user/data:part={tmp_path}", "--anonymous-writes"]
    options += ["--stop-with-stdin"]  # so that a killed pytest leaves no server behind
    command = [sys.executable, hub_server.__file__, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = process.stdout.readline()
            match = re.search(r"HF_ENDPOINT=(http://127\.0\.0\.1:\d+) HF_TOKEN=(hf_\w{34})", said)
            there = Hub.__new__(Hub)
            there.url = match[1]
            assert ask(there, "GET", "/user/model/resolve/main/a.txt")[2] == TEXT
            assert b"part" in ask(there, "GET", "/datasets/user/data/resolve/main/README.md", token=match[2])[2]
            lines = commit_lines(added("b.txt", TEXT))
            assert ask(there, "POST", "/api/models/user/model/commit/main", lines)[0] == 200
            assert ask(there, "GET", "/user/model/resolve/main/b.txt")[2] == TEXT
        finally:
            process.stdin.close()  # an interrupt would be ignored where the tests themselves run in the background
            assert process.wait(timeout=10) == 0


def test_a_server_ends_with_the_process_that_started_it():
    """Which is killed, as a pytest that takes too long is: nothing of its own can then stop the server."""
    command = [sys.executable, hub_server.__file__, "--stop-with-stdin"]
    starter = f"import subprocess, time; subprocess.Popen({command}, stdin=subprocess.PIPE); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as process:
        port = int(re.search(r":(\d+) ", process.stdout.readline())[1])
        socket.create_connection(("127.0.0.1", port)).close()
        process.kill()
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                break
            assert time.monotonic() < deadline, "the server is still there"
            time.sleep(0.05)
