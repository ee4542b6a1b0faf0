"""The 200 real trajectories by the command line: into Redis and back, equal to the input (FID-1, ORD-1)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_SCRIPT = Path(sys.executable).with_name("agentkeep")
_BESIDE = Path(__file__).parents[4] / "shared" / "data" / "airline-transcripts.json"


@pytest.fixture
def path() -> Path:
    """They are no part of the repository: skips without them, unless they are required."""
    path = Path(os.environ.get("AGENTKEEP_TRANSCRIPTS", _BESIDE))
    if not path.is_file():
        if os.environ.get("AGENTKEEP_REQUIRE_TRANSCRIPTS") == "1":
            pytest.fail(f"AGENTKEEP_REQUIRE_TRANSCRIPTS=1, and there is no {path.name}: set AGENTKEEP_TRANSCRIPTS")
        pytest.skip("the airline transcripts are not here: AGENTKEEP_TRANSCRIPTS names their file")
    return path


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


def test_through_one_server(dsn: str, prefix: str, path: Path) -> None:
    in_and_out(f"{dsn}?prefix={prefix}", path)


def test_through_a_cluster(cluster_dsn: str, prefix: str, path: Path) -> None:
    in_and_out(f"{cluster_dsn}?prefix={prefix}", path)
