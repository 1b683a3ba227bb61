import os

import pytest

from robustness.forks import Forks


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The folder of a module's commands, with their data and caches."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def forks(place):
    """An interpreter whose caches of data sets are in `place`."""
    variables = {"HF_DATASETS_CACHE": str(place / "datasets"), "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    running = Forks({**os.environ, **variables, "ERASERHEAD_CACHE": str(place / "cache")})
    yield running
    running.close()
