"""What the tests of several packages share."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from uuid import uuid4

import pytest

_BESIDE = Path(__file__).parents[1] / "shared" / "data" / "airline-transcripts.json"


@pytest.fixture
def transcripts() -> Path:
    """The 200 trajectories, which are no part of the repository: skips without them, unless they are required."""
    path = Path(os.environ.get("AGENTKEEP_TRANSCRIPTS", _BESIDE))
    if not path.is_file():
        if os.environ.get("AGENTKEEP_REQUIRE_TRANSCRIPTS") == "1":
            pytest.fail(f"AGENTKEEP_REQUIRE_TRANSCRIPTS=1, and there is no {path.name}: set AGENTKEEP_TRANSCRIPTS")
        pytest.skip("the airline transcripts are not here: AGENTKEEP_TRANSCRIPTS names their file")
    return path


_SERVERS = {"postgres": "POSTGRES", "redis": "REDIS", "mongo": "MONGO", "opensearch": "OPENSEARCH"}
"""The suite's server for each backend that has one."""
BACKENDS = sorted(
    {entry.value.partition(":")[0].partition(".")[0] for entry in entry_points(group="agentkeep.adapters")}
)
"""The packages of all installed adapters."""


@pytest.fixture(params=[package.removeprefix("agentkeep_") for package in BACKENDS])
def backend_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A URL without data, on each backend that is installed. NOT RUN if its server can't be had."""
    name: str = request.param
    if name == "memory":
        return "memory://"
    if name == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    from agentkeep_conformance import servers
    from agentkeep_conformance.outcomes import dsn_of

    dsn = dsn_of(getattr(servers, _SERVERS[name]), request.config)
    return f"{dsn}{'&' if '?' in dsn else '?'}prefix=t{uuid4().hex[:10]}"
