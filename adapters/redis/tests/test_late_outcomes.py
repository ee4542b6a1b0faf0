"""Writers on a cluster tell the index afterwards what they did. Whatever the order of their messages, it is exact."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, Unavailable
from agentkeep_redis import RedisAdapter
from agentkeep_redis.statements import load_script
from redis.asyncio import RedisCluster

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep(cluster_dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(cluster_dsn, prefix=prefix) as keep:
        yield keep


@pytest.fixture
async def slow(cluster_dsn: str, prefix: str, keep: Keep) -> AsyncIterator[tuple[RedisAdapter, Keep]]:
    """Another writer, that is slow to say what it did."""
    adapter = RedisAdapter.from_url(cluster_dsn, prefix=prefix)
    async with Keep(adapter) as slow:
        yield adapter, slow


class HoldingBack:
    """Lets no outcome through; intents and writes pass."""

    is_cluster = True

    def __init__(self, client: Any) -> None:
        self._client = client
        self.server = client.server

    async def run(self, call: Any, effect: Any) -> Any:
        if call.script == load_script("update_index") and call.args[0] == "0":
            raise Unavailable("held back")
        return await self._client.run(call, effect)

    async def commands(self, *args: Any) -> Any:
        return await self._client.commands(*args)


@contextmanager
def holding_back(adapter: RedisAdapter) -> Generator[None]:
    index: Any = adapter._index  # pyright: ignore[reportPrivateUsage] - the test stands between the two
    whole = index._client
    index._client = HoldingBack(whole)
    yield
    index._client = whole


async def keys_below(cluster_dsn: str, prefix: str) -> list[str]:
    cluster: Any = RedisCluster.from_url(cluster_dsn.replace("redis+cluster://", "redis://"))
    async with cluster:
        return sorted([key.decode() async for key in cluster.scan_iter(match=f"{prefix}:*", count=10_000)])


async def test_an_append_that_is_told_late_brings_no_deleted_session_back(
    cluster_dsn: str, prefix: str, keep: Keep, slow: tuple[RedisAdapter, Keep]
) -> None:
    """SES-6."""
    adapter, writer = slow
    await keep.sessions.create("s")
    with holding_back(adapter):
        await writer.messages.append("s", [NewMessage(role="user")])
    assert await keep.sessions.delete("s")
    assert await writer.sessions.count() == 0, "this look tells it"
    assert (await writer.sessions.list()).items == []
    await keep.sweep()
    assert await keys_below(cluster_dsn, prefix) == [f"{prefix}:schema"]


async def test_a_create_that_is_told_late_brings_no_deleted_session_back(
    cluster_dsn: str, prefix: str, keep: Keep, slow: tuple[RedisAdapter, Keep]
) -> None:
    """SES-6: a create is the one write that may bring a session in, so the end of that session waits for its word."""
    adapter, writer = slow
    with holding_back(adapter):
        await writer.sessions.create("s")
    assert await keep.sessions.delete("s")
    assert await writer.sessions.count() == 0, "this look tells it"
    assert (await writer.sessions.list()).items == []
    await keep.sweep()
    assert await keys_below(cluster_dsn, prefix) == [f"{prefix}:schema"]


async def test_what_is_told_late_undoes_nothing_newer(keep: Keep, slow: tuple[RedisAdapter, Keep]) -> None:
    """ORD-5: the newest state of a session is what the index keeps."""
    adapter, writer = slow
    for id in ("s", "t", "u", "v"):
        await keep.sessions.create(id)
    with holding_back(adapter):
        await writer.messages.append("s", [NewMessage(role="user")])
    for id in ("t", "u", "v"):
        await keep.sessions.update(id, title="newer")
    newest = await keep.sessions.update("s", user_id="ann")
    assert await writer.sessions.count() == 4, "this look tells it"
    assert (await keep.sessions.list(limit=1)).items == [newest]
    assert await keep.sessions.count(user_id="ann") == 1
    assert [session.id for session in (await keep.sessions.list(order="updated_at")).items] == ["t", "u", "v", "s"]
