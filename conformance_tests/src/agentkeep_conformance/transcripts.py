"""Real conversations by the command line, for adapters' own tests: the file is no part of the repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_SCRIPT = Path(sys.executable).with_name("agentkeep")


def run_command(url: str, *arguments: str) -> str:
    """What `agentkeep` prints for a database. It must succeed."""
    done = subprocess.run(
        [_SCRIPT, *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "AGENTKEEP_URL": url},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_in_and_out(url: str, path: Path) -> None:
    """The trajectories of a file go in and come out equal, and a second import changes nothing (FID-1, ORD-1)."""
    trajectories = json.loads(path.read_bytes())
    sessions, messages = len(trajectories), sum(len(each["traj"]) for each in trajectories)
    assert (
        run_command(url, "import", str(path))
        == f"{sessions} sessions ({sessions} created), {messages:,} new messages\n"
    )
    exported = [json.loads(line) for line in run_command(url, "export", "--format", "chat").splitlines()]
    assert _by_place(exported) == _by_place(trajectories)
    assert run_command(url, "import", str(path)) == f"{sessions} sessions ({sessions} unchanged), 0 new messages\n"


def _by_place(trajectories: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(trajectory["task_id"], trajectory["trial"]): trajectory for trajectory in trajectories}
