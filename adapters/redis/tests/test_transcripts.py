"""The 200 real trajectories by the command line: into Redis and back, equal to the input (FID-1, ORD-1)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_SCRIPT = Path(sys.executable).with_name("agentkeep")


def run(url: str, *arguments: str) -> str:
    command = [_SCRIPT, *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "AGENTKEEP_URL": url},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def by_place(trajectories: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(trajectory["task_id"], trajectory["trial"]): trajectory for trajectory in trajectories}


def in_and_out(url: str, path: Path) -> None:
    assert run(url, "import", str(path)) == "200 sessions (200 created), 5,308 new messages\n"
    exported = [json.loads(line) for line in run(url, "export", "--format", "chat").splitlines()]
    assert by_place(exported) == by_place(json.loads(path.read_bytes()))
    assert run(url, "import", str(path)) == "200 sessions (200 unchanged), 0 new messages\n"


def test_through_one_server(dsn: str, prefix: str, transcripts: Path) -> None:
    in_and_out(f"{dsn}?prefix={prefix}", transcripts)


def test_through_a_cluster(cluster_dsn: str, prefix: str, transcripts: Path) -> None:
    in_and_out(f"{cluster_dsn}?prefix={prefix}", transcripts)
