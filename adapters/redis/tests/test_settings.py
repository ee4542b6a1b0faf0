"""The server's settings, what it refuses, and the URLs that lead to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, Unavailable
from agentkeep.errors import ConfigurationError, SchemaMissing
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import REDIS, REDIS_ALWAYS, REDIS_MEMORY, REDIS_NO_FSYNC, ChosenServer
from redis.asyncio import Redis

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep(dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(dsn, prefix=prefix) as keep:
        yield keep


DURABILITY = [(REDIS_ALWAYS, "fsync"), (REDIS, "interval"), (REDIS_NO_FSYNC, "os"), (REDIS_MEMORY, "process")]


@pytest.mark.parametrize(("chosen", "durability"), DURABILITY, ids=[grade for _, grade in DURABILITY])
async def test_the_grade_of_durability_is_read_from_the_server(
    chosen: ChosenServer, durability: str, prefix: str, request: pytest.FixtureRequest
) -> None:
    url = dsn_of(chosen, request.config)
    async with agentkeep.connect(url, prefix=prefix) as keep:
        assert keep.capabilities.durability == durability
        health = await keep.health()
    assert health.durability == durability
    assert len(health.warnings) == (0 if durability == "fsync" else 1)


async def test_a_policy_that_evicts_is_warned_of(keep: Keep, server: Any) -> None:
    await server.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "allkeys-lru" in (await keep.health()).warnings[-1]
    finally:
        await server.config_set("maxmemory-policy", "noeviction")


async def test_a_server_without_memory_says_unavailable_and_writes_nothing(keep: Keep, server: Any) -> None:
    """ERR-2: refused whole, even if the script would have written in several places."""
    await keep.sessions.create("s")
    await server.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable):
            await keep.messages.append("s", [NewMessage(role="user") for _ in range(3)])
        with pytest.raises(Unavailable):
            await keep.sessions.create("t")
        assert (await keep.messages.list("s")).items == []
    finally:
        await server.config_set("maxmemory", 0)
    assert (await keep.messages.append("s", [NewMessage(role="user")]))[0].seq == 1
    assert await keep.sessions.count() == 1


async def test_a_replica_is_warned_of(sentinel_dsn: str, prefix: str) -> None:
    """It opens where its primary was opened, and reads; whoever wants to write should hear of it before."""
    url = urlsplit(sentinel_dsn)
    login, _, places = url.netloc.rpartition("@")
    sentinel: Any = Redis.from_url(f"redis://{places.partition(',')[0]}", decode_responses=True)  # pyright: ignore[reportUnknownMemberType]
    async with sentinel, agentkeep.connect(sentinel_dsn, prefix=prefix) as keep:
        assert not [warning for warning in (await keep.health()).warnings if "replica" in warning]
        (state, *_) = await sentinel.sentinel_slaves(url.path.split("/")[1])
    replica = f"redis://{login}@{state['ip']}:{state['port']}" if login else f"redis://{state['ip']}:{state['port']}"
    for _ in range(100):
        try:
            async with agentkeep.connect(replica, prefix=prefix, manage_schema=False) as keep:
                assert [warning for warning in (await keep.health()).warnings if "is a replica" in warning]
                return
        except SchemaMissing:  # not passed on yet
            await asyncio.sleep(0.05)
    pytest.fail("the primary's schema never reached its replica")


@pytest.mark.parametrize("topology", ["dsn", "sentinel_dsn"])
async def test_a_database_that_the_server_has_not_is_misconfigured(
    topology: str, request: pytest.FixtureRequest
) -> None:
    """ERR-1: trying again is in vain."""
    url: str = request.getfixturevalue(topology)
    with pytest.raises(ConfigurationError, match="database 9999"):
        await agentkeep.connect(f"{url.rpartition('/')[0]}/9999").open()


async def test_a_cluster_url_to_a_server_without_cluster_mode_is_misconfigured(dsn: str) -> None:
    """ERR-1."""
    place = urlsplit(dsn)
    with pytest.raises(ConfigurationError, match="without cluster mode"):
        await agentkeep.connect(f"redis+cluster://{place.netloc}").open()


URLS = [
    "redis://",
    "redis://host:port",
    "redis://host/zero",
    "redis://a,b/0",
    "redis+cluster://a,b/1",
    "redis+sentinel://a:26379",
    "redis+other://a",
]


@pytest.mark.parametrize("url", URLS)
def test_a_wrong_url_is_refused_before_any_connection(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis"):
        agentkeep.connect(url)


def test_no_message_of_ours_holds_the_password() -> None:
    """ERR-3."""
    with pytest.raises(ConfigurationError) as raised:
        agentkeep.connect("redis://user:hush@host/zero")
    assert "hush" not in str(raised.value)
