"""What a cluster adds: the index is in another slot than the session, and primaries fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import agentkeep
import pytest
from agentkeep import Keep, NewMessage, SessionNotFound
from agentkeep_redis import RedisAdapter
from redis.asyncio import RedisCluster

pytestmark = pytest.mark.anyio


@pytest.fixture
async def keep(cluster_dsn: str, prefix: str) -> AsyncIterator[Keep]:
    async with agentkeep.connect(cluster_dsn, prefix=prefix) as keep:
        yield keep


@pytest.fixture
async def cluster(cluster_dsn: str) -> AsyncIterator[Any]:
    """A client to look at the nodes behind the adapter's back."""
    client: Any = RedisCluster.from_url(cluster_dsn.replace("redis+cluster://", "redis://"))
    async with client:
        yield client


async def keys_below(cluster: Any, prefix: str) -> list[str]:
    return sorted([key.decode() async for key in cluster.scan_iter(match=f"{prefix}:*", count=10_000)])


class Killed(BaseException):
    """Stands for the end of a process: nothing of it catches this, and nothing of ours runs after it."""


class DyingClient:
    """Passes `lives` more calls on and dies at the next, before it is sent, as a killed writer does."""

    is_cluster = True

    def __init__(self, client: Any, lives: int) -> None:
        self._client = client
        self._lives = lives
        self.server = client.server

    def _live(self) -> None:
        if self._lives == 0:
            raise Killed
        self._lives -= 1

    async def run(self, *args: Any) -> Any:
        self._live()
        return await self._client.run(*args)

    async def commands(self, *args: Any) -> Any:
        self._live()
        return await self._client.commands(*args)


async def die_during(adapter: RedisAdapter, lives: int, call: Any) -> bool:
    """Run a call of a writer that dies after `lives` round trips; whether it died before it was done."""
    index: Any = adapter._index  # pyright: ignore[reportPrivateUsage] - the test kills it from inside
    repositories: list[Any] = [adapter.sessions, adapter.messages, index]
    whole = index._client
    dying = DyingClient(whole, lives)
    for part in repositories:
        part._client = dying
    try:
        await call
    except Killed:
        return True
    finally:
        index._unsent.clear()
        for part in repositories:
            part._client = whole
    return False


CRASHES: dict[str, Callable[[Keep], Coroutine[Any, Any, Any]]] = {
    "create": lambda keep: keep.sessions.create("new", user_id="u"),
    "append": lambda keep: keep.messages.append("a", [NewMessage(role="user")]),
    "update": lambda keep: keep.sessions.update("a", user_id="u", status="completed"),
    "delete": lambda keep: keep.sessions.delete("a"),
    "fork": lambda keep: keep.sessions.fork("a", new_id="new"),
}
FILTERS: list[dict[str, Any]] = [{}, {"user_id": "u"}, {"status": "completed"}, {"status": "active", "user_id": "u"}]


@pytest.mark.parametrize("name", CRASHES)
@pytest.mark.parametrize("lives", [0, 1, 2, 3])
@pytest.mark.parametrize("first", ["page", "count"])
async def test_a_writer_that_dies_between_two_slots_is_mended_by_the_next_look(
    cluster_dsn: str, prefix: str, keep: Keep, name: str, lives: int, first: str
) -> None:
    """ORD-5: whatever `get` shows, listings and counts show, at once and in the right place, whichever comes first."""
    before = ("a", "b", "c", "d")
    for id in before:
        await keep.sessions.create(id)
    dying = RedisAdapter.from_url(cluster_dsn, prefix=prefix)
    async with Keep(dying) as writer:
        await die_during(dying, lives, CRASHES[name](writer))

    known = [session for id in (*before, "new") if (session := await keep.sessions.find(id)) is not None]
    newest = sorted(known, key=lambda session: (session.updated_at, session.id), reverse=True)
    if first == "page":  # of one, so that the session that was written to is not on it by its old place
        assert (await keep.sessions.list(limit=1)).items == newest[:1]
    for filters in FILTERS:
        expected = [session for session in newest if all(getattr(session, key) == filters[key] for key in filters)]
        assert await keep.sessions.count(**filters) == len(expected)
        assert (await keep.sessions.list(**filters)).items == expected
    assert (await keep.sessions.list(order="updated_at")).items == newest[::-1]


async def test_old_intents_are_brought_into_the_index_and_go(
    cluster_dsn: str, prefix: str, keep: Keep, cluster: Any
) -> None:
    """What dead writers left costs later listings nothing, and leaves no trace (TTL-2)."""
    dying = RedisAdapter.from_url(cluster_dsn, prefix=prefix)
    async with Keep(dying) as writer:
        assert await die_during(dying, 3, writer.sessions.create("whole"))
        assert await die_during(dying, 1, writer.sessions.create("never"))
    (intents,) = [key for key in await keys_below(cluster, prefix) if key.endswith(":intents")]
    for id, intent in (await cluster.hgetall(intents)).items():
        aged = intent[:9] + b"%012d" % (int(intent[9:]) - 61)
        await cluster.hset(intents, id, aged)
    assert await keep.sweep() == 0
    assert not await cluster.exists(intents)
    assert [session.id for session in (await keep.sessions.list()).items] == ["whole"]
    assert await keep.sessions.delete("whole")
    await keep.sweep()
    assert await keys_below(cluster, prefix) == [f"{prefix}:schema"]


async def test_the_keys_of_a_session_share_a_slot_and_sessions_do_not(keep: Keep, cluster: Any, prefix: str) -> None:
    hostile = ["{", "}", "{}", "{a}", "a:b", "a}:{b", "*", "{x}{y}"]
    for id in hostile:
        await keep.sessions.create(id)
        await keep.messages.append(id, [NewMessage(role="user")])
    keys = [key for key in await keys_below(cluster, prefix) if key.endswith((":session", ":log", ":messages"))]
    slots = {key.rpartition(":")[0]: set[int]() for key in keys}
    for key in keys:
        slots[key.rpartition(":")[0]].add(cluster.keyslot(key))
    assert len(slots) == len(hostile)
    assert all(len(found) == 1 for found in slots.values())
    assert len(set[int]().union(*slots.values())) > 1
    assert await keep.sessions.count() == len(hostile)


async def test_a_watcher_hears_what_lands_in_any_slot(keep: Keep) -> None:
    """WATCH-1."""
    await keep.sessions.create("s")
    heard: list[int] = []

    async def listen() -> None:
        async for message in keep.messages.watch("s", after_seq=0):
            heard.append(message.seq)

    watcher = asyncio.create_task(listen())
    for _ in range(20):
        await keep.messages.append("s", [NewMessage(role="user")])
    await keep.sessions.delete("s")
    with pytest.raises(SessionNotFound):
        await asyncio.wait_for(watcher, 30)
    assert heard == sorted(set(heard))


async def test_a_callers_cluster_client_stays_open(cluster: Any, prefix: str) -> None:
    """LIFE-2."""
    async with Keep(RedisAdapter(cluster, prefix=prefix)) as keep:
        await keep.sessions.create("s", ttl=timedelta(minutes=5))
        assert (await keep.messages.append("s", [NewMessage(role="user")]))[0].seq == 1
    assert await cluster.ping()
