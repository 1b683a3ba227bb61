"""A push replaces and removes what an earlier push wrote, and nothing of the owner's."""

import hashlib

import pytest
from huggingface_hub.hf_api import RepoFile

from eraserhead.errors import UserError
from eraserhead.publishing.changes import changes_between
from eraserhead.publishing.layout import CARD_ALONE, OWN_FILES
from eraserhead.publishing.own_section import between_markers
from eraserhead.publishing.ownership import owned_files
from eraserhead.publishing.target import Target

MODEL, DATASET = Target("user/x"), Target("user/x", kind="dataset")
OURS = {"README.md": b"card", "summary.json": b"{}", "flips.parquet": b"new", "erasure/layer-2/flips.parquet": b"new"}


def entry(name: str, content: bytes) -> RepoFile:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return RepoFile(path=name, size=len(content), oid=blob)


def owned(tmp_path, there: dict[str, bytes], card: str, target=MODEL, pattern=CARD_ALONE) -> set[str]:
    """The files of `there` that a push of `OURS` removes or replaces."""
    for name, content in OURS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    tree = [entry(name, content) for name, content in there.items()]
    pattern = owned_files(tmp_path, tree, card, pattern, target)
    return {change.path_in_repo for change in changes_between(tmp_path, tree, pattern)} & there.keys()


def test_files_of_the_owner_stay_and_those_of_an_earlier_push_go(tmp_path):
    foreign = {"page.html": b"theirs", "decision.png": b"theirs", "documents.parquet": b"theirs", "model.bin": b""}
    assert owned(tmp_path, foreign, "# theirs\n\npage.html") == set()
    wrote = between_markers("section", ["page.html", "documents.parquet", "erasure/head-3/summary.json"])
    ours = {"erasure/head-3/summary.json": b"", "erasure/head-4/summary.json": b""}
    assert owned(tmp_path, foreign | ours, f"# theirs\n\n{wrote}\n") == {
        "page.html",
        "documents.parquet",
        "erasure/head-3/summary.json",
    }
    assert owned(tmp_path, foreign | {"merges.txt": b""}, "# theirs", pattern=OWN_FILES) == {"merges.txt"}


@pytest.mark.parametrize("target", [MODEL, Target("user/x", as_pull_request=True), DATASET])
@pytest.mark.parametrize("name", ["summary.json", "flips.parquet", "erasure/layer-2/flips.parquet"])
def test_files_that_no_push_wrote_are_not_replaced(tmp_path, name, target):
    wrote = [other for other in OURS if other != name]
    card = between_markers("section", wrote)
    theirs = OURS | {name: b"theirs"}
    with pytest.raises(UserError, match=rf"^{target.name}: {name}: already there, .*; rename or delete it there"):
        owned(tmp_path, theirs, card, target)
    assert owned(tmp_path, OURS, card, target) == set()  # it is the same
    assert owned(tmp_path, theirs, between_markers("section", [name]), target) == {name}


@pytest.mark.parametrize(
    ("there", "card", "held"),
    [
        ({"README.md": b"", ".gitattributes": b""}, "---\nlicense: mit\n---\n# Mine\n", "README.md"),
        ({"README.md": b"", "data/a.csv": b""}, "---\nlicense: mit\n---\n", "data/a.csv"),
        ({"documents.parquet": b"", "README.md": b""}, "words", "README.md, documents.parquet"),
    ],
)
def test_a_data_set_of_somebody_else_is_not_replaced(tmp_path, there, card, held):
    with pytest.raises(UserError, match=rf"^datasets/user/x: holds a data set .* \({held}\).* another repository$"):
        owned(tmp_path, there, card, DATASET)


def test_an_empty_data_set_and_an_earlier_push_are_replaced(tmp_path):
    assert owned(tmp_path, {".gitattributes": b""}, "", DATASET) == set()
    new = {".gitattributes": b"", "README.md": b"theirs"}
    assert owned(tmp_path, new, "---\nlicense: mit\n---\n\n", DATASET) == {"README.md"}
    earlier = {"README.md": b"", "documents.parquet": b"", "notes.txt": b""}
    card = between_markers("section", ["documents.parquet"])
    assert owned(tmp_path, earlier, card, DATASET) == {"README.md", "documents.parquet"}
