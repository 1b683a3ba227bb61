"""The benchmark of accelerators, tried where there may be none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "benchmarks" / "gpu.py"

pytestmark = [pytest.mark.slow, pytest.mark.thorough]


def test_every_row_is_measured_on_a_tiny_model(tmp_path):
    """Half a minute; its rates mean nothing, and the limit on the time of all of Amazon follows from them."""
    command = [sys.executable, str(SCRIPT), "--quick", "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["machine"]["device"] in done.stdout
    rows = {row["what"]: row["measured"] for row in found["results"]}
    assert min(rows.values()) > 0
    for dtype in ("float32", "bfloat16"):
        rate, seconds = (rows[what] for what in rows if dtype in what and "pooling" in what and "limit" not in what)
        assert rate * seconds == pytest.approx(650_000)
    assert sum(what.startswith("waits for a device") for what in rows) == 3
