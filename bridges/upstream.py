"""Running a framework's own tests, from its source package, on a bridge. `bridges/dev.py` unpacks that source."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


def run_upstream(bridge: Path, url: str, tests: Sequence[str], leave_out: Sequence[str] = ()) -> int:
    """Run these tests of the framework on the database and return how many passed; any failure is ours."""
    source = os.environ.get("AGENTKEEP_UPSTREAM")
    if not source:
        pytest.skip("NOT RUN: the framework's source is not here; python3 bridges/dev.py test gets it")
    deselected = [part for name in leave_out for part in ("--deselect", name)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "agentkeep_upstream", "--tb=short"]
    done = subprocess.run(  # noqa: S603
        [*command, *deselected, *tests],
        cwd=source,
        env=os.environ | {"PYTHONPATH": f"{bridge / 'upstream'}{os.pathsep}{source}", "AGENTKEEP_UPSTREAM_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2_000:]
    return int(passed[1])


def names_in(path: Path) -> list[str]:
    """The first word of each line that is no comment."""
    lines = path.read_text().splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
