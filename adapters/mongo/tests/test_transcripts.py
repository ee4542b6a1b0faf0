"""The 200 real trajectories by the command line: into MongoDB and back, and through other databases, byte by byte.

FID-1, ORD-1.
"""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import POSTGRES
from agentkeep_conformance.transcripts import check_in_and_out, run_command


def test_in_and_out(dsn: str, prefix: str, transcripts: Path) -> None:
    check_in_and_out(f"{dsn}&prefix={prefix}", transcripts)


def test_through_other_databases_and_back(
    dsn: str, prefix: str, some_transcripts: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Each trajectory is imported five times and exported five times, so not all of them are every day."""
    postgres = dsn_of(POSTGRES, request.config)
    urls = [
        f"sqlite:///{tmp_path}/first.db",
        f"{dsn}&prefix={prefix}a",
        f"{postgres}?prefix=t{uuid4().hex[:8]}_",
        f"{dsn}&prefix={prefix}b",
        f"sqlite:///{tmp_path}/last.db",
    ]
    run_command(urls[0], "import", str(some_transcripts))
    exports = [run_command(urls[0], "export")]
    for url in urls[1:]:
        file = tmp_path / f"{len(exports)}.jsonl"
        file.write_text(exports[-1], encoding="utf-8")
        run_command(url, "import", str(file))
        exports.append(run_command(url, "export"))
    for exported in exports[1:]:
        assert exported == exports[0]
