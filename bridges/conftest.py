"""Every test that takes `view` runs once on each database; without its server it is NOT RUN."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

import agentkeep
import pytest
from agentkeep import Keep, View
from agentkeep_conformance.outcomes import dsn_of
from databases import SERVERS, Database

SAMPLE = {
    "claude-agent": "postgres",
    "google-adk": "mongo",
    "openai-agents": "sqlite",
    "pydantic-ai": "redis",
    "strands-agents": "opensearch",
}
"""On which database each bridge's faults and its framework's own tests run every day. With AGENTKEEP_BRIDGES=all
(nightly): on each. A bridge on SQLite asks PostgreSQL what happens while a server is away."""
SAMPLED = ("test_faults.py", "test_upstream.py")
BRIDGE = os.environ["AGENTKEEP_BRIDGE"]
"""The bridge that is tested; `bridges/dev.py test` sets it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("AGENTKEEP_BRIDGES") != "all":
        items[:] = [item for item in items if _is_everyday(item)]


def _is_everyday(item: pytest.Item) -> bool:
    parameters: Mapping[str, object] = (
        item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    )
    if item.path.name not in SAMPLED or not parameters:
        return True
    if "server_database" in parameters:
        return parameters["server_database"] == (SAMPLE[BRIDGE] if SAMPLE[BRIDGE] in SERVERS else "postgres")
    return SAMPLE[BRIDGE] in parameters.values()


@pytest.fixture
def stores() -> Path:
    """How `bridges/faults.py` opens the bridge's store, and the framework's own."""
    return Path(__file__).parent / BRIDGE / "tests" / "stores.py"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["memory", "sqlite", *SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database, to connect to from any process (but memory's, which is this process)."""
    if request.param == "memory":
        return f"memory://{uuid4().hex}"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bridge.db'}"
    return dsn_of(SERVERS[request.param], request.config)


@pytest.fixture
def tenant() -> str:
    return uuid4().hex


@pytest.fixture
async def keep(url: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(url) as keep:
        yield keep


@pytest.fixture
def view(keep: Keep, tenant: str) -> View:
    """Of a tenant that holds nothing yet."""
    return keep.for_tenant(tenant)


@pytest.fixture(params=["sqlite", *SERVERS])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'bridge.db'}", lambda: None, lambda: None)
    return _on_server(request)


@pytest.fixture(params=list(SERVERS))
def server_database(request: pytest.FixtureRequest) -> Database:
    return _on_server(request)


def _on_server(request: pytest.FixtureRequest) -> Database:
    server = SERVERS[request.param]
    prefix = f"b{uuid4().hex[:8]}{'_' if request.param == 'postgres' else ''}"
    dsn = dsn_of(server, request.config)
    return Database(f"{dsn}{'&' if '?' in dsn else '?'}prefix={prefix}", server.kill, server.restart)
