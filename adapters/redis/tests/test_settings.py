"""The server's settings, what it refuses, and the URLs that lead to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, Unavailable
from agentkeep.errors import ConfigurationError
from agentkeep_conformance.outcomes import dsn_of
from agentkeep_conformance.servers import REDIS, REDIS_ALWAYS, REDIS_MEMORY, REDIS_NO_FSYNC, ChosenServer

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
    """ERR-2: refused whole, also where the script would have written in several places."""
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
