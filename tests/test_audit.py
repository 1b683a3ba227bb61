"""What CI says of advisories about the pinned packages, with and without a database."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no checkout")

CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}
OPEN = {"name": "aiohttp", "version": "3.14.5", "vulns": [{"id": "PYSEC-2026-7", "fix_versions": ["3.14.6"]}]}
WITHOUT = {"name": "jinja2", "version": "3.1.6", "vulns": [{"id": "GHSA-1", "fix_versions": []}]}


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([CLEAN, SKIPPED], 0, ["audit: 1 of 2 packages, 0 advisories"]),
        (
            [CLEAN, OPEN, WITHOUT],
            1,
            [
                "audit: aiohttp 3.14.5: PYSEC-2026-7, mended in 3.14.6",
                "audit: jinja2 3.1.6: GHSA-1, mended in no version yet",
                "audit: 3 of 3 packages, 2 advisories",
            ],
        ),
        ([SKIPPED], 0, ["audit: the advisory database knows none of the 1 packages here; nothing was audited"]),
    ],
)
def test_a_known_advisory_fails_and_a_missing_database_does_not(packages, status, said):
    verdict = runpy.run_path(str(SCRIPT))["verdict"]
    assert verdict({"dependencies": packages, "fixes": []}) == (status, said)


@pytest.mark.parametrize("command", ["/nowhere/pip-audit", "/bin/false"])
def test_a_machine_without_a_network_passes_with_a_line(tmp_path, command):
    call = [sys.executable, str(SCRIPT), command, str(tmp_path / "none")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "audit: the advisory database cannot be reached from here; nothing was audited\n"
