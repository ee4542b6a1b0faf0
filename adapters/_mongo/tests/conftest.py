"""Servers of the suite for this adapter's own tests. If one can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from agentkeep import Keep
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import MONGO_STANDALONE
from agentkeep_conformance.storage.mongo import client_of, names_of
from agentkeep_mongo import MongoAdapter


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def prefix() -> str:
    return f"n{uuid4().hex[:10]}"


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(MONGO_STANDALONE, request.config)


@pytest.fixture
async def keep(dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with Keep(MongoAdapter.from_url(dsn, prefix=prefix)) as keep:
        yield keep
    async with client_of(dsn) as client:
        for name in await names_of(client, prefix):
            await client["agentkeep"].drop_collection(name)
