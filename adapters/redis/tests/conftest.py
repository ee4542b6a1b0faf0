"""Servers of the suite for this adapter's own tests. Where one can't be had, a test says NOT RUN."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import REDIS, REDIS_ALWAYS, REDIS_CLUSTER, REDIS_SENTINEL, REDIS_TLS
from redis.asyncio import Redis


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A proxy stands before one address, and a client of six nodes goes past it: such a test would prove nothing.

    So the tests that act on the wire run on the cluster of one node, and all others on six. A server that syncs each
    write is asked what survives a kill alone, and those behind Sentinel and TLS what every session goes through: the
    rest is the same as on the first.
    """
    left_out = [item for item in items if _is_asked_elsewhere(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_asked_elsewhere(item: pytest.Item) -> bool:
    on_the_wire = item.get_closest_marker("needs_wire") is not None
    suite = item.nodeid.split("::")[1]
    is_short = _family(item) in {"sessions", "messages", "idempotency", "watching"} and not on_the_wire
    return {
        "TestRedisCluster": on_the_wire,
        "TestRedisClusterOfOne": not on_the_wire,
        "TestRedisAlways": "killed" not in item.name,
        "TestRedisSentinel": not is_short,
        "TestRedisTls": not is_short,
    }.get(suite, False)


def _family(item: pytest.Item) -> str:
    """The last part of the name of the module that a test of the suite is from."""
    test: Any = getattr(item, "function", None)
    return "" if test is None else test.__module__.rpartition(".")[2]


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
