"""A hub of one's own on 127.0.0.1: real HTTP, so that the real, unmodified clients can be driven against it.

It speaks what `huggingface_hub`, `transformers` and `datasets` ask of the Hugging Face hub when they read and push
models and data sets, with the statuses and headers of the real one (no Xet, no merging of pull requests, no pages of a
listing).
What it cannot stand in for: a CDN on another host, to which the real hub redirects the download of LFS files.

By hand::

    python tests/hub_server.py --dataset stanfordnlp/imdb:plain_text=path/to/imdb
"""

import argparse
import base64
import codecs
import hashlib
import json
import os
import re
import secrets
import string
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

LFS_SUFFIXES = (".safetensors", ".parquet", ".bin")
LFS_SIZE = 10 * 2**20
TEXTS = {"license", "language", "tags", "datasets", "metrics", "base_model", "library_name", "pipeline_tag"}
RESULT = {
    "task": {"type": str},
    "dataset": {"type": str, "name": str},
    "metrics": [{"type": str, "value": (int, float, str)}],
}
MODEL_INDEX = [{"name": str, "results": [RESULT]}]
# A process that these reach would look elsewhere than here, or not at all.
FOREIGN = re.compile(r"HF_|HUGGING|TRANSFORMERS_|ERASERHEAD_CACHE|(https?|all)_proxy", re.IGNORECASE)


@dataclass
class Fault:
    """What goes wrong with requests that match, `times` times; then the server answers rightly.

    The first fault of `Hub.faults` that matches and is not used up is the one that happens. One that says nothing of
    what goes wrong closes the connection before anything is done.

    Attributes:
        method: "GET", "HEAD", "POST", "PUT", "DELETE", or "*" for any.
        path: Regular expression searched in the path as it was sent, percent signs and query included.
        times: How often; -1 for always.
        status: Answer with this status and do nothing.
        headers: Further headers: of that answer, or of the right one where `status` is None.
        message: What the answer with `status` says: in `X-Error-Message` and as `error` in the JSON body of an error,
            or as the whole body where the status is below 400.
        cut_after: Send the right headers and only that many bytes of the body, then close the connection.
        corrupt: Send a body of the right size with bytes in its middle flipped; headers as they should be.
        drop_after: Do what was asked (make the commit), then close the connection without any answer.
        hits: How often it has happened.
    """

    method: str
    path: str
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    message: str = ""
    cut_after: int | None = None
    corrupt: bool = False
    drop_after: bool = False
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        left = self.times < 0 or self.hits < self.times
        return left and self.method in ("*", method) and re.search(self.path, path) is not None

    @property
    def silent(self) -> bool:
        """Whether no answer is sent."""
        changed = self.status is not None or self.cut_after is not None or self.corrupt or self.headers
        return self.drop_after or not changed


@dataclass(frozen=True)
class Request:
    """A request that came in; status 0 where the connection was closed without an answer.

    `sent` is how many bytes its body has.
    """

    method: str
    path: str
    status: int
    authorization: bool
    sent: int


@dataclass(frozen=True)
class Commit:
    """The files of a repository as one commit has them; `parent` is a sha."""

    sha: str
    message: str
    files: dict[str, bytes]
    parent: str | None
    date: str


@dataclass(frozen=True)
class PullRequest:
    """A pull request; its commits are on the branch ``refs/pr/NUMBER``."""

    title: str
    description: str
    date: str
    status: str = "open"


@dataclass
class Repository:
    """A repository; `commits` has those of all branches and pull requests, newest last."""

    name: str
    kind: str
    private: bool = False
    gated: bool = False
    commits: list[Commit] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: dict[int, PullRequest] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    def head(self, revision: str = "main") -> Commit:
        """The commit that a branch, a tag or a whole sha names; KeyError where there is none."""
        sha = self.branches.get(revision) or self.tags.get(revision) or revision
        for commit in self.commits:
            if commit.sha == sha:
                return commit
        raise KeyError(revision)

    def files(self, revision: str = "main") -> dict[str, bytes]:
        return dict(self.head(revision).files)

    def record(self, files: dict[str, bytes], message: str, branch: str = "main") -> Commit:
        """Make a commit that has just these files."""
        parent = self.branches.get(branch)
        contents = [f"{path} {git_oid(content)}" for path, content in sorted(files.items())]
        identity = "\n".join([self.kind, self.name, str(len(self.commits)), str(parent), message, *contents])
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        commit = Commit(hashlib.sha1(identity.encode()).hexdigest(), message, dict(files), parent, date)
        self.objects |= {sha256(content): content for path, content in files.items() if in_lfs(path, content)}
        self.commits.append(commit)
        self.branches[branch] = commit.sha
        return commit


class Hub:
    """A hub that runs in a thread of this process between `__enter__` and `__exit__`.

    Both tokens belong to `user`: whoever sends one can read the private and gated repositories named `user/...`, and
    with the write token write to them. Those of anyone else can be read if they are public, and never written.
    """

    def __init__(self, port: int = 0, anonymous_writes: bool = False):
        self.user = "user"
        self.write_token, self.read_token = new_token(), new_token()
        self.anonymous_writes = anonymous_writes
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.lock = threading.RLock()
        self.bugs: list[BaseException] = []
        self.running = False
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.hub = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        self.running = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.running = False  # connections that are kept alive get no answer any more either
        self.server.shutdown()
        self.server.server_close()
        if self.bugs:
            raise RuntimeError("the server itself failed, so what the client saw means nothing") from self.bugs[0]

    def add(
        self,
        name: str,
        folder: Path | None = None,
        kind: str = "model",
        private: bool = False,
        gated: bool = False,
        files: dict[str, bytes] | None = None,
        subset: str | None = None,
    ) -> str:
        """Make a repository with one commit, of the files of a folder and of `files`; return the commit's sha.

        With `subset`, a card names all parquet files at the top, each a split, as that configuration of a data set.
        """
        contents = (contents_of(folder) if folder else {}) | (files or {})
        if subset:
            splits = [{"split": Path(path).stem, "path": path} for path in contents if path.endswith(".parquet")]
            card = {"configs": [{"config_name": subset, "data_files": splits}]}
            contents["README.md"] = f"---\n{yaml.safe_dump(card)}---\n".encode()
        with self.lock:
            repository = self.repositories[kind, name] = Repository(name, kind, private, gated)
            return repository.record(contents, "initial commit").sha

    def commit(self, name: str, files: dict[str, bytes], kind: str = "model", revision: str = "main") -> str:
        """Add or replace files on a branch, as somebody else might at any time; return the commit's sha."""
        with self.lock:
            repository = self.repository(name, kind)
            return repository.record(repository.files(revision) | files, "somebody else's commit", revision).sha

    def repository(self, name: str, kind: str = "model") -> Repository:
        return self.repositories[kind, name]

    def has(self, name: str, kind: str = "model") -> bool:
        return (kind, name) in self.repositories

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The environment of a subprocess that knows this hub alone and keeps all it caches in `home`."""
        kept = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
        return kept | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_DATASETS_CACHE": str(home / "datasets"),
            "ERASERHEAD_CACHE": str(home / "eraserhead"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **({"HF_TOKEN": token} if token else {}),
        }


def contents_of(folder: Path) -> dict[str, bytes]:
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def new_token() -> str:
    return "hf_" + "".join(secrets.choice(string.ascii_letters) for _ in range(34))


# --- git and LFS -----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1000)
def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=1000)
def git_oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def in_lfs(path: str, content: bytes, size: int | None = None) -> bool:
    """Whether the hub stores a file with LFS; with `size`, `content` is only how the file begins."""
    size = len(content) if size is None else size
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content[:512])  # may end within a character
    except UnicodeDecodeError:
        text = "\0"
    return size > 0 and (path.endswith(LFS_SUFFIXES) or size > LFS_SIZE or "\0" in text)


def etag(path: str, content: bytes) -> str:
    return sha256(content) if in_lfs(path, content) else git_oid(content)


def described(path: str, content: bytes) -> dict[str, Any]:
    """A file in a listing."""
    if not in_lfs(path, content):
        return {"type": "file", "path": path, "oid": git_oid(content), "size": len(content)}
    oid, size = sha256(content), len(content)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()
    lfs = {"oid": oid, "sha256": oid, "size": size, "pointerSize": len(pointer)}
    return {"type": "file", "path": path, "oid": git_oid(pointer), "size": size, "lfs": lfs}


def listing(commit: Commit) -> dict[str, dict[str, Any]]:
    """All files and folders of a commit by path."""
    entries = {path: described(path, content) for path, content in sorted(commit.files.items())}
    for folder in sorted({str(parent) for path in commit.files for parent in PurePosixPath(path).parents} - {"."}):
        inside = "\n".join(f"{path} {entries[path]['oid']}" for path in commit.files if path.startswith(f"{folder}/"))
        entries[folder] = {"type": "directory", "path": folder, "oid": git_oid(inside.encode()), "size": 0}
    last = {"id": commit.sha, "title": commit.message, "date": commit.date}
    return {path: entry | {"lastCommit": last} for path, entry in entries.items()}


# --- cards -----------------------------------------------------------------------------------------------------------


def card_of(text: str) -> Any:
    """The metadata at the top of a README; None where there is none."""
    match = re.match(r"\s*---[ \t]*\r?\n(.*?)(^---[ \t]*\r?$|\Z)", text, re.DOTALL | re.MULTILINE)
    return yaml.safe_load(match[1]) if match else None


def card_errors(text: str) -> list[str]:
    """What the hub refuses in a card: metadata that is no mapping, and results it could not show."""
    try:
        card = card_of(text)
    except yaml.YAMLError as error:
        return [f"invalid YAML: {error}"]
    card = {} if card is None else card
    if not isinstance(card, dict):
        return ['"metadata" must be of type object']
    errors = misfits(card.get("model-index", []), MODEL_INDEX, "model-index")
    for key in sorted(TEXTS & set(card)):
        errors += misfits(card[key] if isinstance(card[key], list) else [card[key]], [str], key)
    return errors


def misfits(value: Any, shape: Any, where: str) -> list[str]:
    """Where a value differs from a shape: a mapping by key, a list of one shape, or a type."""
    if isinstance(shape, dict) and isinstance(value, dict):
        inner = [(f"{where}.{key}", value.get(key), shape[key]) for key in shape]
    elif isinstance(shape, list) and isinstance(value, list):
        inner = [(f"{where}[{number}]", item, shape[0]) for number, item in enumerate(value)]
    else:
        fits = not isinstance(shape, (dict, list)) and isinstance(value, shape)
        return [] if fits else [f'"{where}" is required' if value is None else f'"{where}" has the wrong type']
    return [error for place, item, part in inner for error in misfits(item, part, place)]


# --- what is asked and answered --------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What is sent back, if nothing goes wrong."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class RefusalError(Exception):
    """An answer that says no."""

    def __init__(self, status: int, message: str, code: str | None = None, body: dict | None = None, **headers: str):
        super().__init__(message)
        said = " ".join(message.split()).encode("latin-1", "replace").decode("latin-1")
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"X-Error-Message": said}
        self.answer = reply(
            {"error": message} | (body or {}), status, headers | ({"X-Error-Code": code} if code else {})
        )


@dataclass
class Call:
    """A request as a route's function sees it."""

    hub: Hub
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    role: str | None

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body or b"{}")

    def owns(self, name: str) -> bool:
        return self.role is not None and name.startswith(f"{self.hub.user}/")

    @property
    def proposes(self) -> bool:
        """Whether a pull request is opened, for which nobody needs to own the repository."""
        return self.query.get("create_pr") == ["1"]

    def find(self, kind: str, name: str) -> Repository:
        """The repository if whoever asks may know of it."""
        repository = self.hub.repositories.get((kind, name))
        if repository is None or (repository.private and not self.owns(name)):
            raise RefusalError(404 if self.role else 401, "Repository not found", "RepoNotFound")
        return repository

    def may_write(self, name: str) -> None:
        if self.role is None:
            raise RefusalError(401, "Invalid username or password.")
        if self.role != "write":
            raise RefusalError(403, "you must use a write token to upload to a repository.")
        if not self.owns(name):
            raise RefusalError(403, f"You don't have the rights to write to {name}")

    def find_to_write(self, kind: str, name: str) -> Repository:
        repository = self.find(kind, name)
        self.may_write(name)
        return repository

    def find_to_propose(self, kind: str, name: str) -> Repository:
        """The repository if whoever asks may open a pull request there: anybody with a write token who sees it."""
        repository = self.find(kind, name)
        if self.role != "write":
            raise RefusalError(403 if self.role else 401, "you must use a write token to open a pull request.")
        return repository


def reply(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    typed = {"Content-Type": "application/json; charset=utf-8"} | (headers or {})
    return Answer(status, json.dumps(value).encode(), typed)


def commit_at(repository: Repository, revision: str | None) -> Commit:
    try:
        return repository.head(revision or "main")
    except KeyError:
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound") from None


def page_of(hub: Hub, repository: Repository) -> str:
    return f"{hub.url}/{'datasets/' if repository.kind == 'dataset' else ''}{repository.name}"


def whoami(call: Call) -> Answer:
    if call.role is None:
        raise RefusalError(401, "Invalid username or password.")
    token = {"displayName": "test", "role": call.role, "createdAt": "2024-01-01T00:00:00.000Z"}
    account = {"type": "user", "id": "0" * 24, "name": call.hub.user, "fullname": call.hub.user, "orgs": []}
    return reply(account | {"isPro": False, "auth": {"type": "access_token", "accessToken": token}})


def validate_card(call: Call) -> Answer:
    text = call.json["content"]
    errors = [{"message": message} for message in card_errors(text)]
    absent = not errors and card_of(text) is None
    warnings = [{"message": "empty or missing yaml metadata in repo card"}] if absent else []
    return reply({"errors": errors, "warnings": warnings}, 400 if errors else 200)


def create_repository(call: Call) -> Answer:
    asked = call.json
    name, kind = f"{asked.get('organization') or call.hub.user}/{asked['name']}", asked.get("type") or "model"
    call.may_write(name)
    if call.hub.has(name, kind):
        url = page_of(call.hub, call.hub.repository(name, kind))
        raise RefusalError(409, f"You already created this {kind} repo: {name}", body={"url": url})
    private = asked.get("visibility") == "private" or asked.get("private") is True
    attributes = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)
    call.hub.add(name, kind=kind, private=private, files={".gitattributes": attributes.encode()})
    return reply({"url": page_of(call.hub, call.hub.repository(name, kind)), "name": name, "id": "0" * 24})


def describe_repository(call: Call, kind: str, name: str, revision: str | None = None) -> Answer:
    repository = call.find(kind, name)
    commit = commit_at(repository, revision)
    readme = commit.files.get("README.md", b"").decode("utf-8", "replace")
    card = card_of(readme) if not card_errors(readme) else None
    siblings: list[dict[str, Any]] = [{"rfilename": path} for path in sorted(commit.files)]
    if call.query.get("blobs", ["false"])[0].lower() == "true":
        for sibling in siblings:
            entry = described(sibling["rfilename"], commit.files[sibling["rfilename"]])
            sibling |= {"blobId": entry["oid"], "size": entry["size"], "lfs": entry.get("lfs")}
    told = {
        "_id": "0" * 24,
        "id": name,
        "author": name.partition("/")[0] if "/" in name else None,
        "sha": commit.sha,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "createdAt": repository.commits[0].date,
        "lastModified": commit.date,
        "downloads": 0,
        "likes": 0,
        "tags": (card or {}).get("tags", []),
        "cardData": card,
        "siblings": siblings,
    }
    if kind == "model":
        told |= {key: card[key] for key in ("library_name", "pipeline_tag", "model-index") if card and key in card}
    return reply(told)


def list_tree(call: Call, kind: str, name: str, revision: str, path: str | None = None) -> Answer:
    commit = commit_at(call.find(kind, name), revision)
    entries, within = listing(commit), f"{path}/" if path else ""
    if path and entries.get(path, {}).get("type") != "directory":
        raise RefusalError(404, f"{path} does not exist on {revision}", "EntryNotFound", X_Repo_Commit=commit.sha)
    inside = [entry for entry in entries.values() if entry["path"].startswith(within)]
    if call.query.get("recursive", ["false"])[0].lower() != "true":
        inside = [entry for entry in inside if "/" not in entry["path"][len(within) :]]
    return reply(inside)


def describe_paths(call: Call, kind: str, name: str, revision: str) -> Answer:
    entries = listing(commit_at(call.find(kind, name), revision))
    paths = parse_qs(call.body.decode()).get("paths", [])  # a form, where other requests have JSON
    return reply([entries[path.rstrip("/")] for path in paths if path.rstrip("/") in entries])


def list_refs(call: Call, kind: str, name: str) -> Answer:
    def refs(prefix: str, names: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": ref, "ref": f"refs/{prefix}/{ref}", "targetCommit": sha} for ref, sha in names.items()]

    repository = call.find(kind, name)
    heads = {name: sha for name, sha in repository.branches.items() if not name.startswith("refs/")}
    branches, tags = refs("heads", heads), refs("tags", repository.tags)
    return reply({"branches": branches, "tags": tags, "converts": [], "pullRequests": []})


def create_branch(call: Call, kind: str, name: str, branch: str) -> Answer:
    repository = call.find_to_write(kind, name)
    if branch in repository.branches:
        raise RefusalError(409, f"Reference already exists: refs/heads/{branch}")
    repository.branches[branch] = commit_at(repository, call.json.get("startingPoint")).sha
    return reply({})


def create_tag(call: Call, kind: str, name: str, revision: str) -> Answer:
    repository, tag = call.find_to_write(kind, name), call.json["tag"]
    sha = commit_at(repository, revision).sha
    if tag in repository.tags:
        raise RefusalError(409, f"Tag reference exists already: {tag}")
    repository.tags[tag] = sha
    return reply({})


def delete_tag(call: Call, kind: str, name: str, tag: str) -> Answer:
    if call.find_to_write(kind, name).tags.pop(tag, None) is None:
        raise RefusalError(404, f"Invalid rev id: {tag}", "RevisionNotFound")
    return reply({})


def check_access(call: Call, kind: str, name: str) -> Answer:
    if call.find(kind, name).gated and not call.owns(name):
        message = f"Access to {kind} {name} is restricted and you are not in the authorized list."
        raise RefusalError(403 if call.role else 401, message, "GatedRepo")
    return reply({})


def choose_uploads(call: Call, kind: str, name: str, revision: str) -> Answer:
    """Say how each file is to be uploaded, and what the branch has in its place, which the client skips if equal."""
    find = call.find_to_propose if call.proposes else call.find_to_write
    present = commit_at(find(kind, name), revision).files
    chosen = []
    for file in call.json["files"]:
        path = file["path"]
        mode = "lfs" if in_lfs(path, base64.b64decode(file["sample"]), file["size"]) else "regular"
        oid = {"oid": etag(path, present[path])} if path in present else {}
        chosen.append({"path": path, "uploadMode": mode, "shouldIgnore": False} | oid)
    return reply({"files": chosen})


def plan_lfs(call: Call, kind: str | None, name: str) -> Answer:
    find = call.find_to_write if "ref" in call.json else call.find_to_propose  # a pull request has none yet
    repository = find(kind or "model", name)
    objects = []
    for asked in call.json["objects"]:
        href = f"{call.hub.url}/lfs/{repository.kind}/{name}/{asked['oid']}"
        # Like a signed URL, this one needs no token: the client sends none with the upload itself.
        actions = {} if asked["oid"] in repository.objects else {"actions": {"upload": {"href": href, "header": {}}}}
        objects.append({"oid": asked["oid"], "size": asked["size"]} | actions)
    return reply({"transfer": "basic", "objects": objects})


def store_lfs(call: Call, kind: str, name: str, oid: str) -> Answer:
    if hashlib.sha256(call.body).hexdigest() != oid:
        raise RefusalError(400, f"the content of {len(call.body)} bytes does not have the sha256 {oid}")
    call.hub.repository(name, kind).objects[oid] = call.body
    return Answer()


def make_commit(call: Call, kind: str, name: str, revision: str) -> Answer:
    repository = call.find_to_propose(kind, name) if call.proposes else call.find_to_write(kind, name)
    if revision not in repository.branches:
        raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
    header, head = lines[0]["value"], repository.head(revision)
    if call.proposes:  # of the commit that it says, however far the branch is by now
        head = commit_at(repository, header.get("parentCommit") or revision)
    elif not head.sha.startswith(header.get("parentCommit") or ""):
        raise RefusalError(412, "A commit has happened since. Please refresh and try again.")
    files = dict(head.files)
    for line in lines[1:]:
        OPERATIONS[line["key"]](repository, files, **line["value"])
    if files.get("README.md") != head.files.get("README.md"):
        errors = card_errors(files.get("README.md", b"").decode("utf-8", "replace"))
        if errors:
            raise RefusalError(400, f"Invalid metadata in README.md: {'; '.join(errors)}")
    opened: dict[str, str] = {}
    if call.proposes:
        number = len(repository.requests) + 1
        revision = f"refs/pr/{number}"
        repository.branches[revision] = head.sha
        opened = {"pullRequestUrl": f"{page_of(call.hub, repository)}/discussions/{number}"}
    sha = repository.record(files, header["summary"], revision).sha
    if call.proposes:
        date = repository.head(revision).date
        repository.requests[number] = PullRequest(header["summary"], header.get("description", ""), date)
    url = f"{page_of(call.hub, repository)}/commit/{sha}"
    return reply({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""} | opened)


def list_discussions(call: Call, kind: str, name: str) -> Answer:
    """The pull requests, which are all discussions that there are."""
    repository, wanted = call.find(kind, name), call.query.get("status", [None])[0]
    found = [
        {
            "num": number,
            "title": request.title,
            "status": request.status,
            "isPullRequest": True,
            "author": {"name": call.hub.user},
            "createdAt": request.date,
            "repo": {"name": name, "type": kind},
        }
        for number, request in repository.requests.items()
        if wanted in (None, request.status)
    ]
    return reply({"discussions": found, "count": len(found), "start": 0})


def put_file(_: Repository, files: dict[str, bytes], path: str, content: str, encoding: str) -> None:
    files[path] = base64.b64decode(content) if encoding == "base64" else content.encode()


def put_lfs_file(
    repository: Repository, files: dict[str, bytes], path: str, oid: str, algo: str, size: int | None = None
) -> None:
    content = repository.objects.get(oid)
    if content is None or (size is not None and len(content) != size):
        raise RefusalError(400, f"LFS pointer pointed to a file that does not exist: {path} ({algo} {oid})")
    files[path] = content


def remove_file(_: Repository, files: dict[str, bytes], path: str) -> None:
    if files.pop(path, None) is None:
        raise RefusalError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")


def remove_folder(_: Repository, files: dict[str, bytes], path: str) -> None:
    inside = [file for file in files if file.startswith(path.rstrip("/") + "/")]
    if not inside:
        raise RefusalError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
    for file in inside:
        del files[file]


def send_file(call: Call, kind: str | None, name: str, revision: str, path: str) -> Answer:
    repository = call.find(kind or "model", name)
    check_access(call, repository.kind, name)
    commit = commit_at(repository, revision)
    headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
    if path not in commit.files:
        raise RefusalError(404, "Entry not found", "EntryNotFound", X_Repo_Commit=commit.sha)
    content = commit.files[path]
    headers |= {"ETag": f'"{etag(path, content)}"', "Content-Type": "application/octet-stream"}
    if in_lfs(path, content):
        headers |= {"X-Linked-Etag": f'"{etag(path, content)}"', "X-Linked-Size": str(len(content))}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if match is None or match.groups() == ("", ""):
        return Answer(200, content, headers)
    size, (first, last) = len(content), match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        raise RefusalError(416, "the range is not within the file", Content_Range=f"bytes */{size}")
    return Answer(206, content[start:end], headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})


OPERATIONS: dict[str, Callable[..., None]] = {
    "file": put_file,
    "lfsFile": put_lfs_file,
    "deletedFile": remove_file,
    "deletedFolder": remove_folder,
}
NAME = r"(?P<name>[^/]+?(?:/[^/]+?)??)"  # with or without a namespace
REPOSITORY = rf"/api/(?P<kind>model|dataset)s/{NAME}"
PAGE = rf"/(?:(?P<kind>dataset)s/)?{NAME}"
REVISION = r"(?P<revision>[^/]+)"  # a slash within it is sent as %2F
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", r"/api/whoami-v2", whoami),
    ("POST", r"/api/validate-yaml", validate_card),
    ("POST", r"/api/repos/create", create_repository),
    ("GET", rf"{REPOSITORY}/tree/{REVISION}(?:/(?P<path>.+))?", list_tree),
    ("POST", rf"{REPOSITORY}/paths-info/{REVISION}", describe_paths),
    ("GET", rf"{REPOSITORY}/refs", list_refs),
    ("GET", rf"{REPOSITORY}/discussions", list_discussions),
    ("POST", rf"{REPOSITORY}/branch/(?P<branch>[^/]+)", create_branch),
    ("POST", rf"{REPOSITORY}/tag/{REVISION}", create_tag),
    ("DELETE", rf"{REPOSITORY}/tag/(?P<tag>[^/]+)", delete_tag),
    ("GET", rf"{REPOSITORY}/auth-check", check_access),
    ("POST", rf"{REPOSITORY}/preupload/{REVISION}", choose_uploads),
    ("POST", rf"{REPOSITORY}/commit/{REVISION}", make_commit),
    ("GET", rf"{REPOSITORY}(?:/revision/{REVISION})?", describe_repository),
    ("POST", rf"{PAGE}\.git/info/lfs/objects/batch", plan_lfs),
    ("PUT", rf"/lfs/(?P<kind>model|dataset)/{NAME}/(?P<oid>[0-9a-f]{{64}})", store_lfs),
    ("GET", rf"{PAGE}/resolve/{REVISION}/(?P<path>.+)", send_file),
]


# --- HTTP ------------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Knows its hub; a client that hangs up is no error of the server's."""

    hub: Hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.hub.bugs.append(error)
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a body waits 40 ms for the acknowledgement of its headers

    def respond(self) -> None:
        hub, body = self.server.hub, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with hub.lock:
            if not hub.running:
                self.close_connection = True
                return
            fault = next((fault for fault in hub.faults if fault.matches(self.command, self.path)), None)
            if fault:
                fault.hits += 1
            answer = self.answer(body, fault)
            silent = fault is not None and fault.silent
            status = 0 if silent else answer.status
            known = "Authorization" in self.headers
            hub.requests.append(Request(self.command, self.path, status, known, len(body)))
        if silent:
            self.close_connection = True
        else:
            self.send(answer, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = respond  # noqa: N815 - so the library calls them

    def answer(self, body: bytes, fault: Fault | None) -> Answer:
        """What the hub does and says about the request, or what the fault puts in its place."""
        if fault and fault.status is not None and fault.status < 400:
            answer = Answer(fault.status, fault.message.encode())
        elif fault and fault.status is not None:
            answer = RefusalError(fault.status, fault.message or responses.get(fault.status, "")).answer
        elif fault and fault.silent and not fault.drop_after:
            answer = Answer()
        else:
            try:
                answer = self.route(body)
            except RefusalError as refusal:
                answer = refusal.answer
        return Answer(answer.status, answer.body, answer.headers | (fault.headers if fault else {}))

    def route(self, body: bytes) -> Answer:
        hub, url = self.server.hub, urlsplit(self.path)
        sent = self.headers.get("Authorization")
        roles = {None: "write" if hub.anonymous_writes else None}
        roles |= {f"Bearer {hub.write_token}": "write", f"Bearer {hub.read_token}": "read"}
        if sent not in roles:
            raise RefusalError(401, "Invalid credentials in Authorization header")
        method = "GET" if self.command == "HEAD" else self.command
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(hub, parse_qs(url.query), headers, body, roles[sent])
        for wanted, pattern, function in ROUTES:
            if method == wanted and (match := re.fullmatch(pattern, url.path)):
                return function(call, **{key: value and unquote(value) for key, value in match.groupdict().items()})
        raise RefusalError(404, f"Sorry, this hub knows no {method} {url.path}")

    def send(self, answer: Answer, fault: Fault | None) -> None:
        body = answer.body
        if fault and fault.corrupt:
            middle = len(body) // 2
            body = body[:middle] + bytes(byte ^ 0xFF for byte in body[middle : middle + 8]) + body[middle + 8 :]
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        if fault and fault.cut_after is not None:
            body, self.close_connection = body[: fault.cut_after], True
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `Hub.requests` has it all."""


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--dataset", action="append", default=[], metavar="NAME[:SUBSET]=FOLDER")
    parser.add_argument("--anonymous-writes", action="store_true", help="let everyone write, without a token")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when whoever started this is gone")
    options = parser.parse_args()
    with Hub(options.port, options.anonymous_writes) as hub:
        for given in options.model:
            name, _, folder = given.partition("=")
            hub.add(name, Path(folder))
        for given in options.dataset:
            named, _, folder = given.partition("=")
            name, _, subset = named.partition(":")
            hub.add(name, Path(folder), "dataset", subset=subset or None)
        print(f"export HF_ENDPOINT={hub.url} HF_TOKEN={hub.write_token} HF_HUB_DISABLE_XET=1")
        print("export HF_HOME=$(mktemp -d)  # nothing of the real hub's, and nothing left in its cache")
        print("unset HF_HUB_OFFLINE", flush=True)
        try:
            if options.stop_with_stdin:
                sys.stdin.read()  # ends when the other end is closed, as it is when its process is killed
            else:
                threading.Event().wait()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
