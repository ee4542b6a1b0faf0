"""The 200 real trajectories by the command line: into MongoDB and back, and through other databases, byte by byte.

FID-1, ORD-1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import POSTGRES

_SCRIPT = Path(sys.executable).with_name("agentkeep")


def run(url: str, *arguments: str) -> str:
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


def by_place(trajectories: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    return {(trajectory["task_id"], trajectory["trial"]): trajectory for trajectory in trajectories}


def test_in_and_out(dsn: str, prefix: str, transcripts: Path) -> None:
    url = f"{dsn}&prefix={prefix}"
    assert run(url, "import", str(transcripts)) == "200 sessions (200 created), 5,308 new messages\n"
    exported = [json.loads(line) for line in run(url, "export", "--format", "chat").splitlines()]
    assert by_place(exported) == by_place(json.loads(transcripts.read_bytes()))
    assert run(url, "import", str(transcripts)) == "200 sessions (200 unchanged), 0 new messages\n"


def test_through_other_databases_and_back(
    dsn: str, prefix: str, transcripts: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    postgres = dsn_of(POSTGRES, request.config)
    urls = [
        f"sqlite:///{tmp_path}/first.db",
        f"{dsn}&prefix={prefix}a",
        f"{postgres}?prefix=t{uuid4().hex[:8]}_",
        f"{dsn}&prefix={prefix}b",
        f"sqlite:///{tmp_path}/last.db",
    ]
    run(urls[0], "import", str(transcripts))
    exports = [run(urls[0], "export")]
    for url in urls[1:]:
        file = tmp_path / f"{len(exports)}.jsonl"
        file.write_text(exports[-1], encoding="utf-8")
        run(url, "import", str(file))
        exports.append(run(url, "export"))
    for exported in exports[1:]:
        assert exported == exports[0]
