"""What the tests of several packages share."""

from __future__ import annotations

import json
import os
from importlib.metadata import entry_points
from pathlib import Path
from uuid import uuid4

import pytest
from agentkeep_conformance.items import suite_of
from agentkeep_conformance.outcomes import TIER

_BESIDE = Path(__file__).parents[1] / "shared" / "data" / "airline-transcripts.json"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For `--dist loadgroup`: which tests stay in one process, so that their servers start once.

    These are the tests of a module, and of an enrolment that runs a sample: its servers are many, or slow to start.
    Every other enrolment is spread test by test, and each process then has that enrolment's server.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    numbers: dict[str, int] = {}
    for item in items:
        suite = suite_of(item)
        if suite is None or suite.one_in > 1:
            scope = item.nodeid.partition("[")[0].rpartition("::")[0]
            item.add_marker(pytest.mark.xdist_group(str(numbers.setdefault(scope, len(numbers)))))


@pytest.fixture
def transcripts() -> Path:
    """The 200 trajectories, which are no part of the repository: skips without them, unless they are required."""
    path = Path(os.environ.get("AGENTKEEP_TRANSCRIPTS", _BESIDE))
    if not path.is_file():
        if os.environ.get("AGENTKEEP_REQUIRE_TRANSCRIPTS") == "1":
            pytest.fail(f"AGENTKEEP_REQUIRE_TRANSCRIPTS=1, and there is no {path.name}: set AGENTKEEP_TRANSCRIPTS")
        pytest.skip("the airline transcripts are not here: AGENTKEEP_TRANSCRIPTS names their file")
    return path


_EVERYDAY_STEP, _FEW = 5, 20


@pytest.fixture
def some_transcripts(transcripts: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Each fifth trajectory, for a test beside one that takes all of them; nightly all of them."""
    if request.config.stash[TIER] == "nightly":
        return transcripts
    trajectories = json.loads(transcripts.read_bytes())[::_EVERYDAY_STEP]
    if len(trajectories) <= _FEW:
        pytest.fail(f"{len(trajectories)} trajectories show little: there are too few in {transcripts.name}")
    file = tmp_path / "some.json"
    file.write_text(json.dumps(trajectories), encoding="utf-8")
    return file


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
