"""The suite's OpenSearch for this adapter's own tests. If it can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.proxy import Proxy
from agentkeep_conformance.servers import OPENSEARCH
from agentkeep_conformance.servers.chosen import address_of
from agentkeep_conformance.storage.opensearch import drop_indices
from agentkeep_opensearch import OpenSearchAdapter


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def prefix() -> str:
    return f"n{uuid4().hex[:10]}"


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(OPENSEARCH, request.config)


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    async with Proxy(*address_of(dsn)) as proxy:
        yield proxy


@pytest.fixture
async def adapter(dsn: str, prefix: str) -> OpenSearchAdapter:
    return OpenSearchAdapter.from_url(dsn, prefix=prefix, languages=("english",))


@pytest.fixture
async def keep(adapter: OpenSearchAdapter, dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with Keep(adapter) as keep:
        yield keep
    drop_indices(dsn, prefix)


@pytest.fixture
async def writer(keep: Keep, proxy: Proxy, dsn: str, prefix: str) -> AsyncIterator[Keep]:
    """Over the proxy. `keep` is beside it, and removes the indices."""
    async with Keep(OpenSearchAdapter.from_url(proxy.through(dsn), prefix=prefix)) as writer:
        yield writer
