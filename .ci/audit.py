"""Look the pinned packages up in the advisory database, as far as it can be reached.

Ends with 1 if an advisory is known for one of them. Ends with 0 where nothing can be asked: CI may have no network.

python .ci/audit.py PIP_AUDIT CONSTRAINTS
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any


def verdict(report: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return the exit status for a report of pip-audit (``-f json``), and what is said of it."""
    packages = report["dependencies"]
    asked = [each for each in packages if "vulns" in each]
    if not asked:
        return 0, [f"audit: the advisory database knows none of the {len(packages)} packages here; nothing was audited"]
    found = [
        f"audit: {each['name']} {each['version']}: {advisory['id']}, mended in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for each in asked
        for advisory in each["vulns"]
    ]
    return int(bool(found)), [*found, f"audit: {len(asked)} of {len(packages)} packages, {len(found)} advisories"]


def main(pip_audit: str, constraints: str) -> int:
    """Audit the packages that a file of constraints pins."""
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    command = [pip_audit, "--requirement", constraints, *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        report = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # no JSON where pip-audit cannot reach the database
        print("audit: the advisory database cannot be reached from here; nothing was audited")
        return 0
    status, said = verdict(report)
    print("\n".join(said))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
