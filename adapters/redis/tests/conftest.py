"""Servers of the suite for this adapter's own tests. If one can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import REDIS, REDIS_ALWAYS, REDIS_CLUSTER, REDIS_SENTINEL, REDIS_TLS
from redis.asyncio import Redis


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def prefix() -> str:
    return f"n{uuid4().hex[:10]}"


@pytest.fixture
def dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(REDIS, request.config)


@pytest.fixture
def always_dsn(request: pytest.FixtureRequest) -> str:
    """A server that forces every write to the disk before it answers."""
    return dsn_of(REDIS_ALWAYS, request.config)


@pytest.fixture
def sentinel_dsn(request: pytest.FixtureRequest) -> str:
    """A primary and its replica under three Sentinels."""
    return dsn_of(REDIS_SENTINEL, request.config)


@pytest.fixture
def tls_dsn(request: pytest.FixtureRequest) -> str:
    return dsn_of(REDIS_TLS, request.config)


@pytest.fixture
def cluster_dsn(request: pytest.FixtureRequest) -> str:
    """A cluster's URL, as the adapter takes it."""
    return dsn_of(REDIS_CLUSTER, request.config).replace("redis://", "redis+cluster://", 1)


@pytest.fixture
async def server(dsn: str) -> AsyncIterator[Any]:
    """A client to look at the single server behind the adapter's back."""
    async with Redis.from_url(dsn) as client:  # pyright: ignore[reportUnknownMemberType] - untyped by the driver
        yield client
