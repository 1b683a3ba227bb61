import os

import pytest

from robustness.forks import Forks


@pytest.fixture(scope="module")
def forks():
    """An interpreter whose forks run commands."""
    running = Forks({**os.environ, "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"})
    yield running
    running.close()
