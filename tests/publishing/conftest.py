"""A hub, its owner, and a run to push."""

import pytest

from eraserhead.cli.main import main
from hub_clients import Client
from hub_server import Hub
from interpreters import WarmInterpreter
from tiny import labelled_file, tiny_encoder


@pytest.fixture(scope="module")
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def warm(hub, tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    with WarmInterpreter(hub.environment(folder / "home"), folder) as warm:
        yield warm


@pytest.fixture
def owner(hub, tmp_path, warm):
    return Client(hub, tmp_path / "home", hub.write_token, warm)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("somewhere") / "data"
    folder.mkdir()
    for split, seed, size in (("train", 0, 60), ("test", 9, 20)):
        labelled_file(folder / f"{split}.jsonl", size, seed)
    return folder


@pytest.fixture(scope="session")
def run(tmp_path_factory, data):
    """A run of the tiny encoder and its erasure results, in a folder whose path must stay private."""
    folder = tmp_path_factory.mktemp("private") / "run"
    encoder = tiny_encoder(folder.parent / "encoder")
    options = ["--data.path", data, "--model.encoder", encoder, "--training.epochs", 2, "--cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERASERHEAD_CACHE", str(folder.parent / "cache"))
        patch.setenv("HF_DATASETS_CACHE", str(folder.parent / "datasets"))
        assert main([str(each) for each in ("train", *options, "--output_dir", folder)]) == 0
        assert main(["erase", str(folder), "--output_dir", str(folder / "erasure"), "--cpu"]) == 0
    return folder
