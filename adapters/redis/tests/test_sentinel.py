"""Behind Sentinel: the primary fails, its replica is promoted, and the opened adapter goes on there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, OutcomeUnknown, Unavailable
from agentkeep_conformance.samples import until
from agentkeep_conformance.servers import REDIS_SENTINEL, NotRun
from redis.asyncio import Redis

pytestmark = pytest.mark.anyio

_FAILOVER_SECONDS = 60


@pytest.fixture
async def keep(sentinel_dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(sentinel_dsn, prefix=prefix) as keep:
        yield keep


class Primary:
    """The server that a Sentinel names, seen behind the adapter's back."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)

    async def address(self) -> tuple[str, int]:
        host, _, port = self._parts.netloc.rpartition("@")[2].partition(",")[0].rpartition(":")
        asked: Any = Redis(host=host, port=int(port))
        async with asked:
            state = await asked.sentinel_master(self._parts.path.split("/")[1])
        return state["ip"], state["port"]

    async def client(self) -> Any:
        host, port = await self.address()
        return Redis(host=host, port=port, password=self._parts.password)


async def is_another(named: Primary, before: tuple[str, int]) -> bool:
    return await named.address() != before


async def node_of(client: Any) -> int:
    """Its number among the suite's servers, which stands at the end of its folder's name."""
    info = await client.info("server")
    return int(info["config_file"].split("/")[-2].rpartition("_")[2])


async def until_done(keep: Keep, session_id: str, id: str) -> None:
    """The same append again until it is answered, as a caller does that gets `Unavailable` or `OutcomeUnknown`."""
    async with asyncio.timeout(_FAILOVER_SECONDS):
        while True:
            try:
                await keep.messages.append(session_id, [NewMessage(role="user", id=id)])
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.2)
            else:
                return


async def test_writers_go_on_on_the_promoted_replica(keep: Keep, sentinel_dsn: str) -> None:
    """FLT-1, FLT-2, ERR-2: nothing is opened again, and what was acknowledged before and after is there once, in order.

    Replication is asynchronous: what the primary acknowledged and had not passed on yet is lost with it, and the page
    says so. Here the replica has everything when the primary is killed; that much is promised.
    """
    written: dict[str, list[str]] = {f"s{number}": [] for number in range(6)}
    for session_id in written:
        await keep.sessions.create(session_id, user_id="u")

    async def write(session_id: str, first: int, last: int) -> None:
        for number in range(first, last):
            await until_done(keep, session_id, f"m{number}")
            written[session_id].append(f"m{number}")

    await asyncio.gather(*(write(session_id, 0, 10) for session_id in written))
    named = Primary(sentinel_dsn)
    before = await named.address()
    async with await named.client() as client:
        # WAIT speaks of its own connection's writes: one behind all others.
        await client.set("agentkeep-smoke", "x")
        assert await client.wait(1, 10_000) == 1
        primary = await node_of(client)
    try:
        await asyncio.to_thread(REDIS_SENTINEL.kill, primary)
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")
    try:
        await asyncio.gather(*(write(session_id, 10, 20) for session_id in written))
        # the writers may have asked another Sentinel, which knew of the new primary earlier
        await until(lambda: is_another(named, before), "the named primary is another one")
        for session_id, ids in written.items():
            messages = (await keep.messages.list(session_id, limit=100)).items
            assert [message.id for message in messages] == ids
            assert [message.seq for message in messages] == list(range(1, 21))
        assert await keep.sessions.count(user_id="u") == len(written)
    finally:
        await asyncio.to_thread(REDIS_SENTINEL.restart)
    assert await keep.sessions.count() == len(written)


async def test_a_sentinel_that_is_gone_is_passed_over(keep: Keep, sentinel_dsn: str, prefix: str) -> None:
    """FLT-2: the next one is asked."""
    await keep.sessions.create("s")
    try:
        await asyncio.to_thread(REDIS_SENTINEL.kill, 2)
    except NotRun as reason:
        pytest.skip(f"NOT RUN: {reason}")
    try:
        async with agentkeep.connect(sentinel_dsn, prefix=prefix) as other:
            assert (await other.messages.append("s", [NewMessage(role="user")]))[0].seq == 1
    finally:
        await asyncio.to_thread(REDIS_SENTINEL.restart)


async def test_no_sentinel_that_answers_is_unavailable(prefix: str) -> None:
    """ERR-1, ERR-2."""
    keep = agentkeep.connect("redis+sentinel://127.0.0.1:1,127.0.0.1:2/agentkeep/0", prefix=prefix)
    with pytest.raises(Unavailable):
        await keep.open()


async def test_a_service_that_no_sentinel_knows_is_unavailable(sentinel_dsn: str, prefix: str) -> None:
    with pytest.raises(Unavailable, match="unheard"):
        await agentkeep.connect(sentinel_dsn.replace("/agentkeep/0", "/unheard/0"), prefix=prefix).open()
